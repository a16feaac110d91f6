"""Ending a grant: one row, and with it everything that hangs on it (RFC 7009 2.1)."""

from __future__ import annotations

from mcplatch.records import AuditEvent, Grant
from mcplatch.store.port import Change, Put, Replace, replacing


def revoke(grant: Grant, now: int, because: str) -> Replace:
    """Ends a grant and with it everything that hangs on it."""
    return replacing(grant, revoked_at=now, revoked_because=because)[1]


def take_back(
    grant: Grant, now: int, because: str, *, address: str | None = None
) -> tuple[Change, ...]:
    """Ends a grant at somebody's wish, and witnesses it."""
    event = AuditEvent(
        at=now,
        kind="grant-revoked",
        outcome="done",
        reason=because,
        user_id=grant.user_id,
        client_id=grant.client_id,
        grant_id=grant.grant_id,
        resource=grant.resource,
        scope=grant.scope,
        address=address,
    )
    return revoke(grant, now, because), Put(event)
