"""The operator's view of people: adding, locking, a new password, and what follows from each."""

from __future__ import annotations

from collections.abc import Iterable

from mcplatch.authorization_server.operator.grants import end_grants
from mcplatch.authorization_server.sessions import end_session
from mcplatch.moment import Moment
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, Session, User
from mcplatch.store.port import Change, Put, Transaction, replacing

USERNAME_MALFORMED = Reason(
    "operator-username-malformed",
    "invalid_request",
    "A user name has 1 to 200 characters, none of them a control character or a blank at an end.",
    "ASVS 6.2",
)
USERNAME_TAKEN = Reason(
    "operator-username-taken", "invalid_request", "There is a user of this name.", "ASVS 6.2", 409
)
USER_MISSING = Reason(
    "operator-user-missing", "invalid_request", "There is no user of this name.", "ASVS 6.2", 404
)
PASSWORD_TOO_SHORT = Reason(
    "operator-password-too-short",
    "invalid_request",
    "A password has at least 8 characters.",
    "NIST SP 800-63B 3.1.1.2",
)
SHORTEST_PASSWORD = 8
MOST_NAME = 200
MOST_LISTED = 10_000


def list_users(transaction: Transaction) -> list[User]:
    """Everybody, the newest first."""
    return transaction.all(User, limit=MOST_LISTED, newest="created_at")


def add_user(
    transaction: Transaction, moment: Moment, *, username: str, name: str, password_hash: str
) -> User | Refusal:
    """A new account that can sign in at once."""
    if not _is_username(username):
        return Refusal(USERNAME_MALFORMED)
    if transaction.one(User, username=username) is not None:
        return Refusal(USERNAME_TAKEN, username)
    user = User(
        user_id=moment.secret(16),
        username=username,
        name=name or username,
        created_at=moment.now,
        password_hash=password_hash,
    )
    transaction.apply([Put(user), _event("user-added", user, moment.now)])
    return user


def set_password(transaction: Transaction, *, username: str, password_hash: str) -> User | Refusal:
    """A new password; nothing that the old one opened goes on, for who knows who knew it."""
    user = transaction.one(User, lock=True, username=username)
    if user is None:
        return Refusal(USER_MISSING, username)
    changed, change = replacing(user, password_hash=password_hash)
    transaction.apply(
        [
            change,
            *_end_sessions(transaction, user),
            *end_grants(transaction, "password-set", user_id=user.user_id),
            _event("password-set", user, transaction.now),
        ]
    )
    return changed


def lock_user(transaction: Transaction, *, username: str) -> User | Refusal:
    """Nobody signs in as this user any more, and everything that acts for the user stops."""
    user = transaction.one(User, lock=True, username=username)
    if user is None:
        return Refusal(USER_MISSING, username)
    if user.locked_at is not None:
        return user
    locked, lock = replacing(user, locked_at=transaction.now)
    transaction.apply(
        [
            lock,
            *_end_sessions(transaction, user),
            *end_grants(transaction, "user-locked", user_id=user.user_id),
            _event("user-locked", user, transaction.now),
        ]
    )
    return locked


def unlock_user(transaction: Transaction, *, username: str) -> User | Refusal:
    """The user may sign in again; what was stopped stays stopped."""
    user = transaction.one(User, lock=True, username=username)
    if user is None:
        return Refusal(USER_MISSING, username)
    if user.locked_at is None:
        return user
    unlocked, unlock = replacing(user, locked_at=None)
    transaction.apply([unlock, _event("user-unlocked", user, transaction.now)])
    return unlocked


def check_password(password: str) -> Refusal | None:
    """Why a password cannot be taken, or None when it can."""
    return Refusal(PASSWORD_TOO_SHORT) if len(password) < SHORTEST_PASSWORD else None


def _is_username(username: str) -> bool:
    return (
        0 < len(username) <= MOST_NAME and username == username.strip() and username.isprintable()
    )


def _end_sessions(transaction: Transaction, user: User) -> Iterable[Change]:
    live = transaction.all(Session, limit=MOST_LISTED, user_id=user.user_id, ended_at=None)
    return [end_session(session, transaction.now) for session in live]


def _event(kind: str, user: User, at: int) -> Put:
    return Put(
        AuditEvent(at=at, kind=kind, outcome="done", reason="operator", user_id=user.user_id)
    )
