"""The application's answer on its way out: headers, lists, an end with the token (RFC 6750 5.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mcplatch.resource_server.body import AsgiMessage, Receive, Send
from mcplatch.resource_server.heads import Headers, without
from mcplatch.resource_server.tool_lists import EventFilter, Lists, filter_body

_CORS = frozenset({b"access-control-allow-origin", b"access-control-expose-headers"})
_LENGTH = frozenset({b"content-length"})
_STREAM = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Filtering:
    """How lists of tools are filtered on this answer; `whole` when its JSON body may be one."""

    lists: Lists
    stateless: bool
    whole: bool


async def run_until_expiry(
    app: Callable[[MutableMapping[str, Any], Receive, Outgoing], Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Receive,
    out: Outgoing,
) -> None:
    """Runs `app`; an event stream of it is stopped when its time is over, and ends in good order.

    What `asyncio.timeout` does, without its cost for the requests that never stream.
    """
    if out.ends_in is None:
        await app(scope, receive, out)
        return
    task = out.task = asyncio.current_task()
    cancelling = task.cancelling() if task is not None else 0
    try:
        await app(scope, receive, out)
    except asyncio.CancelledError:
        if not out.expired or task is None or task.uncancel() > cancelling:
            raise
        await out.finish()
    finally:
        out.stop_timer()


class Outgoing:
    """A `send` for one request.

    `ends_in` is how many seconds from now an event stream may go on, None for as long as it likes;
    `expired` says that one was stopped, in `task`, because that time was over.
    """

    __slots__ = (
        "_cors",
        "_events",
        "_filtering",
        "_held",
        "_private",
        "_send",
        "_start",
        "_timer",
        "ended",
        "ends_in",
        "expired",
        "started",
        "task",
    )

    def __init__(
        self,
        send: Send,
        *,
        cors: Headers | None,
        private: bool,
        filtering: Filtering | None,
        ends_in: float | None,
    ) -> None:
        self._send = send
        self._cors = cors
        self._private = private
        self._filtering = filtering
        self.ends_in = ends_in
        self.task: asyncio.Task[Any] | None = None
        self.started = self.ended = self.expired = False
        self._timer: asyncio.TimerHandle | None = None
        self._events: EventFilter | None = None
        self._start: AsgiMessage | None = None
        self._held = bytearray()

    async def __call__(self, message: AsgiMessage) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            await self._body(message)
        elif kind == "http.response.start":
            self.started = True
            await self._begin(message)
        else:
            await self._send(message)

    async def finish(self) -> None:
        """Ends the response in good order after the application was stopped."""
        if self.started and not self.ended:
            self.ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def stop_timer(self) -> None:
        """The application has ended by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        if self.task is not None:
            self.task.cancel()

    async def _begin(self, message: AsgiMessage) -> None:
        headers, streams = self._headers(message.get("headers", ()))
        if streams and self.ends_in is not None and self.task is not None:
            self._timer = asyncio.get_running_loop().call_later(self.ends_in, self._expire)
        filtering = self._filtering
        if filtering is not None and streams:
            self._events = EventFilter(filtering.lists, stateless=filtering.stateless)
        elif filtering is not None and filtering.whole:
            self._start = {**message, "headers": without(headers, _LENGTH)}
            return
        await self._send({**message, "headers": headers})

    def _headers(self, given: Iterable[tuple[bytes, bytes]]) -> tuple[Headers, bool]:
        """The headers to send, and whether an event stream follows them."""
        headers: Headers = list(given)
        kind, names = b"", set()
        for name, value in headers:
            name = name.lower()
            names.add(name)
            if name == b"content-type":
                kind = value
        streams = kind.startswith(_STREAM)
        if streams and b"x-accel-buffering" not in names:
            # A proxy that collects events before it passes them on makes a stream useless.
            headers.append((b"x-accel-buffering", b"no"))
        if self._private and b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        if self._cors is not None:
            headers = [*without(headers, _CORS), *self._cors]
        return headers, streams

    async def _body(self, message: AsgiMessage) -> None:
        last = not message.get("more_body", False)
        self.ended = self.ended or last
        if self._start is not None:
            await self._whole(message.get("body", b""), last)
            return
        if self._events is not None:
            body = self._events.feed(message.get("body", b""), last=last)
            message = {**message, "body": body}
        await self._send(message)

    async def _whole(self, chunk: bytes, last: bool) -> None:
        """Holds a JSON answer back until it is complete, then sends what remains of it."""
        self._held += chunk
        if not last or self._start is None or self._filtering is None:
            return
        body = filter_body(
            bytes(self._held), self._filtering.lists, stateless=self._filtering.stateless
        )
        start, self._start = self._start, None
        start["headers"].append((b"content-length", str(len(body)).encode()))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
