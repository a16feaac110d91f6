"""Sign-in with a name and a password: same answer, same work, whoever is asked for (ASVS 6.3.8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.login import throttle
from mcplatch.authorization_server.sessions import open_session, read_session
from mcplatch.passwords import Checked, Passwords
from mcplatch.protocol.parameters import Parameters
from mcplatch.records import AuditEvent, Interaction, User
from mcplatch.store.port import Change, Put, Transaction, replacing

NAME = "password"
MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What a person typed. Anything may be in it; an empty field is simply wrong."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedInNow:
    """Right: the secret of the new session."""

    secret: str = field(repr=False)
    user: User


@dataclass(frozen=True, slots=True)
class Wrong:
    """Wrong, or no such person, or locked: not told apart."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not looked at: too many wrong tries; the next one is looked at after `seconds`."""

    seconds: int


Outcome = SignedInNow | Wrong | Wait


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sign-in happens: the browser's present session, its address, what it is for."""

    session_secret: str | None = field(repr=False)
    address: str | None
    interaction_id: str | None = None


def parse(form: Parameters) -> Request:
    """The two fields; surrounding blanks of a name are a slip of the keyboard."""
    return Request((form.get("username") or "").strip()[:MOST_NAME], form.get("password") or "")


async def sign_in(request: Request, place: Place, house: House, passwords: Passwords) -> Outcome:
    """Check the password and open a session. Raises `PasswordsBusy`, `StoreDown`.

    The slow part lies between two transactions: the first charges the try and reads the hash, the
    second gives the charge back and opens the session, or records the failure.
    """
    admitted = await house.store.settle(lambda t: _admit(t, request, place))
    if isinstance(admitted, Wait):
        return admitted
    user = admitted.user
    checked = await passwords.check(request.password, user.password_hash if user else None)
    return await house.store.settle(lambda t: _conclude(t, request, place, user, checked, house))


@dataclass(frozen=True, slots=True)
class _Admitted:
    user: User | None


def _admit(transaction: Transaction, request: Request, place: Place) -> _Admitted | Wait:
    counts = throttle.read_counts(transaction, request.username, place.address)
    if (seconds := throttle.seconds_to_wait(counts, transaction.now)) > 0:
        return Wait(seconds)
    transaction.apply(throttle.charge(counts, transaction.now))
    return _Admitted(transaction.one(User, username=request.username))


def _conclude(
    transaction: Transaction,
    request: Request,
    place: Place,
    user: User | None,
    checked: Checked,
    house: House,
) -> Outcome:
    # Read again: while this password was checked, the account may have been locked or changed.
    current = transaction.one(User, lock=True, user_id=user.user_id) if user else None
    same = user is not None and current is not None and current.password_hash == user.password_hash
    if current is None or not same or not checked.right or current.locked_at is not None:
        transaction.apply((Put(_refused(transaction.now, current, checked, place)),))
        return Wrong()
    opened = open_session(
        current,
        read_session(transaction, place.session_secret),
        policy=house.policy,
        moment=house.moment(transaction),
        address=place.address,
        method=NAME,
    )
    counts = throttle.read_counts(transaction, request.username, place.address)
    changes: list[Change] = [*opened.changes, *throttle.give_back(counts)]
    if checked.rehashed is not None:
        changes.append(replacing(current, password_hash=checked.rehashed)[1])
    changes += _noted(transaction, place)
    transaction.apply(changes)
    return SignedInNow(opened.secret, current)


def _noted(transaction: Transaction, place: Place) -> tuple[Change, ...]:
    """The interaction learns that its person signed in for it, which `prompt=login` asks about."""
    if place.interaction_id is None:
        return ()
    interaction = transaction.one(Interaction, interaction_id=place.interaction_id)
    if interaction is None or interaction.answered_at is not None:
        return ()
    return (replacing(interaction, authenticated_at=transaction.now)[1],)


def _refused(now: int, user: User | None, checked: Checked, place: Place) -> AuditEvent:
    if user is None:
        reason = "user-unknown"
    elif user.locked_at is not None and checked.right:
        reason = "user-locked"
    else:
        reason = "password-wrong"
    return AuditEvent(
        at=now,
        kind="sign-in",
        outcome="refused",
        reason=reason,
        user_id=user.user_id if user else None,
        address=place.address,
        detail=NAME,
    )
