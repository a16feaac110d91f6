"""Opens an MCP session with the official client: both transports, both protocol eras (CL-64).

`mcp` is imported here and in `sse.py`, and only when a session is opened: that costs half a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from mcplatch import __version__
from mcplatch.client.errors import LatchError, ServerFault, Unreachable

if TYPE_CHECKING:
    from mcp import Client

    from mcplatch.client.auth import LatchAuth

Transport = Literal["auto", "streamable-http", "sse"]

CONNECTION_CLOSED = -32000
# What the official client says when a POST is answered 404, or 405 and the like.
LIKE_AN_SSE_SERVER = ("Not Found", "Server returned an error response")


@asynccontextmanager
async def open_session(
    server_url: str,
    auth: LatchAuth | None,
    *,
    transport: Transport = "auto",
    mode: str = "auto",
    seconds: float | None = None,
) -> AsyncIterator[Client]:
    """A connected `mcp.Client` for `server_url`.

    transport: "auto" takes SSE for an address that ends in /sse, and after streamable HTTP has
    failed in the way servers fail that only have SSE. mode: as the official client's, "auto" asks
    for the stateless era and falls back to `initialize`. seconds: how long to wait for an answer.
    Raises `LatchError` and the client's own errors, taken out of the transports' exception groups.
    """
    is_sse = urlsplit(server_url).path.rstrip("/").endswith("/sse")
    sse = transport == "sse" or (transport == "auto" and is_sse)
    opened = False
    try:
        async with _client(server_url, auth, sse=sse, mode=mode, seconds=seconds) as client:
            opened = True
            yield client
        return
    except Exception as trouble:
        failure = _unwrapped(trouble, server_url)
        if auth is not None and auth.trouble is not None:
            failure = auth.trouble if not opened or _tells(failure, auth.trouble) else failure
        if opened or sse or transport != "auto" or not _is_like_an_sse_server(failure):
            raise failure from trouble
    try:
        async with _client(server_url, auth, sse=True, mode=mode, seconds=seconds) as client:
            yield client
    except Exception as trouble:
        raise _unwrapped(trouble, server_url) from trouble


@asynccontextmanager
async def _client(
    server_url: str, auth: LatchAuth | None, *, sse: bool, mode: str, seconds: float | None
) -> AsyncIterator[Client]:
    from mcp import Client, Implementation
    from mcp.client.extension import advertise
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    me = Implementation(name="mcplatch", version=__version__)
    async with AsyncExitStack() as stack:
        if sse:
            from mcplatch.client.sse import sse_streams

            streams = sse_streams(server_url, auth)
        else:
            http = await stack.enter_async_context(create_mcp_http_client(auth=auth))
            streams = streamable_http_client(server_url, http_client=http)
        # HTTP+SSE ended before the stateless era: to ask for that there is to send what none knows.
        era = "legacy" if sse and mode == "auto" else mode
        program = None if auth is None else auth.account.program
        extension = None if program is None else program.extension
        client = Client(
            streams,
            mode=era,
            read_timeout_seconds=seconds,
            client_info=me,
            extensions=[] if extension is None else [advertise(extension)],
        )
        yield await stack.enter_async_context(client)


def is_connection_lost(trouble: Exception) -> bool:
    """Whether an error of the client means that the session is over, not that the server said
    no.
    """
    code = getattr(getattr(trouble, "error", None), "code", None)
    return code == CONNECTION_CLOSED or type(trouble).__name__ in (
        "ClosedResourceError",
        "BrokenResourceError",
    )


def _tells(failure: Exception, trouble: LatchError) -> bool:
    """Whether `failure` is the answer that a message over SSE got in place of `trouble`."""
    return getattr(getattr(failure, "error", None), "message", None) == str(trouble)


def _is_like_an_sse_server(failure: Exception) -> bool:
    """Whether streamable HTTP failed as it does at a server that only has SSE: POST is not
    allowed.
    """
    return getattr(getattr(failure, "error", None), "message", None) in LIKE_AN_SSE_SERVER


def _unwrapped(trouble: Exception, server_url: str) -> Exception:
    """The one failure worth telling: ours first, then what the network said, then whatever it
    was.
    """
    import httpx2

    leaves = _leaves(trouble)
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
    return leaves[0] if len(leaves) == 1 else trouble


def _leaves(trouble: Exception) -> list[Exception]:
    if not isinstance(trouble, ExceptionGroup):
        return [trouble]
    found: list[Exception] = []
    for member in trouble.exceptions:
        found += _leaves(member)
    return found
