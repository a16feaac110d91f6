"""The edge: one connection with deadlines and one meaning for each request (RFC 9112 3.2, 6.3)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_ACCESS: Final = logging.getLogger("mcplatch.access")
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_ONCE: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization"})


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What a connection may cost. Seconds are absolute: a byte now and then gains no time."""

    head_seconds: float = 10
    body_seconds: float = 30
    idle_seconds: int = 30
    head_bytes: int = 32 * 1024
    connections: int = 2000
    shutdown_seconds: int = 25


class Refused(Exception):
    """A request that could be read in two ways; raised inside the parser, answered 400."""


class EdgeProtocol(HttpToolsProtocol):
    """One connection; timers and sizes are per request and start again with each."""

    def __init__(self, *arguments: Any, limits: EdgeLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.access_log = False  # Uvicorn's has the query; serving.py writes ours
        self.limits = limits
        self.deadline: asyncio.TimerHandle | None = None
        self.in_head = False
        self.in_body = False
        self.head_bytes = 0
        self.deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.refuse(503, "Too many connections.")
        else:
            self._expect(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.deaf:  # answered for good; whatever still comes is not looked at
            return
        self._unset_keepalive_if_required()
        was_in_head = self.in_head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._stay_http(data[offer.args[0] :])
        except httptools.HttpParserError as wrong:
            self._unreadable(wrong)
        else:
            if was_in_head and self.in_head and not self._has_room(len(data)):
                return
            if self.deadline is None and not self.deaf:
                self._expect_the_rest()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self.head_bytes = True, 0

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        has_body = self._has_one_meaning()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if not self._has_room(size):
            return
        self._no_deadline()
        self.in_head, self.in_body = False, has_body
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._no_deadline()
        self.in_body = False
        if not self.deaf:
            super().on_message_complete()

    def refuse(self, status: int, says: str) -> None:
        """Answers `status` with one sentence and closes.

        An answer to an earlier request of the connection is finished first, and is then the last;
        an answer that began before its own request was all there is cut.
        """
        self._no_deadline()
        self.deaf = True
        _ACCESS.info("%s refused %d %s", self.client[0] if self.client else "-", status, says)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(_plain(status, says))
        elif not self.in_body:
            cycle.keep_alive = False
            return
        else:
            if not self.pipeline and not cycle.response_started:
                self.transport.write(_plain(status, says))
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _has_one_meaning(self) -> bool:
        """Whether a body follows. Raises Refused where two readers could disagree about it."""
        seen: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in _ONCE and name in seen:
                raise Refused(f"{name.decode()} is there twice")
            seen[name] = value
        coding, length = seen.get(b"transfer-encoding"), seen.get(b"content-length")
        if coding is not None and (length is not None or coding.strip().lower() != b"chunked"):
            raise Refused("it is not clear where the body ends")
        version = self.parser.get_http_version()
        if version == "1.1" and b"host" not in seen:
            raise Refused("host is missing")
        if version != "1.1" and coding is not None:
            raise Refused("HTTP/1.0 has no transfer-encoding")
        return coding is not None or length not in (None, b"0")

    def _has_room(self, head_bytes: int) -> bool:
        """Counts what came of a head; whether it is still small enough."""
        self.head_bytes += head_bytes
        if self.head_bytes > self.limits.head_bytes:
            self.refuse(431, "The head of the request is too large.")
            return False
        return True

    def _expect_the_rest(self) -> None:
        """Sets a deadline for what did not come yet: most requests come whole and need none."""
        if self.in_body:
            self._expect(self.limits.body_seconds)
        elif self.in_head or self.cycle is None or self.cycle.response_complete:
            self._expect(self.limits.head_seconds)  # stray line ends do not keep a connection

    def _expect(self, seconds: float) -> None:
        self._no_deadline()
        self.deadline = self.loop.call_later(seconds, self._too_slow)

    def _no_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _too_slow(self) -> None:
        self.deadline = None
        if self.in_head or self.in_body:
            self.refuse(408, "The request took too long to arrive.")
        else:
            self.transport.close()  # nothing was asked, so there is nothing to answer

    def _stay_http(self, rest: bytes) -> None:
        """Asked for another protocol, it answers plain HTTP, and this answer is the last one.

        httptools skips the body of such a request (some clients offer h2c on every POST), so a
        second parser reads it, behind a head with nothing but the framing that was checked.
        """
        self.cycle.keep_alive = False
        framing = [pair for pair in self.headers if pair[0] in _FRAMING and pair[1] != b"0"]
        if not framing:
            self.deaf = True
            return
        self.cycle.more_body = True
        self.in_body = True
        self._expect(self.limits.body_seconds)
        self.parser = httptools.HttpRequestParser(_Body(self))
        head = b"".join(b"%b: %b\r\n" % pair for pair in framing)
        self.data_received(b"POST / HTTP/1.1\r\n" + head + b"\r\n" + rest)

    def _unreadable(self, wrong: BaseException) -> None:
        cause = wrong.__context__ if isinstance(wrong, httptools.HttpParserCallbackError) else None
        says = f"Refused: {cause}." if isinstance(cause, Refused) else "This is not HTTP."
        self.refuse(400, says)


class _Body:
    """What the second parser of an offered upgrade may tell: the body and its end."""

    def __init__(self, edge: EdgeProtocol) -> None:
        self.edge = edge

    def on_body(self, body: bytes) -> None:
        self.edge.on_body(body)

    def on_message_complete(self) -> None:
        self.edge.on_message_complete()
        self.edge.deaf = True


def _plain(status: int, says: str) -> bytes:
    body = says.encode()
    head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
    return STATUS_LINE[status] + head + b"content-length: %d\r\n\r\n%b" % (len(body), body)
