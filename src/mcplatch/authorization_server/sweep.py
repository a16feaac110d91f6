"""The sweeper: deletes what has run out, in small pieces, and never what still says no to
somebody.
"""

from __future__ import annotations

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import DAY, HOUR, Lifetimes
from mcplatch.moment import made_by
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
from mcplatch.store.port import Blank, Sweep

PIECE = 500
EVERY = 5 * 60


def plan(now: int, lifetimes: Lifetimes) -> tuple[Sweep | Blank, ...]:
    """What may go at `now`.

    A spent code and an old refresh token are kept as long as their grant can live, to recognise a
    replay and a thief; a grant as long again, so that what hangs on it never outlives it. The trace
    of a revoked token stays a day, should the operator have shortened lifetimes meanwhile. The
    sealed answer of a refresh is emptied when nobody may ask for it again.
    """
    asked_for_no_more = now - max(lifetimes.retry, lifetimes.retry_unconfirmed)
    of_a_grant = now - lifetimes.refresh_absolute - DAY
    return (
        Sweep(Interaction, "interaction_id", made_by(now - lifetimes.interaction - HOUR), PIECE),
        Sweep(Session, "session_hash", made_by(now - lifetimes.session - DAY), PIECE),
        Sweep(AuthorizationCode, "code_hash", made_by(of_a_grant), PIECE),
        Sweep(RefreshToken, "token_hash", made_by(of_a_grant), PIECE),
        Blank(RefreshToken, "sealed", made_by(asked_for_no_more), PIECE),
        Sweep(AccessToken, "token_hash", made_by(now - max(lifetimes.access_token, DAY)), PIECE),
        Sweep(Grant, "grant_id", made_by(of_a_grant - DAY), PIECE),
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
