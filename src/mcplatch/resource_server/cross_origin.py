"""CORS for browser clients: what a page may send and read, on every answer (WHATWG Fetch)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcplatch.resource_server.heads import Headers
from mcplatch.resource_server.replies import Reply

MOST_REQUESTED = 2048
ALLOWED = (
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
    "Mcp-Session-Id, Last-Event-ID, DPoP"
)
EXPOSED = b"WWW-Authenticate, MCP-Protocol-Version, Mcp-Session-Id, Retry-After, DPoP-Nonce"
METHODS = b"GET, POST, DELETE, OPTIONS"

_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")


def answer_headers(origin: str) -> Headers:
    """What lets a page of `origin`, already admitted, read an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED),
        (b"vary", b"Origin"),
    ]


def preflight(headers: Iterable[tuple[bytes, bytes]]) -> Reply:
    """204 to OPTIONS, without a token: that is how browsers ask.

    A wildcard would not cover Authorization, and parameters come as headers of any name, so what
    the page asks for is named back to it.
    """
    allowed = ALLOWED
    for name, value in headers:
        if name.lower() == b"access-control-request-headers":
            asked = value.decode("latin-1").strip()
            if len(asked) <= MOST_REQUESTED and _NAMES.fullmatch(asked):
                allowed = f"{ALLOWED}, {asked}"
    return Reply(
        204,
        (
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", allowed.encode("latin-1")),
            (b"access-control-max-age", b"600"),
            (b"allow", METHODS),
        ),
        b"",
    )


def public_headers() -> Headers:
    """For documents that everyone may read from anywhere."""
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
        (b"access-control-allow-headers", b"Accept, Content-Type, MCP-Protocol-Version"),
    ]
