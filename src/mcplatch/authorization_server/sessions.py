"""Signed-in browsers: a session is a row, and of the secret in its cookie only the digest is kept.

A session never outlives a sign-in: signing in makes a new one and ends the one the browser had, so
that nobody can plant a session and wait for a person to fill it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment, name_of
from mcplatch.records import AuditEvent, Session, User
from mcplatch.store.port import Change, Put, Replace, Transaction, replacing


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person at a browser, proven."""

    session: Session
    user: User


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: the secret for the browser's cookie, and what is remembered."""

    secret: str = field(repr=False)
    session: Session
    changes: tuple[Change, ...]


def read_session(transaction: Transaction, secret: str | None) -> SignedIn | None:
    """Who is signed in at the browser that sent `secret`; None if nobody, ended, over or locked."""
    if secret is None:
        return None
    session = transaction.one(Session, session_hash=name_of(secret))
    if session is None or session.ended_at is not None or session.expires_at <= transaction.now:
        return None
    user = transaction.one(User, user_id=session.user_id)
    if user is None or user.locked_at is not None:
        return None
    return SignedIn(session, user)


def open_session(
    user: User,
    previous: SignedIn | None,
    *,
    policy: Policy,
    moment: Moment,
    address: str | None,
    method: str,
) -> Opened:
    """A fresh session for a person who has just proven to be `user`; `previous` ends with it."""
    secret = moment.token()
    session = Session(
        session_hash=name_of(secret),
        user_id=user.user_id,
        created_at=moment.now,
        authenticated_at=moment.now,
        expires_at=moment.now + policy.lifetimes.session,
    )
    ended = () if previous is None else (end_session(previous.session, moment.now),)
    event = AuditEvent(
        at=moment.now,
        kind="sign-in",
        outcome="allowed",
        user_id=user.user_id,
        address=address,
        detail=method,
    )
    return Opened(secret, session, (*ended, Put(session), Put(event)))


def end_session(session: Session, now: int) -> Replace:
    """Ends a session; the cookie that may still name it opens nothing any more."""
    return replacing(session, ended_at=now)[1]


def sign_out(transaction: Transaction, secret: str | None, *, address: str | None) -> None:
    """Ends the session of the browser that sent `secret`, if there is one. Grants stay."""
    signed_in = read_session(transaction, secret)
    if signed_in is None:
        return
    event = AuditEvent(
        at=transaction.now,
        kind="sign-out",
        outcome="allowed",
        user_id=signed_in.user.user_id,
        address=address,
    )
    transaction.apply((end_session(signed_in.session, transaction.now), Put(event)))
