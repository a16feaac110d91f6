"""Reads what a request asks for, as much as its sender is worth reading (JSON-RPC 2.0)."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from mcplatch.protocol.jsonrpc import Message, check_routing, parse_message
from mcplatch.protocol.refusal import Refusal
from mcplatch.resource_server.body import BODY_TOO_LARGE, PEEK_BYTES, Receive, read_body
from mcplatch.resource_server.heads import Heads

BODILESS = frozenset({"GET", "HEAD", "DELETE"})
"""The verbs whose body means nothing; every other one is read, lest a verb be a side door."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: its message, or why it cannot be read; `body` as it came.

    A message whose headers tell another story has both, a message and a refusal.
    """

    message: Message | None = None
    refusal: Refusal | None = None
    body: bytes | None = None


NOTHING = Asked()


async def read_asked(
    scope: MutableMapping[str, Any], receive: Receive, heads: Heads, *, most: int, mirrored: bool
) -> Asked:
    """What the request asks for; a body of more than `most` bytes is refused.

    `mirrored` is whether this address is one whose requests mirror their body in their headers.
    """
    if scope["method"] in BODILESS:
        return NOTHING
    if most == 0:
        return Asked(refusal=_UNREAD)
    body = await read_body(receive, most)
    if isinstance(body, Refusal):
        return Asked(refusal=body)
    message = parse_message(body)
    if isinstance(message, Refusal):
        return Asked(refusal=message)
    return Asked(message, check_routing(message, heads.routing(), mirrored=mirrored), body)


def worth_peeking(heads: Heads) -> int:
    """How much to read of a body whose sender will be sent to sign in anyway.

    Only so that the challenge can name the right scope: a short body that says how long it is.
    """
    length = heads.only(b"content-length") or ""
    is_short = length.isdecimal() and len(length) < 10 and int(length) <= PEEK_BYTES
    return PEEK_BYTES if is_short else 0


_UNREAD = Refusal(BODY_TOO_LARGE)
