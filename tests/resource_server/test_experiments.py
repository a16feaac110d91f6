"""What the SDKs do by themselves and what the guard does instead: the measured outcomes, kept (MCP authorization).

When one of the first assertions fails, the SDK has got better: look whether the guard can do less.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.auth import AccessToken as FastAccessToken
from fastmcp.server.auth import RemoteAuthProvider, TokenVerifier, require_scopes
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from fastmcp.server.auth.providers.jwt import JWTVerifier, StaticTokenVerifier
from fastmcp.server.middleware import AuthMiddleware
from joserfc.jwk import ECKey
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl

from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import ISSUER, ORIGIN, RESOURCE, Clock, Issuer
from tests.resource_server.servers import (
    TOOLS,
    fastmcp_server,
    introspecting,
    list_notes,
    make_app,
    make_latch,
    official_server,
    serving,
)
from tests.resource_server.wire import LEGACY, MODERN, ask, call, challenge, result, text_of

pytestmark = pytest.mark.anyio

READER = StaticTokenVerifier(tokens={"reader": {"client_id": "c", "scopes": ["read"]}})


def admin_server(**options: Any) -> FastMCP[Any]:
    """A FastMCP server with one tool for `admin` in FastMCP's own way of saying so."""
    server: FastMCP[Any] = FastMCP("admin", **options)
    server.tool(list_notes, name="admin_tool", auth=require_scopes("admin"))
    server.tool(list_notes, name="free_tool")
    return server


@pytest.mark.requirement("RS-6", "RS-62", "E1")
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_e1_a_scope_that_a_tool_declares_becomes_a_challenge(
    latch: Latch, issuer: Issuer, era: str
) -> None:
    async with serving(admin_server(auth=READER).http_app(stateless_http=True)) as theirs:
        response = await call(theirs, "admin_tool", "reader", era=era)
        assert response.status_code == 200
        assert "Unknown tool" in text_of(response)
        assert "www-authenticate" not in response.headers
    async with serving(admin_server(auth=latch.fastmcp()).http_app(stateless_http=True)) as ours:
        response = await call(ours, "admin_tool", issuer.token("read"), era=era)
        assert response.status_code == 403
        assert challenge(response).get("scope") == "admin"
        assert (await call(ours, "admin_tool", issuer.token("admin"), era=era)).status_code == 200
        assert (await call(ours, "free_tool", issuer.token("read"), era=era)).status_code == 200
        listed = result(await ask(ours, "tools/list", era=era, token=issuer.token("read")))
        # FastMCP's own check still hides it from its list; `latch.needs` does not.
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["free_tool"]


@pytest.mark.requirement("RS-6", "E2")
async def test_e2_a_scope_by_middleware_is_no_challenge_either(
    latch: Latch, issuer: Issuer
) -> None:
    server: FastMCP[Any] = FastMCP(
        "x", auth=READER, middleware=[AuthMiddleware(auth=require_scopes("admin"))]
    )
    server.tool(list_notes)
    async with serving(server.http_app()) as theirs:
        response = await call(theirs, "list_notes", "reader")
        assert response.status_code == 200
        assert result(response)["result"]["isError"] is True
        assert "www-authenticate" not in response.headers
    ours = fastmcp_server(auth=latch.fastmcp(tools={"*": "admin"}))
    async with serving(ours.http_app()) as client:
        response = await call(client, "list_notes", issuer.token("read"))
        assert (response.status_code, challenge(response).get("scope")) == (403, "admin")


@pytest.mark.requirement("RS-5", "RS-6", "E3")
async def test_e3_a_good_token_with_too_little_scope_is_not_called_invalid(
    issuer: Issuer, clock: Clock
) -> None:
    verifier = StaticTokenVerifier(
        tokens={"reader": {"client_id": "c", "scopes": ["read"]}}, required_scopes=["admin"]
    )
    async with serving(admin_server(auth=verifier).http_app()) as theirs:
        response = await call(theirs, "free_tool", "reader")
        assert response.status_code == 401
        assert "clear authentication tokens" in response.headers["www-authenticate"]
    latch = make_latch(issuer, clock, baseline="admin")
    async with serving(admin_server(auth=latch.fastmcp()).http_app()) as ours:
        response = await call(ours, "free_tool", issuer.token("read"))
        assert response.status_code == 403
        assert challenge(response).get("error") == "insufficient_scope"


class Accepting:
    """A verifier of the official SDK that takes any token."""

    async def verify_token(self, token: str) -> AccessToken | None:
        return None if token == "bad" else AccessToken(token=token, client_id="c", scopes=["read"])


@pytest.mark.requirement("RS-3", "RS-4", "RS-20", "E4")
async def test_e4_the_official_challenges_and_metadata(latch: Latch, issuer: Issuer) -> None:
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(ISSUER),
        resource_server_url=AnyHttpUrl(RESOURCE),
        required_scopes=["admin"],
        validate_token_resource=False,
    )
    server: MCPServer[Any] = MCPServer("x", token_verifier=Accepting(), auth=settings)
    server.tool()(list_notes)
    async with serving(server.streamable_http_app(host="0.0.0.0")) as theirs:
        bare = await call(theirs, "list_notes")
        assert 'error="invalid_token"' in bare.headers["www-authenticate"]
        assert "scope=" not in bare.headers["www-authenticate"]
        short = await call(theirs, "list_notes", "reader")
        assert short.status_code == 403
        assert " scope=" not in short.headers["www-authenticate"]
        assert (await theirs.get("/.well-known/oauth-protected-resource")).status_code == 404
    async with serving(make_app("mcp", latch)) as ours:
        assert challenge(await call(ours, "list_notes")).get("error") is None
        assert challenge(await call(ours, "list_notes")).get("scope") == "notes:read"
        short = await call(ours, "delete_note", issuer.token())
        assert challenge(short).get("scope") == "notes:read notes:delete"
        assert (await ours.get("/.well-known/oauth-protected-resource")).status_code == 200


