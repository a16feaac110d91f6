"""Clients by metadata document: fetched when people are asked, kept as long as their host says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mcplatch import fetch as door
from mcplatch.authorization_server.clients import (
    Evidence,
    document,
    gather_client,
    known,
    read_client,
)
from mcplatch.authorization_server.clients.known import NOT_WELCOME
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import Fetch, FetchRules
from mcplatch.protocol import client_id_document as rules
from mcplatch.protocol.client_id_document import ClientDocument
from mcplatch.protocol.client_metadata import ClientMetadata
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, Client
from mcplatch.store.port import Replace, Store, Sweep, Transaction
from tests.fetch.stage import Authority, http, listening
from tests.world import POLICY

pytestmark = pytest.mark.anyio


@dataclass
class Host:
    """A host on loopback whose answers a test can change, and how often it was asked."""

    store: Store
    fetch: Fetch
    url: str
    policy: Policy = POLICY
    answers: list[bytes] = field(default_factory=list)
    asked: int = 0

    def says(self, *headers: str, status: str = "200 OK", **members: Any) -> None:
        document = {
            "client_id": self.url,
            "client_name": "App",
            "redirect_uris": ["http://localhost/callback"],
        }
        body = json.dumps(document | members).encode()
        self.answers = [http(body, "Content-Type: application/json", *headers, status=status)]

    async def client(self) -> Client | Refusal:
        now = await self.store.look(lambda t: t.now)
        evidence = await gather_client(
            self.url, fetch=self.fetch, store=self.store, policy=self.policy, now=now
        )
        if isinstance(evidence, Refusal):
            return evidence
        return await self.store.settle(lambda t: read_client(t, self.url, evidence))

    async def known(self) -> Client:
        client = await self.client()
        assert isinstance(client, Client), client
        return client

    async def refused(self) -> Reason:
        found = await self.client()
        assert isinstance(found, Refusal), found
        assert "docs.example" in found.detail or found.reason is NOT_WELCOME
        return found.reason


@asynccontextmanager
async def hosting(store: Store, authority: Authority, **limits: Any) -> AsyncIterator[Host]:
    async def answer(reader: Any, writer: Any) -> None:
        host.asked += 1
        writer.write(host.answers[-1])
        await writer.drain()

    async def resolve(name: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with listening(authority.server("docs.example"), answer) as listener:
        at = f"docs.example:{listener.port}"
        fetch_rules = FetchRules(ca_file=authority.file, loopback_hosts=frozenset({at}), **limits)
        fetch = Fetch(fetch_rules, issuer="http://localhost:9000", resolve=resolve)
        host = Host(store, fetch, f"https://{at}/client.json")
        yield host
        fetch.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="host")
async def a_host(store: Store, authority: Authority) -> AsyncIterator[Host]:
    async with hosting(store, authority) as opened:
        yield opened


@pytest.mark.requirement("AS-61", "AS-63", "AS-69")
async def test_a_client_is_what_its_document_says(host: Host) -> None:
    host.says("Cache-Control: max-age=600", grant_types=["authorization_code"], scope="notes:read")
    client = await host.known()
    assert client.client_id == host.url
    assert client.kind == "document"
    assert client.client_name == "App"
    assert client.redirect_uris == ("http://localhost/callback",)
    assert client.token_endpoint_auth_method == "none"
    assert client.secret_hash is None
    assert client.grant_types == ("authorization_code",)
    assert await host.store.look(lambda t: t.one(Client, client_id=host.url)) == client


@pytest.mark.requirement("AS-65")
async def test_documents_are_kept_as_their_host_says(host: Host) -> None:
    at = host.url
    for number, (headers, fetches) in enumerate(
        [
            (["Cache-Control: max-age=600"], 1),
            ([], 1),
            (["Cache-Control: max-age=0"], 1),
            (["Cache-Control: no-store"], 3),
            (["Cache-Control: no-cache, max-age=600"], 3),
        ]
    ):
        host.url, host.asked = f"{at}?{number}", 0
        host.says(*headers)
        for _ in range(3):
            await host.known()
        assert host.asked == fetches, headers


@pytest.mark.requirement("AS-65", "AS-66")
async def test_failures_and_bad_documents_are_not_kept(host: Host) -> None:
    host.says("Cache-Control: max-age=600", status="500 Internal Server Error")
    assert await host.refused() is rules.DOCUMENT_NOT_JSON
    host.says("Cache-Control: max-age=600", client_secret="x")
    assert await host.refused() is rules.DOCUMENT_HAS_SECRET
    assert await host.store.look(lambda t: t.all(Client)) == []
    host.says("Cache-Control: max-age=600")
    await host.known()
    assert host.asked == 3


@pytest.mark.requirement("AS-65")
async def test_a_bad_document_later_does_not_let_the_old_one_live_on(host: Host) -> None:
    host.says("Cache-Control: no-store")
    await host.known()
    host.says("Cache-Control: no-store", status="404 Not Found")
    assert await host.refused() is rules.DOCUMENT_NOT_JSON


@pytest.mark.requirement("AS-61", "AS-63", "AS-64", "AS-66", "AS-68")
async def test_hostile_hosts(host: Host) -> None:
    for answer, reason in [
        (http(b"{}", "Location: /x", status="301 Moved"), rules.DOCUMENT_NOT_JSON),
        (http(b"<html>", "Content-Type: text/html"), rules.DOCUMENT_NOT_JSON),
        (http(b"{}", "Content-Type: application/json"), rules.DOCUMENT_OF_ANOTHER_CLIENT),
        (http(b"x" * 100_000, "Content-Type: application/json"), door.FETCH_TOO_LARGE),
        (b"", door.FETCH_BROKEN),
    ]:
        host.answers = [answer]
        assert await host.refused() is reason
        assert reason.error == "invalid_client"


@pytest.mark.requirement("AS-68", "AS-69")
async def test_a_document_that_insists_on_a_key_is_told_so(host: Host) -> None:
    host.says(token_endpoint_auth_method="private_key_jwt", jwks_uri="https://docs.example/k")
    assert await host.refused() is rules.DOCUMENT_NEEDS_KEY


@pytest.mark.requirement("AS-60", "AS-62")
async def test_bad_addresses_are_never_asked(host: Host) -> None:
    host.says()
    for host.url, reason in [
        ("https://docs.example/", rules.CLIENT_ID_URL_MALFORMED),
        ("https://docs.example/a/../c", rules.CLIENT_ID_URL_MALFORMED),
        ("https://u@docs.example/c", rules.CLIENT_ID_URL_MALFORMED),
        ("HTTPS://docs.example/c", rules.CLIENT_ID_URL_MALFORMED),
        ("https://127.0.0.1/c", door.FETCH_ADDRESS_REFUSED),
        ("https://169.254.169.254/latest", door.FETCH_ADDRESS_REFUSED),
        ("https://docs.example/other-port", door.FETCH_ADDRESS_REFUSED),
    ]:
        found = await host.client()
        assert isinstance(found, Refusal)
        assert found.reason is reason
        assert host.asked == 0


@pytest.mark.requirement("AS-67")
async def test_a_changed_document_changes_the_digest_and_leaves_a_trace(host: Host) -> None:
    host.says("Cache-Control: no-store")
    before = await host.known()
    host.says("Cache-Control: no-store", logo_uri="https://docs.example/new.png")
    assert (await host.known()).digest == before.digest
    host.says("Cache-Control: no-store", redirect_uris=["https://evil.example/cb"])
    after = await host.known()
    assert after.digest != before.digest
    assert after.created_at == before.created_at
    events = await host.store.look(lambda t: t.all(AuditEvent, kind="client-document-changed"))
    assert [event.client_id for event in events] == [host.url]


async def test_a_blocked_document_client_is_not_even_fetched(host: Host) -> None:
    host.says("Cache-Control: no-store")
    await host.known()

    def block(transaction: Transaction) -> int:
        client = transaction.one(Client, client_id=host.url)
        assert client is not None
        return transaction.apply((Replace(client, replace(client, blocked_at=1)),))

    await host.store.settle(block)
    assert await host.refused() is NOT_WELCOME
    assert host.asked == 1


async def test_documents_can_be_switched_off(host: Host) -> None:
    host.says()
    host.policy = replace(POLICY, client_documents=False)
    found = await host.client()
    assert isinstance(found, Refusal)
    assert found.reason is known.DOCUMENTS_OFF
    assert host.asked == 0


@pytest.mark.requirement("AS-65")
async def test_a_crowd_is_served_from_a_recent_document(store: Store, authority: Authority) -> None:
    """A host that lets nothing be kept is spared when many people come at once."""
    async with hosting(store, authority, burst=2, refill_seconds=60) as host:
        host.says("Cache-Control: no-store")
        for _ in range(6):
            await host.known()
        assert host.asked == 2


@pytest.mark.requirement("AS-65")
async def test_a_failing_host_is_not_hammered_for_a_client_nobody_knows(
    store: Store, authority: Authority
) -> None:
    async with hosting(store, authority, burst=2, refill_seconds=60) as host:
        host.says(status="500 Internal Server Error")
        reasons = [await host.refused() for _ in range(3)]
        assert reasons == [rules.DOCUMENT_NOT_JSON] * 2 + [door.FETCH_TOO_OFTEN]
        assert host.asked == 2


@pytest.mark.requirement("AS-87")
async def test_one_host_cannot_fill_the_table(host: Host) -> None:
    metadata = ClientMetadata(
        redirect_uris=("http://localhost/callback",),
        client_name="App",
        token_endpoint_auth_method="none",
        grant_types=("authorization_code",),
        application_type="native",
    )

    def bring(transaction: Transaction, url: str) -> Client | Refusal:
        evidence = Evidence(url, ClientDocument(metadata=metadata, digest="d"))
        return read_client(transaction, url, evidence)

    async def brought(url: str) -> bool:
        return isinstance(await host.store.settle(lambda t: bring(t, url)), Client)

    def bring_many(transaction: Transaction) -> list[bool]:
        found = [bring(transaction, f"https://evil.example/{n}") for n in range(62)]
        last = found[-1]
        assert isinstance(last, Refusal)
        assert last.reason is document.DOCUMENTS_TOO_MANY
        return [isinstance(one, Client) for one in found]

    # All in one transaction, because a second that passes lets one more in.
    assert await host.store.settle(bring_many) == [True] * 60 + [False] * 2
    assert await brought("https://evil.example/0"), "what is known already is no news"
    assert await brought("https://app.example/c")


@pytest.mark.requirement("AS-87")
async def test_documents_nobody_agreed_to_are_swept(host: Host) -> None:
    host.says("Cache-Control: max-age=600")
    client = await host.known()
    assert client.expires_at is not None
    later = client.expires_at + 1
    await host.store.settle(lambda t: t.apply((Sweep(Client, "expires_at", later),)))
    assert await host.store.look(lambda t: t.all(Client)) == []
    again = await host.client()
    assert isinstance(again, Client), "a fresh answer is no use without the record"
