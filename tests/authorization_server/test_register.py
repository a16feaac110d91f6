"""Dynamic registration: what is created, what is found again, what is limited, what is swept."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcplatch.authorization_server.clients import (
    KINDS,
    gather_client,
    known,
    read_client,
    used,
)
from mcplatch.authorization_server.clients.known import NOT_KNOWN_HERE, NOT_WELCOME
from mcplatch.authorization_server.clients.registered import (
    configured_client,
    settle_configured,
)
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.house import House, open_house
from mcplatch.authorization_server.limits import Limit
from mcplatch.authorization_server.register import (
    REGISTRATION_OFF,
    REGISTRATIONS_TOO_MANY,
    answer,
)
from mcplatch.fetch import Fetch, FetchRules
from mcplatch.moment import digest
from mcplatch.protocol.client_metadata import METADATA_MALFORMED
from mcplatch.protocol.redirect_uri import KNOWN_PRIVATE_URIS, REDIRECT_URI_SCHEME, matches
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import AuditEvent, Client
from mcplatch.store.port import Put, Replace, Store, Sweep, Transaction
from tests.world import POLICY

pytestmark = pytest.mark.anyio

DAY = 86400
CLIENTS = [
    path
    for path in sorted((Path(__file__).parent.parent / "vectors" / "clients").glob("*.json"))
    if "registration" in json.loads(path.read_text())
]
PUBLIC: dict[str, Any] = {
    "redirect_uris": ["http://127.0.0.1:3000/callback"],
    "token_endpoint_auth_method": "none",
    "client_name": "Robot",
}


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    fetch = Fetch(FetchRules(), issuer=POLICY.issuer)
    policy = replace(POLICY, private_redirect_uris=KNOWN_PRIVATE_URIS)
    yield await open_house(policy=policy, store=store, secret_key=b"k" * 32, fetch=fetch)
    fetch.close()


async def register(house: House, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = await answer(json.dumps(body).encode(), house, **more)
    assert isinstance(found, dict), found
    return found


async def the_client(house: House, client_id: str) -> Client | Refusal:
    """As the authorization endpoint sees it."""
    now = await house.store.look(lambda t: t.now)
    evidence = await gather_client(
        client_id, fetch=house.fetch, store=house.store, policy=house.policy, now=now
    )
    if isinstance(evidence, Refusal):
        return evidence
    return await house.store.settle(lambda t: read_client(t, client_id, evidence))


@pytest.mark.requirement("AS-52", "AS-80", "AS-84")
async def test_what_real_clients_register_is_there_to_authorize(house: House) -> None:
    for path in CLIENTS:
        vector = json.loads(path.read_text())
        body = await register(house, vector["registration"])
        client = await the_client(house, body["client_id"])
        assert isinstance(client, Client)
        assert list(client.redirect_uris) == body["redirect_uris"]
        assert client.kind == "dynamic"
        asked = vector["registration"]["redirect_uris"]
        for uri in (uri for uri in vector["uses"] if any(matches(one, uri) for one in asked)):
            assert any(matches(one, uri) for one in client.redirect_uris), (path.stem, uri)


@pytest.mark.requirement("AS-83", "AS-84", "AS-95")
async def test_a_secret_is_shown_once_and_kept_as_a_digest(house: House) -> None:
    for method in ("client_secret_basic", "client_secret_post", None):
        body = await register(house, PUBLIC | {"token_endpoint_auth_method": method})
        assert len(body["client_secret"]) == 43
        assert body["client_secret_expires_at"] == 0
        assert body["token_endpoint_auth_method"] == (method or "client_secret_basic")
        client = await the_client(house, body["client_id"])
        assert isinstance(client, Client)
        assert client.secret_hash == digest(body["client_secret"])
        assert body["client_secret"] not in repr(client)


@pytest.mark.requirement("AS-87")
async def test_confidential_clients_are_never_shared(house: House) -> None:
    body = PUBLIC | {"token_endpoint_auth_method": "client_secret_post"}
    one, two = await register(house, body), await register(house, body)
    assert one["client_id"] != two["client_id"]
    assert one["client_secret"] != two["client_secret"]


@pytest.mark.requirement("AS-87")
async def test_the_same_public_metadata_are_the_same_client(house: House) -> None:
    bodies = await asyncio.gather(*(register(house, PUBLIC) for _ in range(10)))
    assert len({body["client_id"] for body in bodies}) == 1
    assert "client_secret" not in bodies[0]
    events = await house.store.look(lambda t: t.all(AuditEvent, kind="client-registered"))
    assert [event.client_id for event in events] == [bodies[0]["client_id"]]


@pytest.mark.requirement("AS-87")
async def test_other_metadata_are_another_client(house: House) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"client_name": "Other"},
        {"redirect_uris": ["http://127.0.0.1:3001/callback"]},
        {"redirect_uris": ["http://127.0.0.1:3000/callback", "https://app.example/cb"]},
        {"grant_types": ["authorization_code"]},
        {"scope": "notes:read"},
        {"client_uri": "https://app.example/"},
    ]
    ids = {(await register(house, PUBLIC | change))["client_id"] for change in changes}
    assert len(ids) == len(changes)


@pytest.mark.requirement("AS-70")
async def test_generated_ids_are_no_urls(house: House) -> None:
    for method in ("none", "client_secret_post"):
        body = await register(house, PUBLIC | {"token_endpoint_auth_method": method})
        assert re.fullmatch(r"dyn-[\w-]{32}", body["client_id"])


async def test_the_usual_scope_is_told_to_a_client_that_asks_for_none(house: House) -> None:
    assert (await register(house, PUBLIC))["scope"] == "notes:read mail:read"
    asked = await register(house, PUBLIC | {"scope": "notes:write bogus"})
    assert asked["scope"] == "notes:write"


@pytest.mark.requirement("AS-82")
async def test_refusals_change_nothing(house: House) -> None:
    bad = await answer(b"{", house)
    assert isinstance(bad, Refused)
    assert bad.reason is METADATA_MALFORMED
    worse = await answer(b'{"redirect_uris":["javascript:alert(1)"]}', house)
    assert isinstance(worse, Refused)
    assert worse.reason is REDIRECT_URI_SCHEME
    assert await house.store.look(lambda t: t.all(Client)) == []


async def test_registration_can_be_switched_off(house: House) -> None:
    house.policy = replace(house.policy, dynamic_registration=False)
    refused = await answer(json.dumps(PUBLIC).encode(), house)
    assert isinstance(refused, Refused)
    assert refused.reason is REGISTRATION_OFF


@pytest.mark.requirement("AS-87")
async def test_thirty_registrations_from_one_address_are_no_flood(house: House) -> None:
    for n in range(30):
        await register(house, PUBLIC | {"client_name": f"Robot {n}"}, address="127.0.0.1")


@pytest.mark.requirement("AS-87")
async def test_a_flood_is_stopped_by_address_and_altogether(house: House) -> None:
    body = json.dumps(PUBLIC).encode()
    house.policy = replace(
        house.policy,
        registrations_per_address=Limit("registrations", 3, 3600),
        registrations_altogether=Limit("registrations", 5, 3600),
    )

    async def tried(address: str) -> bool:
        found = await answer(body, house, address=address)
        if isinstance(found, Refused):
            assert found.reason is REGISTRATIONS_TOO_MANY
            assert found.reason.status == 429
            return False
        return True

    from_one_host = [f"2001:db8:1:2::{n}" for n in range(5)]
    assert [await tried(address) for address in from_one_host] == [True] * 3 + [False] * 2
    others = [f"203.0.113.{n}" for n in range(4)]
    assert [await tried(address) for address in others] == [True] * 2 + [False] * 2


@pytest.mark.requirement("AS-87")
async def test_never_used_registrations_go_after_a_day_and_used_ones_stay(house: House) -> None:
    public = await register(house, PUBLIC)
    secret = await register(house, PUBLIC | {"token_endpoint_auth_method": None})

    def use(transaction: Transaction) -> int:
        client = transaction.one(Client, client_id=public["client_id"])
        assert client is not None
        now, lifetimes = transaction.now, house.policy.lifetimes
        return transaction.apply((Replace(client, used(client, now, lifetimes)),))

    await house.store.settle(use)
    now = await house.store.look(lambda t: t.now)
    absolute = house.policy.lifetimes.refresh_absolute

    async def left_at(later: int) -> set[str]:
        await house.store.settle(lambda t: t.apply((Sweep(Client, "expires_at", later),)))
        return {client.client_id for client in await house.store.look(lambda t: t.all(Client))}

    assert await left_at(now + DAY - 60) == {public["client_id"], secret["client_id"]}
    assert await left_at(now + DAY + 60) == {public["client_id"]}
    assert await left_at(now + absolute + 60) == {public["client_id"]}
    assert await left_at(now + absolute + DAY + 60) == set()


@pytest.mark.requirement("AS-52", "AS-87")
async def test_a_client_about_to_be_swept_lives_on_when_somebody_begins(house: House) -> None:
    body = await register(house, PUBLIC)
    for begin in (lambda: the_client(house, body["client_id"]), lambda: register(house, PUBLIC)):
        now = await house.store.look(lambda t: t.now)
        client = await house.store.look(lambda t: t.one(Client, client_id=body["client_id"]))
        assert client is not None
        late = replace(client, expires_at=now + 5)
        await house.store.settle(lambda t, c=client, x=late: t.apply((Replace(c, x),)))  # type: ignore[misc]
        await begin()
        client = await house.store.look(lambda t: t.one(Client, client_id=body["client_id"]))
        assert client is not None
        assert (client.expires_at or 0) >= now + DAY


@pytest.mark.requirement("AS-88")
async def test_unknown_and_blocked_clients_are_told_apart_for_people(house: House) -> None:
    unknown = await the_client(house, "dyn-nobody")
    assert isinstance(unknown, Refusal)
    assert unknown.reason is NOT_KNOWN_HERE
    assert unknown.reason.error == "invalid_client"
    body = await register(house, PUBLIC)

    def block(transaction: Transaction) -> int:
        client = transaction.one(Client, client_id=body["client_id"])
        assert client is not None
        return transaction.apply((Replace(client, known.blocked(client, transaction.now)),))

    await house.store.settle(block)
    blocked = await the_client(house, body["client_id"])
    assert isinstance(blocked, Refusal)
    assert blocked.reason is NOT_WELCOME
    in_a_year = await house.store.look(lambda t: t.now) + 365 * DAY
    await house.store.settle(lambda t: t.apply((Sweep(Client, "expires_at", in_a_year),)))
    again = await register(house, PUBLIC)
    assert again["client_id"] == body["client_id"], "sweeping must not bring it back unblocked"
    still = await the_client(house, body["client_id"])
    assert isinstance(still, Refusal)


async def test_clients_of_the_configuration(house: House) -> None:
    named = configured_client(
        "crm", name="CRM", redirect_uris=["https://crm.example/cb"], secret="shh" * 20
    )
    public = configured_client("cli", name="CLI", redirect_uris=["http://127.0.0.1/cb"])
    own = replace(public, client_id="added-otherwise", created_at=1)
    await house.store.settle(lambda t: t.apply((Put(own),)))
    await settle_configured(house.store, [named, public])
    await settle_configured(house.store, [named, public])
    crm = await the_client(house, "crm")
    assert isinstance(crm, Client)
    assert crm.secret_hash == digest("shh" * 20)
    assert crm.token_endpoint_auth_method == "client_secret_basic"
    assert crm.expires_at is None
    assert crm.created_at > 0
    assert used(crm, crm.created_at + 9, house.policy.lifetimes).expires_at is None

    moved = configured_client("cli", name="CLI", redirect_uris=["http://[::1]/cb"])
    await settle_configured(house.store, [moved])
    cli = await the_client(house, "cli")
    assert isinstance(cli, Client)
    assert cli.redirect_uris == ("http://[::1]/cb",)
    assert isinstance(await the_client(house, "crm"), Refusal)
    assert isinstance(await the_client(house, "added-otherwise"), Client)

    await settle_configured(house.store, [named])
    assert isinstance(await the_client(house, "crm"), Client)


def test_each_id_has_one_kind() -> None:
    owners = {
        "https://app.example/c": "document",
        "HTTPS://app.example/c": "document",
        "dyn-x": "dynamic",
        "crm": "registered",
    }
    for client_id, name in owners.items():
        assert next(kind.NAME for kind in KINDS if kind.owns(client_id)) == name
    assert known.NEVER_USED_LIFETIME == DAY
