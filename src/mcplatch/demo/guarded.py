"""The demonstration's MCP server behind the guard, over either transport of the protocol."""

from __future__ import annotations

from typing import Literal

import httpx2

from mcplatch.demo import mcp_server
from mcplatch.resource_server.latch import Introspection, Latch
from mcplatch.resource_server.options import App

Transport = Literal["streamable-http", "sse"]
PATHS: dict[Transport, str] = {"streamable-http": "/mcp", "sse": "/sse"}
NAME = "The demonstration's tools"


def resource_address(base: str, transport: Transport) -> str:
    """The address clients are given: `base`, with the transport's path where it has none."""
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    return base if slash and path else f"{scheme}://{host}{PATHS[transport]}"


def guarded(
    issuer: str,
    resource: str,
    transport: Transport,
    *,
    user_scope: str = mcp_server.USER,
    secret: str | None,
    endpoint: str | None = None,
    network: httpx2.AsyncBaseTransport | None = None,
) -> App:
    """The MCP server at `resource`, for tokens of `issuer` that are made for it alone.

    With `secret` every token is introspected each time (RFC 7662), so that what is revoked stops at
    once; without it tokens are verified here. `network` stands in for the way to the issuer.
    Raises ValueError when an address cannot be used.
    """
    introspection = None
    if secret is not None:
        introspection = Introspection(resource, secret, endpoint, reuse=0.0)
    latch = Latch(
        issuer,
        resource=resource,
        baseline=user_scope,
        words=words(user_scope),
        introspection=introspection,
        transport=network,
    )
    server = mcp_server.build()
    latch.guard(server, tools=rules(user_scope))
    if transport == "sse":
        return server.sse_app()
    return server.streamable_http_app()


def words(user_scope: str) -> dict[str, str]:
    """What each scope allows, as the consent page says it."""
    return {
        user_scope: "Tell the time and the weather, and calculate",
        mcp_server.ADMIN: "Act as an administrator of the demonstration",
    }


def rules(user_scope: str) -> dict[str, str]:
    """The scope each tool needs."""
    named = {mcp_server.USER: user_scope}
    return {tool: named.get(scope, scope) for tool, scope in mcp_server.SCOPES.items()}
