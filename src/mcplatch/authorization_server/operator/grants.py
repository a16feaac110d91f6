"""The operator's view of what people allowed: listing it, and taking it back (RFC 7009 2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from mcplatch.authorization_server.grants import take_back
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Grant, User
from mcplatch.store.port import Change, Transaction

GRANT_MISSING = Reason(
    "operator-grant-missing",
    "invalid_request",
    "There is no live grant of this id.",
    "RFC 7009 2.2",
    404,
)
BECAUSE = "operator-revoked"
MOST_LISTED = 10_000


def list_grants(
    transaction: Transaction, *, username: str | None = None, client_id: str | None = None
) -> list[Grant]:
    """Everything that is allowed now, newest first; of one user, or to one client, if named."""
    equal: dict[str, str] = {} if client_id is None else {"client_id": client_id}
    if username is not None:
        user = transaction.one(User, username=username)
        if user is None:
            return []
        equal["user_id"] = user.user_id
    found = transaction.all(Grant, limit=MOST_LISTED, newest="created_at", revoked_at=None, **equal)
    return [grant for grant in found if grant.expires_at > transaction.now]


def revoke_grant(transaction: Transaction, *, grant_id: str) -> Grant | Refusal:
    """Ends one grant, and with it every token under it."""
    grant = transaction.one(Grant, lock=True, grant_id=grant_id)
    if grant is None or grant.revoked_at is not None:
        return Refusal(GRANT_MISSING, grant_id)
    transaction.apply(take_back(grant, transaction.now, BECAUSE))
    return grant


def end_grants(transaction: Transaction, because: str, **equal: str) -> Iterable[Change]:
    """The changes that end every live grant whose columns equal `equal`."""
    live = transaction.all(Grant, limit=MOST_LISTED, revoked_at=None, **equal)
    return [change for grant in live for change in take_back(grant, transaction.now, because)]
