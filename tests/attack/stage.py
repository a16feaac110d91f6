"""A whole authorization server on a socket, for requests that no well-behaved library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx2

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import Policy
from mcplatch.config.values import Listen
from mcplatch.store.port import Put, Store
from mcplatch.web.app import create_app
from mcplatch.web.serving import listening, running
from tests import world
from tests.web.stage import POLICY, app_client, user


@dataclass(slots=True)
class Target:
    """A running server and where it listens."""

    house: House
    port: int

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    async def raw(self, *lines: str, body: bytes = b"") -> bytes:
        """The bytes that answer a request written by hand; the connection is closed after it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = "\r\n".join([*lines, f"Host: localhost:{self.port}", "Connection: close", "", ""])
        writer.write(head.encode("latin-1") + body)
        await writer.drain()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.origin, trust_env=False)


@asynccontextmanager
async def attacked(store: Store, policy: Policy = POLICY) -> AsyncIterator[Target]:
    """A server on loopback with Ana, Ben and one app that registered itself."""
    socket = listening(Listen("127.0.0.1", 0))
    port = socket.getsockname()[1]
    issuer = f"http://localhost:{port}{urlsplit(policy.issuer).path}"
    house = await world.house(store, policy=replace(policy, issuer=issuer))
    await store.settle(
        lambda t: t.apply(Put(record) for record in (user(), user("ben"), app_client()))
    )
    async with running(create_app(house), socket):
        yield Target(house, port)
