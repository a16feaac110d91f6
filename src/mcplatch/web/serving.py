"""Runs an application behind the edge, with an access log that no secret can get into."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from mcplatch.config.values import Listen
from mcplatch.web.edge import EdgeLimits, EdgeProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ACCESS: Final = logging.getLogger("mcplatch.access")
_ORDINARY: Final = EdgeLimits()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, so that several servers can share a process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_until_told(self, listener: socket.socket) -> None:
        try:
            await self.serve(sockets=[listener])
        except SystemExit:  # how Uvicorn says that start-up failed
            raise RuntimeError("the application did not start") from None


def listening(listen: Listen) -> socket.socket:
    """A bound, listening socket. Raises OSError where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    return socket.create_server((listen.host, listen.port), family=family, backlog=1024)


@asynccontextmanager
async def running(
    app: ASGIApp,
    listener: socket.socket,
    *,
    limits: EdgeLimits = _ORDINARY,
    trusted_proxies: tuple[str, ...] = (),
) -> AsyncIterator[None]:
    """Serves `app` on `listener` for as long as the context is open, then lets requests finish.

    Raises RuntimeError when the application's start-up fails; what failed is in the log.
    """
    config = uvicorn.Config(
        cast("Any", logged(app)),
        http=cast("type[asyncio.Protocol]", partial(EdgeProtocol, limits=limits)),
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.shutdown_seconds,
    )
    server = _Server(config)
    task = asyncio.create_task(server.run_until_told(listener))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  # Uvicorn has no event for it
            await asyncio.sleep(0.01)
        if server.started:
            yield
    finally:
        server.should_exit = True
        try:
            await task
        finally:
            listener.close()


async def until_signal() -> None:
    """Returns when the process is asked to stop (SIGTERM) or interrupted (SIGINT)."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    asked = (signal.SIGTERM, signal.SIGINT)
    for one in asked:
        loop.add_signal_handler(one, stop.set)
    try:
        await stop.wait()
    finally:
        for one in asked:
            loop.remove_signal_handler(one)


def logged(app: ASGIApp) -> ASGIApp:
    """Writes a line a request: address, method, path, status, time; no query, no header."""

    async def with_log(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _ACCESS.isEnabledFor(logging.INFO):
            await app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            _ACCESS.info(_line(scope, status, time.perf_counter() - began))

    return with_log


def _line(scope: Scope, status: int, seconds: float) -> str:
    address = scope["client"][0] if scope["client"] else "-"
    path = scope["raw_path"].decode("ascii", "replace")[:200]
    return f"{address} {scope['method']} {path} {status} {seconds * 1000:.0f} ms"
