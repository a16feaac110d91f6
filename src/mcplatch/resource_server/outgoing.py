"""The application's answer on its way out: headers, lists, an end with the token (RFC 6750 5.2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mcplatch.resource_server.body import AsgiMessage, Send
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


class Outgoing:
    """A `send` for one request.

    `ends_in` is how many seconds from now an event stream may go on, None for as long as it likes;
    `deadline` is the timeout the application runs under.
    """

    __slots__ = (
        "_cors",
        "_events",
        "_filtering",
        "_held",
        "_private",
        "_send",
        "_start",
        "deadline",
        "ended",
        "ends_in",
        "started",
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
        self.deadline: asyncio.Timeout | None = None
        self.started = self.ended = False
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

    async def _begin(self, message: AsgiMessage) -> None:
        headers: Headers = list(message.get("headers", ()))
        kind, cached = b"", False
        for name, value in headers:
            name = name.lower()
            if name == b"content-type":
                kind = value
            elif name == b"cache-control":
                cached = True
        streams = kind.startswith(_STREAM)
        if self._private and not cached:
            headers.append((b"cache-control", b"no-store"))
        if self._cors is not None:
            headers = [*without(headers, _CORS), *self._cors]
        if streams and self.ends_in is not None and self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time() + self.ends_in)
        filtering = self._filtering
        if filtering is not None and streams:
            self._events = EventFilter(filtering.lists, stateless=filtering.stateless)
        elif filtering is not None and filtering.whole:
            self._start = {**message, "headers": without(headers, _LENGTH)}
            return
        await self._send({**message, "headers": headers})

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
