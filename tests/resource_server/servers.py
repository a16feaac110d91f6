"""One set of tools on every kind of server, guarded in every way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as fastmcp_access_token
from fastmcp.utilities.asgi_transport import StreamingASGITransport
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from mcplatch import identity
from mcplatch.policy.rules import Rule
from mcplatch.resource_server.latch import Introspection, Latch
from mcplatch.resource_server.options import Options
from tests.resource_server.issuer import ISSUER, ORIGIN, RESOURCE, Clock, Issuer

TOOLS: dict[str, Rule] = {
    "whoami": "notes:read",
    "list_*": "notes:read",
    "delete_*": ("notes:read", "notes:delete"),
}
WORDS = {"notes:read": "Read your notes", "notes:delete": "Delete your notes"}
NAMES = ("whoami", "list_notes", "delete_note", "hidden")

WAYS = ("mcp", "fastmcp auth", "fastmcp", "any app")


def make_latch(issuer: Issuer, clock: Clock, **changes: Any) -> Latch:
    options = changes.pop("options", {})
    return Latch(
        *changes.pop("issuers", (ISSUER,)),
        resource=changes.pop("resource", RESOURCE),
        words=WORDS,
        transport=issuer.transport(),
        options=Options(clock=clock, **options),
        **changes,
    )


def introspecting(**changes: Any) -> dict[str, Any]:
    return {"introspection": Introspection("notes", "s3c:ret", **changes)}


def make_app(way: str, latch: Latch, tools: Mapping[str, Rule] = TOOLS, **options: Any) -> Any:
    """A guarded application with the same tools, built in one of the `WAYS`."""
    if way == "mcp":
        return latch.asgi(official_server(), tools=tools, **options)
    if way == "fastmcp auth":
        return fastmcp_server(auth=latch.fastmcp(tools=tools)).http_app(**options)
    if way == "fastmcp":
        return latch.asgi(fastmcp_server(), tools=tools, **options)
    inner = official_server().streamable_http_app(host="0.0.0.0", **options)
    return latch.asgi(inner, tools=tools)


def official_server() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("notes")
    server.tool()(whoami)
    server.tool()(list_notes)
    server.tool()(delete_note)
    server.tool()(hidden)
    server.custom_route("/health", methods=["GET"])(health)
    return server


def fastmcp_server(**options: Any) -> FastMCP[Any]:
    server: FastMCP[Any] = FastMCP("notes", **options)
    for tool in (whoami, list_notes, delete_note, hidden):
        server.tool(tool)
    server.custom_route("/health", methods=["GET"])(health)
    return server


async def whoami() -> dict[str, Any]:
    """Who is calling, as every party in the process sees it."""
    mine, theirs = identity(), get_access_token()
    also = fastmcp_access_token()
    assert mine is not None
    assert theirs is not None
    assert also is not None
    assert theirs.subject == also.subject == mine.sub
    return {
        "sub": mine.sub,
        "iss": mine.iss,
        "client_id": theirs.client_id,
        "scopes": theirs.scopes,
        "resource": theirs.resource,
        "expires_at": theirs.expires_at,
        "claims_iss": (theirs.claims or {})["iss"],
        "grant_id": mine.grant_id,
        "token": theirs.token + also.token,
    }


async def list_notes() -> str:
    return "milk"


async def delete_note() -> str:
    return "gone"


async def hidden() -> str:
    return "never"


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"ok": True, "authorization": request.headers.get("authorization")})


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `app` while it is running; answers stream."""
    async with running(app):
        transport = StreamingASGITransport(app)
        base = options.pop("base_url", ORIGIN)
        async with httpx2.AsyncClient(transport=transport, base_url=base, **options) as client:
            yield client


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Runs the lifespan of `app` as a server does."""
    if isinstance(app, Starlette):
        async with app.router.lifespan_context(app):
            yield
        return
    inner = app
    while not isinstance(inner, Starlette):
        inner = inner.app
    async with inner.router.lifespan_context(inner):
        yield
