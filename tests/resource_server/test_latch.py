"""The one object an author meets: its three lines work, and its mistakes are told at start (RFC 9728)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from fastmcp import FastMCP
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

import mcplatch
from mcplatch import ANY_TOKEN, PUBLIC, Latch
from mcplatch.policy.rules import Rule
from mcplatch.resource_server.latch import Rules
from mcplatch.resource_server.needs import Need
from tests.resource_server.issuer import ISSUER, ORIGIN, RESOURCE, Issuer
from tests.resource_server.servers import (
    TOOLS,
    fastmcp_server,
    list_notes,
    official_server,
    running,
    serving,
)
from tests.resource_server.wire import LEGACY, MODERN, ask, call, challenge, result, text_of

pytestmark = pytest.mark.anyio


async def test_three_lines_protect_a_fastmcp_server(latch: Latch, issuer: Issuer) -> None:
    mcp: FastMCP[Any] = FastMCP("notes", auth=latch.fastmcp())

    @mcp.tool(auth=latch.needs("notes:write", "Change and delete your notes"))
    def delete_note() -> str:
        return f"gone, {latch.me().sub}"

    @mcp.tool
    def read_note() -> str:
        return "milk"

    for era in (MODERN, LEGACY):
        async with serving(mcp.http_app(stateless_http=True)) as client:
            token = issuer.token("x")
            assert text_of(await call(client, "read_note", token, era=era)) == "milk"
            refused = await call(client, "delete_note", token, era=era)
            assert refused.status_code == 403
            assert challenge(refused).get("scope") == "notes:write"
            assert "Change and delete your notes" in refused.text
            allowed = await call(client, "delete_note", issuer.token("notes:write"), era=era)
            assert text_of(allowed) == "gone, ada"
            listed = result(await ask(client, "tools/list", era=era, token=token))
            # What can be had by asking is shown.
            names = {tool["name"] for tool in listed["result"]["tools"]}
            assert names == {"delete_note", "read_note"}


async def test_a_tool_that_is_added_while_running_is_guarded_too(
    latch: Latch, issuer: Issuer
) -> None:
    mcp = fastmcp_server(auth=latch.fastmcp())
    async with serving(mcp.http_app()) as client:
        mcp.tool(list_notes, name="later", auth=latch.needs("later"))
        refused = await call(client, "later", issuer.token("x"))
        assert (refused.status_code, challenge(refused).get("scope")) == (403, "later")
        assert (await call(client, "later", issuer.token("later"))).status_code == 200


async def test_declared_scopes_and_the_table_add_up(latch: Latch, issuer: Issuer) -> None:
    mcp: FastMCP[Any] = FastMCP(
        "x", auth=latch.fastmcp(tools={"wri*": "base", "gone": mcplatch.DENIED})
    )
    mcp.tool(list_notes, name="write", auth=[latch.needs(("a", "b"))])
    mcp.tool(list_notes, name="other", auth=latch.needs("o"))
    mcp.tool(list_notes, name="plain")
    mcp.tool(list_notes, name="gone", auth=latch.needs("g"))
    async with serving(mcp.http_app()) as client:
        wanted = challenge(await call(client, "write")).get("scope")
        assert wanted == "base a b"
        assert challenge(await call(client, "other", issuer.token("x"))).get("scope") == "o"
        assert (await call(client, "plain", issuer.token("x"))).status_code == 403
        assert (await call(client, "gone", issuer.token("g"))).status_code == 403
        everything = issuer.token("base a b o g")
        assert (await call(client, "write", everything)).status_code == 200
        assert (await call(client, "other", everything)).status_code == 200
        listed = result(await ask(client, "tools/list", token=everything))["result"]["tools"]
        assert {tool["name"] for tool in listed} == {"write", "other"}


async def test_a_need_decides_by_itself_where_there_is_no_guard(latch: Latch) -> None:
    class Ctx:
        token: Any = None

    need, ctx = latch.needs(("a", "b")), Ctx()
    assert need(ctx) is False
    assert need.missing_scopes(ctx) == set()
    ctx.token = type("T", (), {"scopes": ["a"]})()
    assert need(ctx) is False
    assert need.missing_scopes(ctx) == {"b"}
    ctx.token.scopes = ["b", "a"]
    assert need(ctx) is True
    assert need.required_scopes == {"a", "b"}


async def test_needs_may_stand_in_a_table(latch: Latch, issuer: Issuer) -> None:
    rules: Rules = {"list_*": latch.needs("notes:read", "Read"), "*": ANY_TOKEN}
    async with serving(latch.asgi(official_server(), tools=rules)) as client:
        assert (await call(client, "list_notes", issuer.token("x"))).status_code == 403
        assert (await call(client, "hidden", issuer.token("x"))).status_code == 200


async def test_nobody_is_somebody_outside_a_request(latch: Latch) -> None:
    assert mcplatch.identity() is None
    with pytest.raises(LookupError):
        latch.me()


@pytest.mark.parametrize("kind", ["mcp", "fastmcp", "fastmcp auth"])
async def test_a_rule_that_fits_no_tool_stops_the_start(latch: Latch, kind: str) -> None:
    tools: dict[str, Rule | Need] = {
        "list_*": "notes:read",
        "delte_*": "notes:delete",
        "whoami2": PUBLIC,
    }
    app: Any
    if kind == "fastmcp auth":
        tools.pop("whoami2")
        app = fastmcp_server(auth=latch.fastmcp(tools=tools)).http_app()
    else:
        server: Any = official_server() if kind == "mcp" else fastmcp_server()
        app = latch.asgi(server, tools=tools)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "lifespan", "app": app, "state": {}}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "delte_*" in sent[0]["message"]
    assert "list_*" not in sent[0]["message"].split("its tools")[0]


async def test_start_and_stop_pass_through(latch: Latch, issuer: Issuer) -> None:
    """The connections to the authorization server are closed when the application stops."""
    app = latch.asgi(official_server(), tools=TOOLS)
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            await latch.verifier.verify(issuer.token())
            assert latch.outbound._client is not None

    await app({"type": "lifespan", "app": app, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert latch.outbound._client is None


def test_mistakes_are_told_at_once(latch: Latch) -> None:
    with pytest.raises(ValueError, match="authorization server"):
        Latch(resource=RESOURCE)
    with pytest.raises(TypeError, match="no MCP server"):
        latch.guard(object())
    with pytest.raises(ValueError, match="DENIED"):
        latch.guard(official_server(), tools={"x": ()})
    with pytest.raises(ValueError, match="DENIED"):
        latch.guard(official_server(), tools={"x": ["a"]})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="auth="):
        latch.guard(fastmcp_server(auth=latch.fastmcp()))
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(ISSUER), resource_server_url=None, validate_token_resource=False
    )
    with pytest.raises(ValueError, match="auth="):
        latch.guard(MCPServer("x", auth=settings, token_verifier=NoVerifier()))
    with pytest.raises(TypeError, match="bare ASGI"):
        latch.asgi(Starlette(), json_response=True)


class NoVerifier:
    async def verify_token(self, token: str) -> None:
        return None


async def test_any_application_can_be_guarded_without_an_sdk() -> None:
    """In a process that has no SDK loaded, none gets loaded."""
    program = """
