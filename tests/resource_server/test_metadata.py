"""The documents a guarded resource publishes, and who may read them (RFC 9728)."""

from __future__ import annotations

import httpx2
import pytest

from mcplatch.protocol.resource_metadata import parse, well_known_urls
from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import ISSUER, RESOURCE, Clock, Issuer
from tests.resource_server.servers import fastmcp_server, make_app, make_latch, serving

pytestmark = pytest.mark.anyio

INSERTED = "/.well-known/oauth-protected-resource/mcp"
ROOT = "/.well-known/oauth-protected-resource"


@pytest.mark.requirement("RS-20", "RS-21", "RS-22", "RS-24", "RS-25", "RS-26", "RS-30")
@pytest.mark.parametrize("path", [INSERTED, ROOT])
async def test_both_addresses_serve_the_same_truth(anyhow: httpx2.AsyncClient, path: str) -> None:
    response = await anyhow.get(path)
    assert response.status_code == 200
    assert response.json() == {
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["notes:read"],
        "bearer_methods_supported": ["header"],
    }
    assert parse(response.json(), resource=RESOURCE).resource == RESOURCE  # type: ignore[union-attr]


@pytest.mark.requirement("RS-28")
@pytest.mark.parametrize("path", [INSERTED, ROOT])
async def test_everyone_may_read_them_from_any_page(anyhow: httpx2.AsyncClient, path: str) -> None:
    response = await anyhow.get(path, headers={"origin": "https://evil.example", "host": "x"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cache-control"] == "max-age=3600"
    preflight = await anyhow.options(path, headers={"origin": "https://evil.example"})
    assert preflight.status_code == 204
    assert "MCP-Protocol-Version" in preflight.headers["access-control-allow-headers"]
    head = await anyhow.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(response.content)
    assert (await anyhow.post(path)).status_code == 405


@pytest.mark.requirement("RS-29")
async def test_no_header_changes_what_they_say(anyhow: httpx2.AsyncClient) -> None:
    plain = (await anyhow.get(INSERTED)).content
    spoofed = await anyhow.get(
        INSERTED,
        headers={
            "host": "evil.example",
            "x-forwarded-host": "evil.example",
            "x-forwarded-proto": "http",
            "x-forwarded-prefix": "/evil",
            "forwarded": "host=evil.example;proto=http",
        },
    )
    assert spoofed.content == plain


@pytest.mark.requirement("RS-20")
async def test_the_root_can_be_left_to_another_resource(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, options={"root_metadata": False})
    for way in ("mcp", "fastmcp auth"):
        async with serving(make_app(way, latch)) as client:
            assert (await client.get(INSERTED)).status_code == 200
            assert (await client.get(ROOT)).status_code == 401


@pytest.mark.requirement("RS-20", "RS-21")
async def test_a_resource_at_the_origin_has_one_address(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, resource="https://notes.example")
    async with serving(make_app("mcp", latch, streamable_http_path="/")) as client:
        assert (await client.get(ROOT)).json()["resource"] == "https://notes.example"
        assert (await client.get(INSERTED)).status_code == 401


@pytest.mark.requirement("RS-26", "RS-51")
async def test_what_the_operator_adds_is_there(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(
        issuer,
        clock,
        issuers=("https://one.example", "https://two.example/t/"),
        options={
            "resource_name": "Ada's notes ✎",
            "resource_documentation": "https://notes.example/docs",
            "scopes_supported": ("notes:read", "notes:delete"),
        },
    )
    async with serving(make_app("mcp", latch)) as client:
        document = (await client.get(INSERTED)).json()
    assert document["authorization_servers"] == ["https://one.example", "https://two.example/t/"]
    assert document["resource_name"] == "Ada's notes ✎"
    assert document["resource_documentation"] == "https://notes.example/docs"
    assert document["scopes_supported"] == ["notes:read", "notes:delete"]


@pytest.mark.requirement("RS-30")
async def test_without_scopes_the_member_is_left_out(issuer: Issuer, clock: Clock) -> None:
    async with serving(make_app("mcp", make_latch(issuer, clock), tools={})) as client:
        assert "scopes_supported" not in (await client.get(INSERTED)).json()


@pytest.mark.requirement("RS-23", "RS-53")
@pytest.mark.parametrize(
    "resource",
    [
        "http://notes.example/mcp",
        "http://localhost.evil.example/mcp",
        "http://127.0.0.1.evil.example/mcp",
        "http://localhost@evil.example/mcp",
        "https://notes.example/mcp#part",
        "https://Notes.example/mcp",
        "HTTPS://notes.example/mcp",
        "https://notes.example/",
        "notes.example/mcp",
        "ftp://notes.example/mcp",
        "https:///mcp",
        "",
    ],
)
def test_a_resource_that_would_not_work_is_refused_at_start(
    issuer: Issuer, clock: Clock, resource: str
) -> None:
    with pytest.raises(ValueError):
        make_latch(issuer, clock, resource=resource)


@pytest.mark.requirement("RS-53")
@pytest.mark.parametrize(
    "resource",
    [
        "http://localhost:8001/mcp",
        "http://127.0.0.1/mcp",
        "http://[::1]:8001/mcp",
        "https://notes.example:8443/Mcp?tenant=1",
    ],
)
def test_a_resource_that_works_is_kept_as_it_is(
    issuer: Issuer, clock: Clock, resource: str
) -> None:
    assert make_latch(issuer, clock, resource=resource).resource == resource


@pytest.mark.requirement("RS-53")
def test_an_issuer_in_clear_is_refused_at_start(issuer: Issuer, clock: Clock) -> None:
    with pytest.raises(ValueError, match="https"):
        make_latch(issuer, clock, issuers=("http://auth.example",))


@pytest.mark.requirement("RS-31")
async def test_older_clients_find_the_server_metadata_here(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock).mirror_server_metadata()
    async with serving(make_app("mcp", latch)) as client:
        for path in (
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        ):
            response = await client.get(path)
            assert response.status_code == 200
            assert response.json()["issuer"] == ISSUER
            assert response.headers["access-control-allow-origin"] == "*"
        issuer.down = True
        assert (await client.get(path)).status_code == 503


@pytest.mark.requirement("RS-31")
async def test_the_server_metadata_is_only_mirrored_when_asked_for(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/.well-known/oauth-authorization-server")).status_code == 401


async def test_fastmcp_knows_the_addresses_for_a_parent_application(latch: Latch) -> None:
    """An application that mounts a FastMCP app takes its well-known routes to its own root."""
    auth = latch.fastmcp(tools={})
    server = fastmcp_server(auth=auth)
    assert server.auth is auth
    assert [route.path for route in auth.get_well_known_routes("/mcp")] == [INSERTED, ROOT]
    from starlette.applications import Starlette

    async with serving(Starlette(routes=auth.get_well_known_routes("/mcp"))) as client:
        assert (await client.get(INSERTED)).json()["resource"] == RESOURCE


@pytest.mark.requirement("RS-20")
@pytest.mark.parametrize(
    ("resource", "urls"),
    [
        ("https://a.example", ["https://a.example/.well-known/oauth-protected-resource"]),
        ("https://a.example/", ["https://a.example/.well-known/oauth-protected-resource"]),
        (
            "https://a.example/x/mcp",
            [
                "https://a.example/.well-known/oauth-protected-resource/x/mcp",
                "https://a.example/.well-known/oauth-protected-resource",
            ],
        ),
        (
            "http://[::1]:8001/mcp?a=1",
            [
                "http://[::1]:8001/.well-known/oauth-protected-resource/mcp?a=1",
                "http://[::1]:8001/.well-known/oauth-protected-resource",
            ],
        ),
    ],
)
def test_the_addresses_are_formed_byte_for_byte(resource: str, urls: list[str]) -> None:
    assert list(well_known_urls(resource)) == urls
