"""The authorization server as one ASGI application: machine endpoints first, pages behind them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from mcplatch.authorization_server import sweep
from mcplatch.authorization_server.house import House
from mcplatch.log import log
from mcplatch.seal import SealBroken
from mcplatch.store.port import Contended, StoreDown
from mcplatch.web import machine, pages

RELOAD_KEYS_EVERY = 30


class AuthorizationServerApp:
    """Routes by the exact path; everything that is not a machine endpoint is a page."""

    def __init__(self, house: House, pages_app: ASGIApp, base: str) -> None:
        self.house = house
        self._pages = pages_app
        self._endpoints = machine.endpoints(house, base)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self._endpoints.get(scope["path"])
            if endpoint is not None:
                await machine.serve(endpoint, self.house, scope, receive, send)
                return
        await self._pages(scope, receive, send)


def create_app(house: House) -> AuthorizationServerApp:
    """The application that serves `house`; it sweeps and reloads keys while its lifespan lasts."""
    base = urlsplit(house.policy.issuer).path.rstrip("/")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(_repeat(RELOAD_KEYS_EVERY, house.reload_keys)),
                tasks.create_task(_repeat(sweep.EVERY, lambda: sweep.sweep(house))),
            ]
            yield
            for task in running:
                task.cancel()

    starlette = Starlette(routes=pages.routes(house, base), lifespan=lifespan)
    return AuthorizationServerApp(house, starlette, base)


async def _repeat(seconds: int, duty: Callable[[], Awaitable[object]]) -> None:
    """Does a duty until cancelled; a failure is logged and the next round tries again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await duty()
        except (StoreDown, Contended, SealBroken) as broken:
            log().warning("periodic duty failed", error=str(broken))
