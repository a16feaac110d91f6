"""An ASGI layer that looks on: it tells what was asked and answered, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_SEEN = 65_536


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer, as far as the first 64 KiB of both bodies go."""

    server: str
    method: str
    path: str
    query: dict[str, str]
    sent: bytes
    status: int
    headers: dict[str, str]
    answer: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a posted form; of a repeated field the values joined by a space."""
        fields: dict[str, str] = {}
        for name, value in parse_qsl(self.sent.decode("utf-8", "replace")):
            fields[name] = f"{fields[name]} {value}" if name in fields else value
        return fields

    @property
    def asked_json(self) -> dict[str, Any]:
        return _object(self.sent)

    @property
    def answered_json(self) -> dict[str, Any]:
        return _object(self.answer)


class Tap:
    """Wraps `app` and calls `hear` with each finished HTTP exchange of the server named `name`."""

    def __init__(self, app: App, name: str, hear: Callable[[Exchange], None]) -> None:
        self._app = app
        self._name = name
        self._hear = hear

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen()
        try:
            await self._app(scope, seen.receiving(receive), seen.sending(send))
        finally:
            if seen.status:
                self._hear(seen.exchange(self._name, scope))


class _Seen:
    """What passes by in one exchange."""

    def __init__(self) -> None:
        self.status = 0
        self._headers: dict[str, str] = {}
        self._sent = bytearray()
        self._answer = bytearray()

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            _keep(self._sent, message.get("body", b""))
            return message

        return received

    def sending(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                pairs = message.get("headers", ())
                self._headers = {k.decode().lower(): v.decode("latin-1") for k, v in pairs}
            elif message["type"] == "http.response.body":
                _keep(self._answer, message.get("body", b""))
            await send(message)

        return sent

    def exchange(self, server: str, scope: MutableMapping[str, Any]) -> Exchange:
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        return Exchange(
            server,
            scope["method"],
            scope["path"],
            query,
            bytes(self._sent),
            self.status,
            self._headers,
            bytes(self._answer),
        )


def _keep(kept: bytearray, more: bytes) -> None:
    kept += more[: max(MAX_SEEN - len(kept), 0)]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
