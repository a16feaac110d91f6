"""Host, Origin and CORS: who may talk to us from where, and what a page may read (MCP transports, Fetch)."""

from __future__ import annotations

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mcplatch.resource_server.addresses import make_doors
from mcplatch.resource_server.guard import path_within
from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import ORIGIN, Clock, Issuer
from tests.resource_server.servers import make_app, make_latch, serving
from tests.resource_server.wire import call, challenge

pytestmark = pytest.mark.anyio

LOCAL = "http://localhost:8001"


@pytest.mark.requirement("RS-80")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://notes.example",
        "https://notes.example.evil",
        "https://notes.example:8443",
        "http://localhost:6274",
        "null",
        "",
        "file://",
    ],
)
async def test_a_foreign_page_is_turned_away_before_anything_else(
    client: httpx2.AsyncClient, issuer: Issuer, origin: str
) -> None:
    for token in (issuer.token(), "x", None):
        response = await call(client, "list_notes", token, origin=origin)
        assert response.status_code == 403
        assert "www-authenticate" not in response.headers
        assert "access-control-allow-origin" not in response.headers
    preflight = await client.options("/mcp", headers={"origin": origin})
    assert preflight.status_code == 403
    assert issuer.asked == []


@pytest.mark.requirement("RS-80")
@pytest.mark.parametrize("origin", [ORIGIN, "HTTPS://Notes.Example"])
async def test_our_own_page_is_let_in(
    client: httpx2.AsyncClient, issuer: Issuer, origin: str
) -> None:
    response = await call(client, "list_notes", issuer.token(), origin=origin)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin


@pytest.mark.requirement("RS-80")
async def test_two_origins_are_nobodys(anyhow: httpx2.AsyncClient) -> None:
    lines = [("origin", ORIGIN), ("origin", ORIGIN)]
    assert (await anyhow.get("/mcp", headers=lines)).status_code == 403


@pytest.mark.requirement("RS-80")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("notes.example", 401),
        ("NOTES.example:443", 401),
        ("evil.example", 421),
        ("notes.example.evil", 421),
        ("notes.example:8443", 421),
        ("localhost", 421),
        ("127.0.0.1:8001", 421),
        ("", 421),
        ("notes.example, evil.example", 421),
    ],
)
async def test_a_name_we_do_not_serve_is_misdirected(
    client: httpx2.AsyncClient, host: str, status: int
) -> None:
    response = await client.get("/mcp", headers={"host": host})
    assert response.status_code == status
    if status == 421:
        assert "www-authenticate" not in response.headers
        assert host not in response.text or not host


@pytest.mark.requirement("RS-80")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8001", 401),
        ("127.0.0.1:8001", 401),
        ("127.0.0.1:54321", 401),
        ("[::1]:8001", 401),
        ("LOCALHOST:1", 401),
        ("localhost.evil.example:8001", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:8001", 421),
        ("localhost:8001@evil.example", 421),
    ],
)
async def test_on_loopback_any_spelling_of_this_machine_will_do(
    issuer: Issuer, clock: Clock, host: str, status: int
) -> None:
    latch = make_latch(issuer, clock, resource=f"{LOCAL}/mcp")
    async with serving(make_app("mcp", latch), base_url=LOCAL) as client:
        assert (await client.get("/mcp", headers={"host": host})).status_code == status
        for origin, expected in (
            ("http://localhost:6274", 401),
            ("http://127.0.0.1:6274", 401),
            ("http://localhost.evil.example", 403),
            ("https://evil.example", 403),
            ("null", 403),
        ):
            if status == 401:
                found = await client.get("/mcp", headers={"host": host, "origin": origin})
                assert found.status_code == expected


@pytest.mark.requirement("RS-80")
async def test_the_operator_can_open_a_door(issuer: Issuer, clock: Clock) -> None:
    added = {"allowed_hosts": ("Backend:8000",), "allowed_origins": ("https://app.example",)}
    latch = make_latch(issuer, clock, options=added)
    async with serving(make_app("mcp", latch)) as client:
        sent = {"host": "backend:8000", "origin": "https://app.example"}
        assert (await client.get("/mcp", headers=sent)).status_code == 401
        assert (await client.get("/mcp", headers=sent | {"host": "other"})).status_code == 421
    latch = make_latch(issuer, clock, options={"allowed_hosts": ("*",), "allowed_origins": ("*",)})
    async with serving(make_app("mcp", latch)) as client:
        sent = {"host": "anything", "origin": "https://anything.example"}
        assert (await client.get("/mcp", headers=sent)).status_code == 401


@pytest.mark.requirement("RS-80")
@pytest.mark.parametrize(
    ("resource", "hosts"),
    [
        ("https://a.example/mcp", {"a.example", "a.example:443"}),
        ("https://a.example:443/mcp", {"a.example", "a.example:443"}),
        ("https://a.example:8443", {"a.example:8443"}),
        ("http://[::1]/mcp", {"[::1]", "[::1]:80"}),
        ("http://[::1]:8001/mcp", {"[::1]:8001"}),
    ],
)
def test_the_hosts_of_a_resource(resource: str, hosts: set[str]) -> None:
    assert make_doors(resource, hosts=(), origins=()).hosts == hosts


