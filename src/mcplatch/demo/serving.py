"""Runs the demonstration's servers on loopback, each until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2

from mcplatch.config.values import Listen
from mcplatch.demo.account import Account
from mcplatch.demo.guarded import Transport, guarded
from mcplatch.demo.issuer import demonstration_house, follow, policy
from mcplatch.demo.rendezvous import Announced
from mcplatch.demo.tap import App, Receive, Send
from mcplatch.moment import Moment, clock
from mcplatch.web.app import create_app
from mcplatch.web.serving import listening, running

HOST = "127.0.0.1"
_OF_THE_GUARD = ("/.well-known/oauth-protected-resource",)

Wrap = Callable[[App], App]


class PortTaken(Exception):
    """Another program listens on the port; the message says which."""


def listen(port: int) -> socket.socket:
    """A socket that listens on `port` of loopback, 0 for a free one; PortTaken when it is not."""
    try:
        return listening(Listen(HOST, port))
    except OSError as taken:
        raise PortTaken(f"port {port} cannot be used: {taken.strerror}") from taken


def address_of(listener: socket.socket) -> str:
    """The address that clients are given: http://localhost and the port."""
    return f"http://localhost:{listener.getsockname()[1]}"


@asynccontextmanager
async def authorization_server(
    listener: socket.socket,
    account: Account,
    *,
    user_scope: str,
    always: tuple[Announced, ...],
    look: Callable[[], tuple[Announced, ...]],
    wrap: Wrap = lambda app: app,
) -> AsyncIterator[None]:
    """The authorization server on `listener`, with a database that is deleted at the end.

    It stands for the resource servers that `look` finds, or for `always` while there is none.
    """
    stands_for = policy(address_of(listener), look() or always, user_scope=user_scope)
    with tempfile.TemporaryDirectory(prefix="mcplatch-demo-") as folder:
        database = f"sqlite:///{Path(folder) / 'demo.db'}"
        async with demonstration_house(stands_for, account, database) as house:
            following = asyncio.create_task(follow(house, look, always=always))
            try:
                async with _running(wrap(create_app(house)), listener):
                    yield
            finally:
                following.cancel()


@asynccontextmanager
async def resource_server(
    listener: socket.socket, app: App, *, wrap: Wrap = lambda app: app
) -> AsyncIterator[None]:
    """A guarded MCP server on `listener`."""
    async with _running(wrap(app), listener):
        yield


@asynccontextmanager
async def both_in_one(
    listener: socket.socket, account: Account, transport: Transport, *, user_scope: str
) -> AsyncIterator[str]:
    """Authorization server and MCP server at one address, as of 2025-03-26; gives that of MCP.

    Clients of that revision take the authorization server for granted at the MCP server's own
    origin: its metadata, /authorize, /token and /register are all at the root.
    """
    issuer = address_of(listener)
    resource = f"{issuer}{'/mcp' if transport == 'streamable-http' else '/sse'}"
    moment = Moment(clock())
    only = (Announced(resource, moment.secret()),)
    with tempfile.TemporaryDirectory(prefix="mcplatch-demo-") as folder:
        database = f"sqlite:///{Path(folder) / 'demo.db'}"
        stands_for = policy(issuer, only, user_scope=user_scope)
        async with demonstration_house(stands_for, account, database) as house:
            issuing = create_app(house)
            protected = guarded(
                issuer,
                resource,
                transport,
                user_scope=user_scope,
                secret=only[0].secret,
                network=httpx2.ASGITransport(app=issuing),
            )
            async with _running(combined(protected, issuing, transport), listener):
                yield resource


def _running(app: App, listener: socket.socket) -> AbstractAsyncContextManager[None]:
    return running(cast("Any", app), listener)


def combined(protected: App, issuing: App, transport: Transport) -> App:
    """One app out of two, by path; the MCP server's lifespan is the one that is run."""
    own = ("/mcp",) if transport == "streamable-http" else ("/sse", "/messages")

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_mcp = path.startswith(_OF_THE_GUARD) or any(
            path == one or path.startswith(one + "/") for one in own
        )
        target = protected if scope["type"] == "lifespan" or is_mcp else issuing
        await target(scope, receive, send)

    return app
