"""What a rule decides: yes with what to issue, or no with a reason; either way with what
changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.protocol.refusal import Reason
from mcplatch.records import AuditEvent, Grant, RefreshToken
from mcplatch.store.port import Change


@dataclass(frozen=True, slots=True)
class Refused:
    """No. Its `changes` are kept: a replayed code is refused *and* ends its grant.

    `retry_after` is in seconds, where waiting helps.
    """

    reason: Reason
    changes: tuple[Change, ...] = ()
    grant: Grant | None = None
    detail: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """Yes: an access token for `grant`, cut to `resource` and `scope`, and perhaps a refresh token.

    When the answer must be given again to a retry, the `successor` remembers it, sealed under the
    `presented` token.
    """

    grant: Grant
    scope: tuple[str, ...]
    generation: int
    event: str
    refresh_token: str | None = None
    changes: tuple[Change, ...] = ()
    successor: RefreshToken | None = None
    presented: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Yes, again: the very bytes that were answered before, to a retry of the same request."""

    grant: Grant
    body: bytes = field(repr=False)
    changes: tuple[Change, ...] = ()
    event: str = "refresh-repeated"


def refused_event(kind: str, refused: Refused, *, at: int, client_id: str | None) -> AuditEvent:
    """The audit row of a refusal that changed something or concerns a known grant."""
    grant = refused.grant
    return AuditEvent(
        at=at,
        kind=kind,
        outcome="refused",
        reason=refused.reason.name,
        user_id=grant.user_id if grant else None,
        client_id=client_id,
        grant_id=grant.grant_id if grant else None,
        resource=grant.resource if grant else None,
        detail=refused.detail or None,
    )
