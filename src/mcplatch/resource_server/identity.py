"""Who is calling, for tool code: from the verified token and nothing else (RFC 9068 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mcplatch.protocol.access_token import AccessTokenClaims


@dataclass(frozen=True, slots=True)
class Identity:
    """The person and the client behind a request.

    A person is `(iss, sub)`; `sub` alone means nothing once there are two authorization servers.
    `expires_at` is seconds since the epoch. `claims` holds every claim of the token.
    """

    iss: str
    sub: str
    client_id: str
    scopes: tuple[str, ...]
    expires_at: int
    resource: str
    grant_id: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


def identity() -> Identity | None:
    """The identity behind the request being served; None outside a request or without a token."""
    return CURRENT.get()[0]


def current_method() -> str:
    """The JSON-RPC method being served; empty for a stream or outside a request."""
    return CURRENT.get()[1]


def identity_of(claims: AccessTokenClaims, resource: str, document: Mapping[str, Any]) -> Identity:
    """The identity that checked claims stand for; `resource` is the configured spelling."""
    return Identity(
        iss=claims.iss,
        sub=claims.sub,
        client_id=claims.client_id,
        scopes=claims.scope,
        expires_at=claims.exp,
        resource=resource,
        grant_id=claims.grant_id,
        claims=dict(document),
    )


_NOBODY: tuple[Identity | None, str] = (None, "")
CURRENT: ContextVar[tuple[Identity | None, str]] = ContextVar("mcplatch_caller", default=_NOBODY)