import asyncio, sys
from mcplatch import Latch, identity
async def app(scope, receive, send): raise SystemExit("reached")
guard = Latch("https://auth.example", resource="https://notes.example/mcp").asgi(app)
sent = []
async def receive(): return {"type": "http.request", "body": b""}
async def send(message): sent.append(message)
scope = {"type": "http", "method": "GET", "path": "/mcp", "query_string": b"",
         "headers": [(b"host", b"notes.example")]}
asyncio.run(guard(scope, receive, send))
assert sent[0]["status"] == 401, sent
names = ("mcp", "fastmcp", "sqlalchemy", "pydantic", "httpx2", "starlette.applications")
assert not [name for name in names if name in sys.modules]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_a_guarded_application_can_be_mounted(latch: Latch, issuer: Issuer) -> None:
    app = latch.asgi(official_server(), tools=TOOLS)
    assert isinstance(app, Starlette)
    async with running(app):
        from starlette.routing import Mount

        parent = Starlette(routes=[Mount("/", app=app)])
        async with serving(parent, base_url=ORIGIN) as client:
            assert (await call(client, "list_notes")).status_code == 401
            assert (await call(client, "list_notes", issuer.token())).status_code == 200


async def test_a_revoked_grant_is_forgotten_at_once(latch: Latch, issuer: Issuer) -> None:
    guard = latch.layer(_echo, latch.policy())
    headers = [(b"host", b"notes.example"), (b"authorization", f"Bearer {issuer.token()}".encode())]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/mcp",
        "query_string": b"",
        "headers": headers,
    }

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    for expected in (1, 1):
        await guard(dict(scope), _nothing, send)
        assert guard.cache.forget_grant("grant-1") == expected
        assert guard.cache.forget_grant("grant-1") == 0
    assert issuer.fetched_keys() == 1


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _nothing() -> Any:
    return {"type": "http.request", "body": b""}


async def test_the_cache_is_bounded(issuer: Issuer, clock: Any) -> None:
    from tests.resource_server.servers import make_latch

    latch = make_latch(issuer, clock, options={"most_cached_tokens": 3})
    guard = latch.layer(_echo, latch.policy())

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    for number in range(10):
        token = issuer.token(jti=str(number)).encode()
        headers = [(b"host", b"notes.example"), (b"authorization", b"Bearer " + token)]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": headers,
        }
        await guard(scope, _nothing, send)
    assert len(guard.cache._entries) == 3


async def test_one_token_is_one_entry_however_it_is_sent(latch: Latch, issuer: Issuer) -> None:
    guard = latch.layer(_echo, latch.policy())

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    token = issuer.token().encode()
    for value, query in (
        (b"Bearer " + token, b""),
        (b"bearer " + token, b""),
        (b"Bearer    " + token, b"a=1"),
    ):
        headers = [(b"host", b"notes.example"), (b"authorization", value)]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        await guard({**scope, "query_string": query}, _nothing, send)
    assert len(guard.cache._entries) == 1
    assert token not in repr(guard.cache._entries).encode()
