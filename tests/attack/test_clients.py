"""Hostile clients against the running server: where it is made to connect, whom it believes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from mcplatch.protocol.redirect_uri import matches
from mcplatch.records import Client, Interaction
from mcplatch.store.port import Put
from tests import world
from tests.attack.stage import Target
from tests.web.stage import CALENDAR, app_client

pytestmark = pytest.mark.anyio

REAL_CLIENTS = [
    path
    for path in sorted((Path(__file__).parent.parent / "vectors" / "clients").glob("*.json"))
    if "registration" in json.loads(path.read_text())
]


@pytest.fixture
def trap() -> Iterator[tuple[int, list[object]]]:
    """A port on every address of this machine, and who connected to it."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    caught: list[object] = []

    def wait() -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            caught.append(address)
            connection.close()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    yield listener.getsockname()[1], caught
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    waiting.join(5)


HOSTS = [
    "localhost",
    "127.0.0.1",
    "127.1",
    "0.0.0.0",
    "0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[::1%25lo]",
    "localhost.",
    "LOCALHOST",
    "localtest.localhost",
    "user@localhost",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛocalhost",
    "localhost%00.example",
    "localhost#.example",
    "localhost\\.example",
]


@pytest.mark.requirement("AS-60", "AS-62")
async def test_no_name_of_this_machine_is_ever_dialled(
    target: Target, trap: tuple[int, list[object]]
) -> None:
    port, caught = trap
    async with target.http() as http:
        for host in HOSTS:
            client_id = f"https://{host}:{port}/client.json"
            page = await http.get(f"/authorize?client_id={quote(client_id, safe='')}")
            assert page.status_code == 400, host
            assert "location" not in page.headers
    assert caught == []
    assert await target.house.store.look(lambda t: t.all(Client, kind="document")) == []


@pytest.mark.requirement("AS-52", "AS-46", "AS-47", "AS-50", "AS-51", "AS-86")
@pytest.mark.parametrize("path", REAL_CLIENTS, ids=lambda path: path.stem)
async def test_whatever_registers_can_authorize(target: Target, path: Path) -> None:
    vector = json.loads(path.read_text())
    asked = vector["registration"]
    async with target.http() as http:
        made = (await http.post("/register", json=asked)).json()
        uses = [u for u in vector["uses"] if any(matches(r, u) for r in asked["redirect_uris"])]
        assert uses
        for redirect_uri in uses:
            query = {
                "response_type": "code",
                "client_id": made["client_id"],
                "redirect_uri": redirect_uri,
                "resource": CALENDAR,
                "code_challenge": "c" * 43,
                "code_challenge_method": "S256",
            }
            page = await http.get("/authorize", params=query)
            assert page.status_code == 303, page.text
            assert page.headers["location"].startswith("/interaction/")


@pytest.mark.requirement("AS-66")
async def test_the_page_names_the_host_that_did_not_answer(target: Target) -> None:
    async with target.http() as http:
        page = await http.get("/authorize?client_id=https%3A%2F%2Fdocs.invalid%2Fclient.json")
    assert page.status_code == 400
    assert "docs.invalid" in page.text


@pytest.mark.requirement("AS-60", "AS-66")
async def test_a_hostile_host_name_is_only_text(target: Target) -> None:
    async with target.http() as http:
        page = await http.get(
            "/authorize?client_id=https%3A%2F%2F%3Cscript%3Ealert(1)%3C%2Fscript%3E%2Fc"
        )
    assert page.status_code == 400
    assert "<script" not in page.text


@pytest.mark.requirement("AS-88")
async def test_a_client_that_is_gone_is_told_so_everywhere(target: Target) -> None:
    async with target.http() as http:
        page = await http.get("/authorize?client_id=dyn-gone&redirect_uri=http://127.0.0.1/")
        assert page.status_code == 400
        assert "not known here" in page.text
        answer = await http.post(
            "/token", data={"grant_type": "refresh_token", "refresh_token": "x", "client_id": "z"}
        )
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.requirement("AS-45", "AS-48", "AS-49")
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/",
        "http://127.0.0.1:5000/callback/../x",
        "http://127.0.0.1:5000/callback#x",
        "http://127.0.0.1:5000@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1:5000/callback?x=1",
        "http://127.0.0.1:99999/callback",
        "http://localhost:5000/callback",
        "http://[::1]:5000/callback",
        "http://0x7f.1:5000/callback",
        "HTTP://127.0.0.1:5000/callback",
        "//evil.example/callback",
        "/callback",
        "javascript:alert(1)",
    ],
)
async def test_nothing_else_is_redirected_to(target: Target, redirect_uri: str) -> None:
    before = await target.house.store.look(lambda t: t.all(Interaction, limit=5000))
    async with target.http() as http:
        page = await http.get(
            "/authorize",
            params={"client_id": "client-1", "redirect_uri": redirect_uri, "prompt": "none"},
        )
    assert page.status_code == 400
    assert "location" not in page.headers
    assert 'http-equiv="refresh"' not in page.text
    after = await target.house.store.look(lambda t: t.all(Interaction, limit=5000))
    assert len(after) == len(before)


@pytest.mark.requirement("AS-100")
async def test_a_secret_is_needed_where_one_is_registered(target: Target) -> None:
    confidential = world.confidential("client_secret_post")
    await target.house.store.settle(lambda t: t.apply((Put(confidential),)))
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "client-2"}
    async with target.http() as http:
        for more in ({}, {"client_secret": ""}, {"client_secret": "x"}):
            answer = await http.post("/token", data=form | more)
            assert answer.status_code == 401, more
            assert answer.json()["error"] == "invalid_client"


async def test_blocking_a_client_ends_its_requests(target: Target) -> None:
    blocked = replace(app_client(), client_id="client-9", blocked_at=5)
    await target.house.store.settle(lambda t: t.apply((Put(blocked),)))
    async with target.http() as http:
        page = await http.get("/authorize?client_id=client-9")
        assert page.status_code == 400
        assert "blocked" in page.text
        answer = await http.post(
            "/token",
            data={"grant_type": "refresh_token", "refresh_token": "x", "client_id": "client-9"},
        )
        assert answer.status_code == 401


# Last, since the address it comes from has used up its share for a while.
@pytest.mark.requirement("AS-87", "AS-99")
async def test_a_flood_of_authorization_requests_from_one_address_is_stopped(
    target: Target,
) -> None:
    """Each one writes a row and may make the server fetch; nobody has to prove anything for it."""
    query = {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": "http://127.0.0.1:5000/callback",
        "resource": CALENDAR,
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    async with target.http() as http:
        statuses = {(await http.get("/authorize", params=query)).status_code for _ in range(700)}
    assert 429 in statuses
