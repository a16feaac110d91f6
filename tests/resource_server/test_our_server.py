"""The guard against our own authorization server, whole: exchange, call, step by introspection, take back (RFC 6749)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from mcplatch.resource_server.latch import Introspection, Latch
from mcplatch.store.port import Put
from mcplatch.store.sqlite import SqliteStore
from mcplatch.web.app import create_app
from tests import world
from tests.resource_server.servers import TOOLS, WORDS, make_app, serving
from tests.resource_server.wire import call, challenge, text_of
from tests.world import ISSUER, MAIL, NOTES, VERIFIER

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[httpx2.ASGITransport]:
    """Our authorization server with one grant to read and write notes, reachable in process."""
    path = shutil.copy(sqlite_template, tmp_path / "latch.db")
    store = SqliteStore(str(path))
    now = int(time.time())
    grant = world.grant(created_at=now, expires_at=now + 9_999_999)
    code = world.code(created_at=now, expires_at=now + 60)
    records = (world.person(), world.client(), grant, code)
    await store.settle(lambda t: t.apply(tuple(Put(record) for record in records)))
    app = create_app(await world.house(store))
    yield httpx2.ASGITransport(app=app, client=("192.0.2.1", 1))
    await store.close()


async def exchange(server: httpx2.ASGITransport) -> dict[str, str]:
    """What a client gets for its code."""
    form = {
        "grant_type": "authorization_code",
        "code": "code-1",
        "code_verifier": VERIFIER,
        "client_id": "client-1",
        "redirect_uri": "http://127.0.0.1:5000/callback",
    }
    async with httpx2.AsyncClient(transport=server, base_url=ISSUER) as http:
        answer = await http.post("/token", data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found


@pytest.mark.requirement("RS-42", "RS-44", "RS-47", "AS-131", "AS-141")
@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth"])
async def test_its_tokens_open_what_was_granted_and_nothing_else(
    server: httpx2.ASGITransport, asks: bool, way: str
) -> None:
    introspection = Introspection(NOTES, "notes-secret", reuse=0.0) if asks else None
    latch = Latch(
        ISSUER, resource=NOTES, words=WORDS, introspection=introspection, transport=server
    )
    tokens = await exchange(server)
    async with serving(make_app(way, latch)) as client:
        answer = await call(client, "whoami", tokens["access_token"])
        assert answer.status_code == 200
        who = json.loads(text_of(answer))
        assert who["sub"] == "user-1"
        assert who["grant_id"] == "grant-1"
        assert who["resource"] == NOTES
        refused = await call(client, "delete_note", tokens["access_token"])
        assert refused.status_code == 403
        assert challenge(refused).get("scope") == "notes:read notes:delete"
        assert (await call(client, "whoami", tokens["refresh_token"])).status_code == 401
    other = Latch(
        ISSUER,
        resource=MAIL,
        introspection=Introspection(MAIL, "mail-secret") if asks else None,
        transport=server,
    )
    async with serving(make_app(way, other, TOOLS), base_url="https://mail.example") as client:
        assert (await call(client, "whoami", tokens["access_token"])).status_code == 401


@pytest.mark.requirement("RS-47", "AS-140")
async def test_what_is_taken_back_stops_at_the_next_call(server: httpx2.ASGITransport) -> None:
    introspection = Introspection(NOTES, "notes-secret", reuse=0.0)
    latch = Latch(ISSUER, resource=NOTES, introspection=introspection, transport=server)
    tokens = await exchange(server)
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "whoami", tokens["access_token"])).status_code == 200
        async with httpx2.AsyncClient(transport=server, base_url=ISSUER) as http:
            form = {"token": tokens["refresh_token"], "client_id": "client-1"}
            assert (await http.post("/revoke", data=form)).status_code == 200
        assert (await call(client, "whoami", tokens["access_token"])).status_code == 401


@pytest.mark.requirement("RS-14", "RS-47")
async def test_a_wrong_secret_of_ours_is_our_outage(server: httpx2.ASGITransport) -> None:
    latch = Latch(
        ISSUER, resource=NOTES, introspection=Introspection(NOTES, "wrong"), transport=server
    )
    tokens = await exchange(server)
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "whoami", tokens["access_token"])).status_code == 503
