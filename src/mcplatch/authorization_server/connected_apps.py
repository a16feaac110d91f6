"""What a person has allowed, seen and taken back; taking back is one row a grant (RFC 7009 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.grants import take_back
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.sessions import SignedIn, read_session
from mcplatch.records import Grant
from mcplatch.store.port import Transaction

BECAUSE = "person-disconnected"
EVERYTHING = "*"
MOST_SHOWN = 200
EVERY_ONE = 100_000


@dataclass(frozen=True, slots=True)
class Account:
    """A person and everything that may act for her now, newest first."""

    signed_in: SignedIn
    grants: tuple[Grant, ...]
    now: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What was taken back; empty when it was gone already, or never hers."""

    grants: tuple[Grant, ...]


async def look(session_secret: str | None, house: House) -> Account | None:
    """The account of the browser's person; None when nobody is signed in. Raises `StoreDown`."""
    return await house.store.look(lambda transaction: read_account(transaction, session_secret))


def read_account(
    transaction: Transaction, session_secret: str | None, *, most: int = MOST_SHOWN
) -> Account | None:
    """The account of the browser's person within a transaction.

    Read by when they run out, so that what is over already cannot crowd out what lives.
    """
    signed_in = read_session(transaction, session_secret)
    if signed_in is None:
        return None
    grants = transaction.all(
        Grant,
        limit=most,
        newest="expires_at",
        user_id=signed_in.user.user_id,
        revoked_at=None,
    )
    live = [grant for grant in grants if grant.expires_at > transaction.now]
    live.sort(key=lambda grant: grant.created_at, reverse=True)
    return Account(signed_in, tuple(live), transaction.now)


async def disconnect(
    grant_id: str, session_secret: str | None, house: House, *, address: str | None
) -> Disconnected | None:
    """Take back one grant, or with `EVERYTHING` all of them; None when nobody is signed in.

    A grant of somebody else is not found, like one that never was. Raises `StoreDown`.
    """
    return await house.store.settle(
        lambda transaction: _settle(transaction, grant_id, session_secret, address)
    )


def _settle(
    transaction: Transaction, grant_id: str, session_secret: str | None, address: str | None
) -> Disconnected | None:
    account = read_account(transaction, session_secret, most=EVERY_ONE)
    if account is None:
        return None
    meant = tuple(g for g in account.grants if grant_id in (EVERYTHING, g.grant_id))
    for grant in meant:
        transaction.apply(take_back(grant, transaction.now, BECAUSE, address=address))
    return Disconnected(meant)
