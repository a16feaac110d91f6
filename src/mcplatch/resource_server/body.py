"""Reads a request body within limits and hands it on unchanged (ASGI, RFC 9110 15.5.14)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcplatch.protocol.refusal import Reason, Refusal

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

MOST_BYTES = 4 * 1024 * 1024
PEEK_BYTES = 64 * 1024
"""What is read of a request without a valid token, to name the right scope in its challenge."""

BODY_TOO_LARGE = Reason(
    "message-too-large", "-32600", "The body is too large.", "RFC 9110 15.5.14", 413
)
CLIENT_LEFT = Reason(
    "message-cut-off", "-32600", "The request ended before its body did.", "ASGI 3.0", 400
)


async def read_body(receive: Receive, most: int) -> bytes | Refusal:
    """The whole body; refuses one of more than `most` bytes as soon as that is certain."""
    message = await receive()
    if message["type"] != "http.request":
        return Refusal(CLIENT_LEFT)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body if len(body) <= most else Refusal(BODY_TOO_LARGE)
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            return Refusal(CLIENT_LEFT)
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return Refusal(BODY_TOO_LARGE)
        parts.append(part)
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once and then whatever comes after it."""
    pending: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> AsgiMessage:
        return pending.pop() if pending else await receive()

    return again
