"""The authorization endpoint's rules: whose request, which resource, which scope, and who may be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from mcplatch.authorization_server import authorize as rule
from mcplatch.authorization_server.authorize import SentBack, ShownOnly, Started, begin
from mcplatch.authorization_server.house import House
from mcplatch.protocol.parameters import Parameters, parse_form
from mcplatch.protocol.pkce import challenge_of
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import Client, Interaction
from mcplatch.store.port import Put, Store
from tests.world import ISSUER, MAIL, NOTES, POLICY, VERIFIER, client, house

pytestmark = pytest.mark.anyio

GOOD = {
    "client_id": "client-1",
    "redirect_uri": "http://127.0.0.1:5000/callback",
    "response_type": "code",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
    "state": "opaque",
    "resource": NOTES,
    "scope": "notes:read",
}


def request(**changes: str | list[str] | None) -> Parameters:
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    read = parse_form(urlencode(values, doseq=True).encode())
    assert isinstance(read, Parameters)
    return read


async def furnished(store: Store, its_client: Client | None = None) -> House:
    await store.settle(lambda t: t.apply((Put(its_client or client()),)))
    return await house(store)


@pytest.mark.requirement("AS-20", "AS-30", "AS-115")
async def test_a_good_request_waits_for_its_person(store: Store) -> None:
    at = await furnished(store)
    outcome = await begin(request(), at, browser_hash="browser")
    assert isinstance(outcome, Started)
    kept = await store.look(
        lambda t: t.one(Interaction, interaction_id=outcome.interaction.interaction_id)
    )
    assert kept == outcome.interaction
    assert (kept.resource, kept.scope, kept.state) == (NOTES, ("notes:read",), "opaque")
    assert kept.browser_hash == "browser"
    assert kept.client_digest == client().digest
    assert kept.expires_at - kept.created_at == POLICY.lifetimes.interaction


@pytest.mark.requirement("AS-147")
async def test_the_same_request_twice_gives_two_interactions(store: Store) -> None:
    at = await furnished(store)
    first = await begin(request(), at, browser_hash="browser")
    second = await begin(request(), at, browser_hash="browser")
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert first.interaction.interaction_id != second.interaction.interaction_id


SHOWN = [
    ("no client", {"client_id": None}, {}, "client-id-missing"),
    ("unknown client", {"client_id": "x"}, {}, "client-not-known-here"),
    ("blocked client", {}, {"blocked_at": 1}, "client-not-welcome"),
    ("no URI, two registered", {"redirect_uri": None}, {}, "redirect-uri-ambiguous"),
    ("other path", {"redirect_uri": "http://127.0.0.1:5000/callback/"}, {}, "redirect-uri-unknown"),
    ("other host", {"redirect_uri": "http://localhost:5000/callback"}, {}, "redirect-uri-unknown"),
    ("attacker", {"redirect_uri": "https://evil.example/callback"}, {}, "redirect-uri-unknown"),
    ("script", {"redirect_uri": "javascript:alert(1)"}, {}, "redirect-uri-unknown"),
    ("port of https", {"redirect_uri": "https://app.example:444/cb"}, {}, "redirect-uri-unknown"),
    ("long state", {"state": "s" * 9000}, {}, "state-too-long"),
]


@pytest.mark.requirement("AS-22", "AS-45", "AS-46", "AS-48", "AS-53", "AS-88")
@pytest.mark.parametrize(
    ("_name", "changes", "of_client", "reason"), SHOWN, ids=[row[0] for row in SHOWN]
)
async def test_before_the_address_is_proven_nothing_can_be_sent_there(
    store: Store, _name: str, changes: Any, of_client: Any, reason: str
) -> None:
    uris = ("http://127.0.0.1/callback", "https://app.example/cb")
    at = await furnished(store, client(redirect_uris=uris, **of_client))
    outcome = await begin(request(**changes, scope='bad"scope'), at, browser_hash="b")
    assert isinstance(outcome, ShownOnly)
    assert outcome.reason.name == reason
    assert await store.look(lambda t: t.all(Interaction)) == []


SENT_BACK = [
    ("no challenge", {"code_challenge": None}, "invalid_request"),
    ("implicit", {"response_type": "token"}, "unsupported_response_type"),
    ("bogus scope", {"scope": "bogus"}, rule.SCOPE_UNKNOWN.error),
    ("unknown resource", {"resource": "https://other.example/mcp"}, rule.RESOURCE_UNKNOWN.error),
    ("two resources", {"resource": [NOTES, MAIL]}, rule.RESOURCES_SEVERAL.error),
    ("no resource among several", {"resource": None}, rule.RESOURCE_UNNAMED.error),
    ("relative resource", {"resource": "/mcp"}, "invalid_target"),
]


@pytest.mark.requirement("AS-23", "AS-25", "AS-116", "AS-122")
@pytest.mark.parametrize(
    ("_name", "changes", "error"), SENT_BACK, ids=[row[0] for row in SENT_BACK]
)
async def test_after_it_the_client_is_told(
    store: Store, _name: str, changes: Any, error: str
) -> None:
    outcome = await begin(request(**changes), await furnished(store), browser_hash="b")
    assert isinstance(outcome, SentBack)
    assert outcome.reason.error == error
    assert outcome.return_to.redirect_uri == GOOD["redirect_uri"]
    assert outcome.return_to.state == "opaque"
    assert outcome.return_to.issuer == ISSUER


async def test_a_client_without_the_code_grant_is_told(store: Store) -> None:
    at = await furnished(store, client(grant_types=("refresh_token",)))
    outcome = await begin(request(), at, browser_hash="b")
    assert isinstance(outcome, SentBack)
    assert outcome.reason is rule.CODE_GRANT_NOT_ALLOWED


@pytest.mark.requirement("AS-47", "AS-52")
async def test_the_only_registered_address_need_not_be_repeated(store: Store) -> None:
    outcome = await begin(request(redirect_uri=None), await furnished(store), browser_hash="b")
    assert isinstance(outcome, Started)
    assert outcome.interaction.redirect_uri == "http://127.0.0.1/callback"


@pytest.mark.requirement("AS-117", "AS-119", "AS-120", "AS-121")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((), None),
        ((NOTES,), NOTES),
        (("HTTPS://NOTES.example:443/mcp",), NOTES),
        ((NOTES, NOTES), NOTES),
        (("https://notes.example",), None),
        (("https://notes.example/mcp/",), None),
        ((NOTES, "https://x"), None),
    ],
)
def test_which_resource_is_meant(asked: tuple[str, ...], found: str | None) -> None:
    resource = rule.the_resource(asked, POLICY)
    if found is None:
        assert isinstance(resource, Refusal)
    else:
        assert not isinstance(resource, Refusal)
        assert resource.identifier == found


@pytest.mark.requirement("AS-119")
def test_the_only_resource_need_not_be_named() -> None:
    only = replace(POLICY, resources=POLICY.resources[:1])
    assert rule.the_resource((), only) is POLICY.resources[0]


ASKED = [
    ((), ("notes:read",)),
    (("notes:read",), ("notes:read",)),
    (("notes:write",), ("notes:read", "notes:write")),
    (("notes:delete", "notes:write"), ("notes:read", "notes:write", "notes:delete")),
    (("offline_access",), ("notes:read",)),
    (("openid", "profile", "email"), ("notes:read",)),
    (("notes:write", "mail:read", "bogus"), ("notes:read", "notes:write")),
    (POLICY.scopes_supported(), ("notes:read", "notes:write", "notes:delete")),
    (("bogus",), None),
    (("mail:read",), None),
]


@pytest.mark.requirement("AS-10", "AS-134", "AS-149", "AS-174", "E10")
@pytest.mark.parametrize(("asked", "found"), ASKED)
def test_which_scope_is_put_to_the_person(
    asked: tuple[str, ...], found: tuple[str, ...] | None
) -> None:
    scope = rule.the_scope(asked, client(), POLICY.resources[0])
    assert scope == found if found else isinstance(scope, Refusal)


@pytest.mark.requirement("AS-149", "E10")
def test_an_operators_limit_binds_and_a_clients_own_does_not() -> None:
    resource = POLICY.resources[0]
    limited = client(kind="registered", scope=("notes:read",))
    assert rule.the_scope(("notes:read", "notes:delete"), limited, resource) == ("notes:read",)
    assert isinstance(rule.the_scope(("notes:delete",), limited, resource), Refusal)
    free = client(kind="dynamic", scope=("notes:read",))
    assert rule.the_scope(("notes:delete",), free, resource) == ("notes:read", "notes:delete")
