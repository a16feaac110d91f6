"""The documents a protected resource publishes about itself (RFC 9728 section 3)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcplatch.protocol.resource_metadata import (
    ResourceMetadata,
    build,
    split,
    well_known_urls,
)
from mcplatch.protocol.server_metadata import OAUTH_WELL_KNOWN, OPENID_WELL_KNOWN
from mcplatch.protocol.server_metadata import build as build_server_metadata
from mcplatch.resource_server.cross_origin import public_headers
from mcplatch.resource_server.key_source import discover
from mcplatch.resource_server.outbound import Outbound, Unreachable
from mcplatch.resource_server.replies import Reply, unavailable
from mcplatch.resource_server.verdict import RETRY_AFTER

MOST_AGE = b"max-age=3600"

Document = Callable[[], Awaitable[Reply]]

_PUBLIC = ((b"content-type", b"application/json"), (b"cache-control", MOST_AGE))


@dataclass(frozen=True, slots=True)
class Fixed:
    """A document that never changes."""

    reply: Reply

    async def __call__(self) -> Reply:
        return self.reply


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The metadata of the authorization server, for clients that look for it here (RS-31)."""

    issuer: str
    outbound: Outbound

    async def __call__(self) -> Reply:
        meta = await discover(self.outbound, self.issuer)
        if isinstance(meta, Unreachable):
            return unavailable(RETRY_AFTER, None)
        return Reply(200, _PUBLIC, _json(build_server_metadata(meta)))


def resource_documents(meta: ResourceMetadata, *, root: bool) -> dict[str, Document]:
    """Path to document: the path-inserted address and, if `root`, the one at the origin (RS-20).

    Addresses and content come from configuration alone, whatever Host a request names (RS-29).
    """
    urls = well_known_urls(meta.resource)
    fixed = Fixed(Reply(200, _PUBLIC, _json(build(meta))))
    chosen = urls if root else urls[:1]
    return {split(url)[1]: fixed for url in chosen}


def server_documents(issuer: str, outbound: Outbound) -> dict[str, Document]:
    """Path to document: the authorization server's metadata at this origin."""
    mirrored = Mirrored(issuer, outbound)
    return {OAUTH_WELL_KNOWN: mirrored, OPENID_WELL_KNOWN: mirrored}


async def serve(document: Document, method: str, send: Callable[..., Awaitable[None]]) -> None:
    """Answers a request for `document`: GET, HEAD and OPTIONS, from any origin, without a token."""
    if method == "OPTIONS":
        await Reply(204, (), b"").send(send, more=public_headers())
    elif method in ("GET", "HEAD"):
        reply = await document()
        await reply.send(send, more=public_headers(), head=method == "HEAD")
    else:
        allow = ((b"allow", b"GET, HEAD, OPTIONS"), (b"content-type", b"application/json"))
        await Reply(405, allow, b'{"error":"method_not_allowed"}').send(send)


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