@pytest.mark.requirement("RS-87", "RS-88")
async def test_a_preflight_needs_no_token_and_is_told_what_it_asked(
    issuer: Issuer, clock: Clock
) -> None:
    latch = make_latch(issuer, clock, resource=f"{LOCAL}/mcp")
    origin = "http://localhost:6274"
    asked = "authorization,content-type,mcp-param-region,mcp-method,x-odd_1"
    for way in ("mcp", "fastmcp auth", "fastmcp"):
        async with serving(make_app(way, latch), base_url=LOCAL) as client:
            response = await client.options(
                "/mcp",
                headers={
                    "origin": origin,
                    "access-control-request-method": "POST",
                    "access-control-request-headers": asked,
                },
            )
            assert response.status_code == 204
            assert response.headers["access-control-allow-origin"] == origin
            allowed = {
                name.strip().lower()
                for name in response.headers["access-control-allow-headers"].split(",")
            }
            assert allowed >= set(asked.split(","))
            assert allowed >= {
                "authorization",
                "content-type",
                "accept",
                "mcp-protocol-version",
                "mcp-method",
                "mcp-name",
                "mcp-session-id",
                "last-event-id",
                "dpop",
            }
            assert "*" not in allowed
            methods = response.headers["access-control-allow-methods"]
            assert {"GET", "POST", "DELETE"} <= set(methods.split(", "))
            assert "access-control-allow-credentials" not in response.headers


@pytest.mark.requirement("RS-88")
@pytest.mark.parametrize("asked", ["a b", "x;y", "é", "x" * 3000, ",", '"x"'])
async def test_a_preflight_is_not_an_echo(client: httpx2.AsyncClient, asked: str) -> None:
    response = await client.options(
        "/mcp",
        headers=[
            (b"origin", ORIGIN.encode()),
            (b"access-control-request-headers", asked.encode("latin-1")),
        ],
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-headers"].endswith("DPoP")


@pytest.mark.requirement("RS-87")
async def test_a_page_can_read_every_answer(anyhow: httpx2.AsyncClient, issuer: Issuer) -> None:
    wanted = {
        401: None,
        403: issuer.token("notes:read"),
        200: issuer.token("notes:read notes:delete"),
    }
    for status, token in wanted.items():
        response = await call(anyhow, "delete_note", token, origin=ORIGIN)
        assert response.status_code == status
        assert response.headers.get_list("access-control-allow-origin") == [ORIGIN]
        exposed = response.headers["access-control-expose-headers"]
        for name in ("WWW-Authenticate", "MCP-Protocol-Version", "Mcp-Session-Id", "DPoP-Nonce"):
            assert name in exposed
        assert "Origin" in response.headers["vary"]


@pytest.mark.requirement("RS-87", "RS-14")
async def test_a_page_can_read_that_there_is_an_outage(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    issuer.down = True
    response = await call(client, "list_notes", issuer.token(), origin=ORIGIN)
    assert response.status_code == 503
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in response.headers["access-control-expose-headers"]


@pytest.mark.requirement("RS-87")
async def test_without_a_page_there_is_no_cors(client: httpx2.AsyncClient, issuer: Issuer) -> None:
    response = await call(client, "list_notes", issuer.token())
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_open_paths_need_nothing_and_only_those(issuer: Issuer, clock: Clock) -> None:
    options = {"open_paths": frozenset({"/health"}), "plain_paths": frozenset({"/upload"})}
    latch = make_latch(issuer, clock, baseline="mcp", options=options)
    for way in ("mcp", "fastmcp auth", "fastmcp"):
        async with serving(make_app(way, latch)) as client:
            assert (await client.get("/health", headers={"host": "10.0.0.7"})).json()["ok"] is True
            for path in ("/health/", "/Health", "/healthz", "//health", "/mcp"):
                assert (await client.get(path)).status_code == 401
            plain = await client.post("/upload", content=b"\x00 not JSON")
            assert (plain.status_code, challenge(plain).get("scope")) == (401, "mcp")
            good = {"authorization": f"Bearer {issuer.token('mcp')}"}
            posted = await client.post("/upload", content=b"\x00 not JSON", headers=good)
            assert posted.status_code == 404
            lesser = {"authorization": f"Bearer {issuer.token('other')}"}
            assert (await client.post("/upload", headers=lesser)).status_code == 403


@pytest.mark.requirement("RS-66")
async def test_a_public_tool_opens_no_plain_path(issuer: Issuer, clock: Clock) -> None:
    from mcplatch.policy.rules import PUBLIC

    latch = make_latch(issuer, clock, options={"plain_paths": frozenset({"/health"})})
    async with serving(make_app("mcp", latch, tools={"whoami": PUBLIC})) as client:
        assert (await client.get("/health")).status_code == 401


async def test_websockets_are_closed(latch: Latch) -> None:
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    await make_app("mcp", latch)(
        {"type": "websocket", "path": "/mcp", "headers": []}, receive, send
    )
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.requirement("RS-20")
async def test_paths_are_those_of_the_application_wherever_it_is_mounted(
    issuer: Issuer, clock: Clock
) -> None:
    """Under a prefix, as a server sets it or a parent application does."""
    options = {"open_paths": frozenset({"/health"})}
    latch = make_latch(issuer, clock, resource="https://notes.example/api/mcp", options=options)
    parent = Starlette(routes=[Mount("/api", app=make_app("mcp", latch))])
    async with serving(parent) as client:
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.get("/api/healthz")).status_code == 401
        assert challenge(await client.get("/api/mcp")).get("resource_metadata") == (
            "https://notes.example/.well-known/oauth-protected-resource/api/mcp"
        )
        inserted = "/api/.well-known/oauth-protected-resource/api/mcp"
        assert (await client.get(inserted)).json()["resource"] == "https://notes.example/api/mcp"


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/mcp", "", "/mcp"),
        ("/api/mcp", "/api", "/mcp"),
        ("/mcp", "/api", "/mcp"),
        ("/apimcp", "/api", "/apimcp"),
        ("/api", "/api", "/api"),
        ("/api/", "/api", "/"),
    ],
)
def test_the_path_within(path: str, root: str, expected: str) -> None:
    assert path_within({"path": path, "root_path": root}) == expected
