"""The clients people have, both eras, against every kind of guarded server (E9, E17, E18, E21)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastmcp
import httpx2
import pytest
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.utilities.asgi_transport import StreamingASGITransport
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcplatch.policy.rules import PUBLIC
from mcplatch.resource_server.latch import Latch
from tests.resource_server.granting import Granting, Network, sign_in
from tests.resource_server.issuer import RESOURCE, Clock, Issuer
from tests.resource_server.servers import TOOLS, WAYS, make_app, make_latch, running

pytestmark = pytest.mark.anyio

MODES = ("auto", "legacy")


class Bearer(httpx2.Auth):
    """Sends a token that can be exchanged for another between two requests."""

    def __init__(self, token: str) -> None:
        self.token = token

    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers["authorization"] = f"Bearer {self.token}"
        yield request


@asynccontextmanager
async def official(app: Any, auth: httpx2.Auth | None, mode: str) -> AsyncIterator[Client]:
    """The official SDK's client, in process."""
    http = httpx2.AsyncClient(transport=StreamingASGITransport(app), auth=auth)
    async with (
        running(app),
        http,
        Client(streamable_http_client(RESOURCE, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.requirement("RS-85")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client(latch: Latch, issuer: Issuer, way: str, mode: str) -> None:
    app = make_app(way, latch)
    async with official(app, Bearer(issuer.token()), mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == {"whoami", "list_notes", "delete_note"}
        answer = await client.call_tool("whoami", {})
        assert json.loads(answer.content[0].text)["sub"] == "ada"  # type: ignore[union-attr]
        with pytest.raises(MCPError, match=r"notes:delete \(Delete your notes\)"):
            await client.call_tool("delete_note", {})
        with pytest.raises(MCPError, match="Nobody may use this"):
            await client.call_tool("hidden", {})


@pytest.mark.requirement("RS-85")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_fastmcp_client(latch: Latch, issuer: Issuer, way: str, mode: str) -> None:
    app = make_app(way, latch)

    def factory(
        headers: Any = None, timeout: Any = None, auth: Any = None, **options: Any
    ) -> httpx2.AsyncClient:
        options |= {"headers": headers, "timeout": timeout, "auth": auth}
        return httpx2.AsyncClient(transport=StreamingASGITransport(app), **options)

    transport = StreamableHttpTransport(
        RESOURCE, auth=Bearer(issuer.token()), httpx_client_factory=factory
    )
    async with running(app), fastmcp.Client(transport, mode=mode) as client:
        listed = await client.list_tools()
        assert {tool.name for tool in listed} == {"whoami", "list_notes", "delete_note"}
        answer = await client.call_tool("list_notes", {})
        assert answer.content[0].text == "milk"
        with pytest.raises(MCPError, match="delete_note needs 1 more permission"):
            await client.call_tool("delete_note", {})


@pytest.mark.requirement("RS-6", "RS-11", "RS-12", "E17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_step_up_happens_by_itself(clock: Clock, way: str, mode: str) -> None:
    """E17: the official client signs in, calls, is refused, asks for more and calls again."""
    issuer = Granting()
    app = make_app(way, make_latch(issuer, clock))
    http = httpx2.AsyncClient(transport=Network(app, issuer), auth=sign_in(issuer))
    async with (
        running(app),
        http,
        Client(streamable_http_client(RESOURCE, http_client=http), mode=mode) as client,
    ):
        answer = await client.call_tool("list_notes", {})
        assert answer.content[0].text == "milk"  # type: ignore[union-attr]
        assert issuer.scopes_asked == ["notes:read"]
        answer = await client.call_tool("delete_note", {})
        assert answer.content[0].text == "gone"  # type: ignore[union-attr]
    assert len(issuer.scopes_asked) == 2
    assert set((issuer.scopes_asked[1] or "").split()) == {"notes:read", "notes:delete"}


@pytest.mark.requirement("RS-40", "RS-49", "RS-65", "E9")
@pytest.mark.parametrize("way", WAYS)
async def test_a_new_token_in_an_old_session_is_the_one_that_is_seen(
    latch: Latch, issuer: Issuer, way: str
) -> None:
    """E9: identity follows the request, not the session."""
    auth = Bearer(issuer.token(jti="old"))
    async with official(make_app(way, latch), auth, "legacy") as client:
        await client.call_tool("whoami", {})
        auth.token = issuer.token("notes:read more", jti="new")
        answer = await client.call_tool("whoami", {})
        assert json.loads(answer.content[0].text)["scopes"] == ["notes:read", "more"]  # type: ignore[union-attr]
        auth.token = issuer.token(sub="eve")
        with pytest.raises(MCPError):
            await client.call_tool("whoami", {})


@pytest.mark.requirement("RS-66", "E19")
@pytest.mark.parametrize("way", ["mcp", "fastmcp", "any app"])
@pytest.mark.parametrize("mode", MODES)
async def test_nobody_in_particular_calls_a_public_tool_and_signs_in_for_the_rest(
    clock: Clock, way: str, mode: str
) -> None:
    """E19, then sign-in when it is needed and not before."""
    issuer = Granting()
    tools = {**TOOLS, "list_notes": PUBLIC}
    app = make_app(way, make_latch(issuer, clock), tools=tools)
    http = httpx2.AsyncClient(transport=Network(app, issuer), auth=sign_in(issuer))
    async with (
        running(app),
        http,
        Client(streamable_http_client(RESOURCE, http_client=http), mode=mode) as client,
    ):
        answer = await client.call_tool("list_notes", {})
        assert answer.content[0].text == "milk"  # type: ignore[union-attr]
        assert issuer.scopes_asked == []
        if mode == "auto":
            # A session that nobody opened belongs to nobody, so only the stateless wire goes on.
            answer = await client.call_tool("whoami", {})
            assert issuer.scopes_asked == ["notes:read"]
