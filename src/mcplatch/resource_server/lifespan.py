"""Start and stop of a guarded application: checks first, closing last (ASGI lifespan)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcplatch.resource_server.body import AsgiMessage, Receive, Send

Check = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""Looks at the application when it starts, given the ASGI scope; ValueError stops the start."""


async def run_lifespan(
    app: Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Receive,
    send: Send,
    checks: tuple[Check, ...],
    close: Callable[[], Awaitable[None]],
) -> None:
    """Passes the lifespan through to `app`, with `checks` before it starts and `close` at the end.

    A server takes an exception here for "no lifespan" and would go on, unguarded by the check that
    failed; so the failure is said in the protocol's own words.
    """
    first: list[AsgiMessage] = [await receive()]
    try:
        for check in checks:
            await check(scope)
    except ValueError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return

    async def again() -> AsgiMessage:
        return first.pop() if first else await receive()

    async def closing(message: AsgiMessage) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            await close()
        await send(message)

    await app(scope, again, closing)
