"""What a session says on the wire of each era, captured in front of a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mcp.server import MCPServer

from mcplatch.client.mcp_session import open_session
from tests.client.servers import free_socket, serving

pytestmark = pytest.mark.anyio

Said = tuple[dict[str, str], dict[str, Any]]


@contextmanager
def overheard() -> Iterator[tuple[str, list[Said]]]:
    """A server without sign-in, and every POST it gets: headers and body."""
    server, said = MCPServer("open"), list[Said]()

    @server.tool()
    def get_time() -> str:
        return "12:00"

    app = server.streamable_http_app()

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        message = await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        said.append((headers, json.loads(message["body"])))
        left = [message]

        async def again() -> Any:
            return left.pop() if left else await receive()

        await app(scope, again, send)

    socket, base_url = free_socket()
    with serving(listening, socket):
        yield f"{base_url}/mcp", said


@pytest.mark.requirement("CL-63", "CL-64", "CL-65")
async def test_the_stateless_era_names_itself_in_every_request() -> None:
    with overheard() as (url, said):
        async with open_session(url, None) as client:
            await client.call_tool("get_time", {})
    calls = [one for one in said if one[1]["method"] == "tools/call"]
    assert calls
    for headers, body in said:
        assert headers["mcp-protocol-version"] == "2026-07-28"
        assert headers["mcp-method"] == body["method"]
        meta = body["params"]["_meta"]
        assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "mcplatch"
        assert "io.modelcontextprotocol/clientCapabilities" in meta
    assert calls[0][0]["mcp-name"] == "get_time"


@pytest.mark.requirement("CL-63", "CL-64", "CL-65")
async def test_the_older_era_shakes_hands_first() -> None:
    with overheard() as (url, said):
        async with open_session(url, None, mode="legacy") as client:
            await client.call_tool("get_time", {})
    assert [body["method"] for _, body in said][:2] == ["initialize", "notifications/initialized"]
    assert said[0][1]["params"]["clientInfo"]["name"] == "mcplatch"
    version = said[0][1]["params"]["protocolVersion"]
    assert {headers["mcp-protocol-version"] for headers, _ in said[1:]} == {version}
