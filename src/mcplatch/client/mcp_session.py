"""Opens an MCP session with the official client: both transports, both protocol eras (CL-64).

`mcp` is imported here only, and only when a session is opened: importing it costs half a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from mcplatch.client.errors import LatchError, ServerFault, Unreachable

if TYPE_CHECKING:
    from mcp import Client

    from mcplatch.client.auth import LatchAuth

Transport = Literal["auto", "streamable-http", "sse"]


@asynccontextmanager
async def open_session(
    server_url: str, auth: LatchAuth | None, *, transport: Transport = "auto", mode: str = "auto"
) -> AsyncIterator[Client]:
    """A connected `mcp.Client` for `server_url`. "auto" takes SSE for an address that ends in /sse.

    mode: as the official client's: "auto" asks for the stateless era and falls back to `initialize`.
    Raises `LatchError`s and `McpError`s unwrapped from the exception groups of the transports.
    """
    from mcp import Client
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    if transport == "auto":
        is_sse = urlsplit(server_url).path.rstrip("/").endswith("/sse")
        transport = "sse" if is_sse else "streamable-http"
    try:
        if transport == "sse":
            async with Client(sse_client(server_url, auth=auth), mode=mode) as client:
                yield client
        else:
            async with create_mcp_http_client(auth=auth) as http:
                streams = streamable_http_client(server_url, http_client=http)
                async with Client(streams, mode=mode) as client:
                    yield client
    except BaseExceptionGroup as group:
        raise _unwrapped(group, server_url) from group


def _unwrapped(group: BaseExceptionGroup, server_url: str) -> BaseException:
    """The one failure worth telling: ours first, then what the network said, then whatever it was."""
    import httpx2

    leaves = list(_leaves(group))
    for leaf in leaves:
        if isinstance(leaf, LatchError):
            return leaf
    for leaf in leaves:
        if isinstance(leaf, httpx2.TransportError):
            return Unreachable(
                f"{server_url} cannot be reached ({leaf or type(leaf).__name__}).",
                next_step="Check the address and your network, then try again.",
            )
        if isinstance(leaf, httpx2.HTTPStatusError):
            return ServerFault(
                f"{server_url} answered {leaf.response.status_code}.",
                next_step="Check that this is the address of an MCP server.",
            )
    return leaves[0] if len(leaves) == 1 else group


def _leaves(group: BaseExceptionGroup) -> list[BaseException]:
    found: list[BaseException] = []
    for member in group.exceptions:
        found += _leaves(member) if isinstance(member, BaseExceptionGroup) else [member]
    return found
