"""Start and stop of a guarded application: checks first, closing last (ASGI lifespan)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcplatch.resource_server.body import AsgiMessage, Receive, Send

Check = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""Looks at the application when it starts, given the ASGI scope; ValueError stops the start."""

_LOG = logging.getLogger("mcplatch.resource_server")


class Lifespan:
    """The checks that come before the first request, and `close`, which comes after the last."""

    def __init__(self, checks: tuple[Check, ...], close: Callable[[], Awaitable[None]]) -> None:
        self._checks = checks
        self._close = close
        self.checked = not checks

    async def run(
        self,
        app: Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]],
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Passes the lifespan through to `app`.

        A server takes an exception here for "no lifespan" and would go on; so a check that fails is
        said in the protocol's own words.
        """
        first: list[AsgiMessage] = [await receive()]
        try:
            await self._check(scope)
        except ValueError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return

        async def again() -> AsgiMessage:
            return first.pop() if first else await receive()

        async def closing(message: AsgiMessage) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._close()
            await send(message)

        await app(scope, again, closing)

    async def check_late(self, scope: MutableMapping[str, Any]) -> None:
        """For an application inside another one, which is started without us: better late.

        What fails is logged; no request is to suffer for a rule that fits nothing.
        """
        try:
            await self._check(scope)
        except ValueError as error:
            _LOG.error("%s", error)

    async def _check(self, scope: MutableMapping[str, Any]) -> None:
        self.checked = True
        for check in self._checks:
            await check(scope)