class NoTokens(TokenVerifier):
    async def verify_token(self, token: str) -> FastAccessToken | None:
        return None


@pytest.mark.requirement("RS-24", "E5")
async def test_e5_an_issuer_is_never_given_a_slash(issuer: Issuer, clock: Clock) -> None:
    provider = RemoteAuthProvider(
        token_verifier=NoTokens(),
        authorization_servers=[AnyHttpUrl("https://as.example")],
        base_url=ORIGIN,
    )
    path = "/.well-known/oauth-protected-resource/mcp"
    async with serving(fastmcp_server(auth=provider).http_app()) as theirs:
        assert (await theirs.get(path)).json()["authorization_servers"] == ["https://as.example/"]
    for named in ("https://as.example", "https://as.example/"):
        latch = make_latch(issuer, clock, issuers=(named,))
        async with serving(make_app("fastmcp auth", latch)) as ours:
            assert (await ours.get(path)).json()["authorization_servers"] == [named]


@pytest.mark.requirement("RS-48", "E8")
async def test_e8_a_proxy_behind_the_guard_has_no_token_to_pass_on(
    latch: Latch, issuer: Issuer
) -> None:
    """FastMCP's proxies pass the caller's Authorization header on; here is nothing worth passing."""
    from fastmcp.server.dependencies import get_http_headers

    async def leak() -> str:
        return json.dumps(get_http_headers(include_all=True))

    server: FastMCP[Any] = FastMCP("x", auth=latch.fastmcp())
    server.tool(leak)
    token = issuer.token()
    async with serving(server.http_app()) as client:
        response = await call(client, "leak", token)
        assert response.status_code == 200
        assert token not in response.text
        assert json.loads(text_of(response))["authorization"] == "Bearer hidden-by-mcplatch"


@pytest.mark.requirement("RS-14", "E15")
async def test_e15_an_outage_of_the_server_logs_nobody_out(issuer: Issuer, clock: Clock) -> None:
    unreachable = IntrospectionTokenVerifier(
        introspection_url="http://127.0.0.1:9/introspect", client_id="x", client_secret="y"
    )
    async with serving(fastmcp_server(auth=unreachable).http_app()) as theirs:
        assert (await call(theirs, "list_notes", "any")).status_code == 401
    issuer.down = True
    latch = make_latch(issuer, clock, **introspecting())
    async with serving(make_app("fastmcp auth", latch)) as ours:
        assert (await call(ours, "list_notes", "any")).status_code == 503


@pytest.mark.requirement("RS-42", "RS-44", "E16")
async def test_e16_audience_and_issuer_are_not_optional(latch: Latch, issuer: Issuer) -> None:
    public = ECKey.import_key(issuer.pem).as_pem(private=False).decode()
    token = issuer.token(aud="https://other.example", iss="https://evil.example", exp=4_000_000_000)
    careless = JWTVerifier(public_key=public, algorithm="ES256")
    assert await careless.verify_token(token) is not None
    provider = latch.fastmcp(tools=TOOLS)
    assert await provider.verify_token(token) is None
    good = await provider.verify_token(issuer.token())
    assert good is not None
    assert (good.subject, good.resource, good.token) == ("ada", RESOURCE, "")


@pytest.mark.requirement("RS-62", "RS-49", "E18")
async def test_e18_the_official_server_is_guarded_from_outside(
    latch: Latch, issuer: Issuer
) -> None:
    """Replacing the methods on the instance covers `run`, and the class stays as it was."""
    server, other = official_server(), official_server()
    latch.guard(server, tools=TOOLS)
    async with serving(server.streamable_http_app(), base_url=ORIGIN) as client:
        assert (await call(client, "list_notes")).status_code == 401
        assert json.loads(text_of(await call(client, "whoami", issuer.token())))["sub"] == "ada"
    async with serving(other.streamable_http_app(host="0.0.0.0")) as client:
        assert (await call(client, "list_notes")).status_code == 200


@pytest.mark.requirement("RS-14", "RS-20", "RS-4", "RS-5", "E21")
async def test_e21_fastmcp_is_taken_over_whole(latch: Latch, issuer: Issuer) -> None:
    async with serving(make_app("fastmcp auth", latch)) as client:
        bare = await call(client, "list_notes")
        assert (bare.status_code, challenge(bare).get("error")) == (401, None)
        bad = await call(client, "list_notes", "bad")
        assert (bad.status_code, challenge(bad).get("error")) == (401, "invalid_token")
        issuer.down = True
        assert (await call(client, "list_notes", issuer.token())).status_code == 503
        assert (await client.get("/.well-known/oauth-protected-resource")).status_code == 200


@pytest.mark.requirement("RS-60", "RS-62", "E22")
async def test_e22_a_mounted_tool_keeps_its_scope_by_the_table(
    latch: Latch, issuer: Issuer
) -> None:
    outer: FastMCP[Any] = FastMCP(
        "outer", auth=latch.fastmcp(tools={"sub_admin_*": "admin", "sub_*": "read"})
    )
    outer.mount(admin_server(), namespace="sub")
    async with serving(outer.http_app()) as client:
        refused = await call(client, "sub_admin_tool", issuer.token("read"))
        assert (refused.status_code, challenge(refused).get("scope")) == (403, "admin")
        assert (await call(client, "sub_admin_tool", issuer.token("admin"))).status_code == 200
        assert (await call(client, "sub_free_tool", issuer.token("read"))).status_code == 200
