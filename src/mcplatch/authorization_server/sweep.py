"""The sweeper: deletes what has run out, in small pieces, and never what still says no to
somebody.
"""

from __future__ import annotations

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import DAY, HOUR, Lifetimes
from mcplatch.records import (
    AccessToken,
    AuthorizationCode,
    Bucket,
    Client,
    Grant,
    Interaction,
    RefreshToken,
    Session,
)
from mcplatch.store.port import Sweep

PIECE = 500
EVERY = 5 * 60


def plan(now: int, lifetimes: Lifetimes) -> tuple[Sweep, ...]:
    """What may go at `now`.

    A spent code is kept as long as any token of its grant can live, to recognise a replay; a
    refresh token is kept until its whole grant has run out, to recognise a thief.
    """
    return (
        Sweep(Interaction, "expires_at", now - HOUR, PIECE),
        Sweep(Session, "expires_at", now - DAY, PIECE),
        Sweep(AuthorizationCode, "expires_at", now - lifetimes.refresh_absolute, PIECE),
        Sweep(RefreshToken, "expires_at", now - lifetimes.refresh_absolute, PIECE),
        Sweep(AccessToken, "expires_at", now - HOUR, PIECE),
        Sweep(Grant, "expires_at", now - lifetimes.refresh_absolute, PIECE),
        Sweep(Bucket, "full_at", (now - HOUR) * 1000, PIECE),
        Sweep(Client, "expires_at", now, PIECE),
    )


async def sweep(house: House) -> int:
    """Deletes everything that may go and counts it; each piece is a transaction of its own."""
    swept = 0
    now = await house.store.look(lambda transaction: transaction.now)
    for step in plan(now, house.policy.lifetimes):
        while True:
            deleted = await house.store.settle(lambda transaction, s=step: transaction.apply((s,)))  # type: ignore[misc]
            swept += deleted
            if deleted < PIECE:
                break
    return swept
