"""The person's answer: what may be ticked, what is granted, and all that follows (OAuth 2.1 4.1.2).

Grant, code, audit row and the answered interaction are one transaction. The code is not drawn but
derived from two secrets that only this browser holds, so that a double click gets the very same
answer again although only the code's digest is kept.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from mcplatch.authorization_server.clients import used
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import DAY, HOUR, Policy, Scope
from mcplatch.authorization_server.question import ACCESS_DAYS, Question, read_question
from mcplatch.authorization_server.steps import (
    ACCESS_DENIED,
    Answered,
    AskConsent,
    Browser,
    Step,
    next_step,
    read,
)
from mcplatch.moment import TIME_CHARACTERS, Moment, name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, AuthorizationCode, Client, Grant, Interaction
from mcplatch.store.port import Change, Put, Replace, Transaction, replacing

USUAL_DAYS = 30
DECISIONS = frozenset({"allow", "deny", "read-only"})

NO_DECISION = Reason("consent-no-decision", "invalid_request", "Choose Allow or Deny.", "house")
DAYS_UNKNOWN = Reason("consent-days-unknown", "invalid_request", "Choose how long.", "house")
NOTHING_TICKED = Reason(
    "consent-nothing-ticked",
    "invalid_request",
    "Tick at least one thing, or choose Deny.",
    "OAuth 2.1 1.4.1",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person clicked. `ticked` is only a wish until it is held against the request."""

    decision: Literal["allow", "deny", "read-only"]
    ticked: frozenset[str]
    days: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes: the code for the client, and for which interaction."""

    interaction: Interaction
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """No, which the client is told."""

    interaction: Interaction


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The answer cannot be taken as it is; the same question again, with what was ticked."""

    question: Question
    refusal: Refusal
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Not a matter of consent: another step comes first, or it is over."""

    step: Step
    code: str | None = field(default=None, repr=False)


Outcome = Allowed | Denied | AskAgain | Elsewhere


def parse(form: Parameters) -> Answer | Refusal:
    """The clicked button, the ticked boxes and the chosen time."""
    decision = form.get("decision")
    if decision not in DECISIONS:
        return Refusal(NO_DECISION)
    days = form.get("days") or str(USUAL_DAYS)
    if days not in {str(choice) for choice in ACCESS_DAYS}:
        return Refusal(DAYS_UNKNOWN)
    return Answer(decision, frozenset(form.all("scope")), int(days))  # type: ignore[arg-type]


def decide(
    answer: Answer, question: Question, browser: Browser, policy: Policy, moment: Moment
) -> tuple[Allowed | Denied, tuple[Change, ...]] | Refusal:
    """What an answer leads to. The grant is what was ticked, within what was asked (AS-149)."""
    interaction = question.step.interaction
    if answer.decision == "deny":
        _denied, deny = replacing(interaction, answered_at=moment.now, denied_at=moment.now)
        event = _event(question, None, (), browser, moment)
        return Denied(interaction), (deny, Put(event))
    scope = granted_scope(answer, question.scopes)
    if not scope and question.scopes:
        return Refusal(NOTHING_TICKED)
    grant = _grant(answer, question, scope, policy, moment)
    code = code_for(interaction, browser)
    remembered = AuthorizationCode(
        code_hash=name_of(code),
        grant_id=grant.grant_id,
        redirect_uri=interaction.redirect_uri,
        code_challenge=interaction.code_challenge,
        created_at=moment.now,
        expires_at=moment.now + policy.lifetimes.authorization_code,
    )
    _answered, close = replacing(interaction, answered_at=moment.now)
    event = _event(question, grant, scope, browser, moment)
    relied_on = _relied_on(question.step.client, policy, moment)
    changes = (close, Put(grant), Put(remembered), Put(event), *relied_on)
    return Allowed(interaction, code), changes


def _relied_on(client: Client, policy: Policy, moment: Moment) -> tuple[Change, ...]:
    """A client that somebody allowed outlives every token it can get from that."""
    if client.last_used_at is not None and client.last_used_at > moment.now - HOUR:
        return ()
    return (Replace(client, used(client, moment.now, policy.lifetimes)),)


def granted_scope(answer: Answer, scopes: tuple[Scope, ...]) -> tuple[str, ...]:
    """Baseline always, the rest as ticked; "read only" keeps of the ticked ones those that read."""
    return tuple(
        scope.name
        for scope in scopes
        if scope.baseline
        or (scope.name in answer.ticked and (answer.decision == "allow" or scope.group == "read"))
    )


def code_for(interaction: Interaction, browser: Browser) -> str:
    """The one code an interaction can yield: 256 bits that only this signed-in browser can know."""
    key = f"{browser.interaction_secret}.{browser.session_secret}".encode()
    mac = hmac.new(key, f"authorization code {interaction.interaction_id}".encode(), sha256)
    # It begins with the time of the interaction, as every token does whose name is a row's.
    time = interaction.interaction_id[:TIME_CHARACTERS]
    return time + urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def live_code(transaction: Transaction, interaction: Interaction, browser: Browser) -> str | None:
    """The code this interaction yielded, while it can still be used; None also after a denial."""
    code = code_for(interaction, browser)
    known = transaction.one(AuthorizationCode, code_hash=name_of(code))
    if known is None or known.spent_at is not None or known.expires_at <= transaction.now:
        return None
    return code


async def answer(
    answer: Answer | Refusal,
    interaction_id: str,
    browser: Browser,
    house: House,
    *,
    user_id: str,
) -> Outcome:
    """Take the answer of the person `user_id` to an interaction, once. Raises `StoreDown`."""
    return await house.store.settle(
        lambda transaction: _settle(transaction, answer, interaction_id, browser, house, user_id)
    )


def _settle(
    transaction: Transaction,
    answer: Answer | Refusal,
    interaction_id: str,
    browser: Browser,
    house: House,
    user_id: str,
) -> Outcome:
    step = next_step(read(transaction, interaction_id, browser, lock=True), transaction.now)
    if isinstance(step, Answered):
        return _again(transaction, answer, step, browser)
    # Whoever answers must be who was asked: the account may have changed in another tab.
    if not isinstance(step, AskConsent) or step.signed_in.user.user_id != user_id:
        return Elsewhere(step)
    question = read_question(transaction, step, house.policy)
    if question is None:
        return Elsewhere(step)
    if isinstance(answer, Refusal):
        return AskAgain(question, answer)
    decided = decide(answer, question, browser, house.policy, house.moment(transaction))
    if isinstance(decided, Refusal):
        return AskAgain(question, decided, answer)
    outcome, changes = decided
    transaction.apply(changes)
    return outcome


def _again(
    transaction: Transaction, answer: Answer | Refusal, step: Answered, browser: Browser
) -> Outcome:
    """A double click: the same click gets the same answer, any other finds the question closed."""
    code = live_code(transaction, step.interaction, browser)
    if isinstance(answer, Answer):
        if answer.decision != "deny" and code is not None:
            return Allowed(step.interaction, code)
        if answer.decision == "deny" and step.interaction.denied_at is not None:
            return Denied(step.interaction)
    return Elsewhere(step, code)


def _grant(
    answer: Answer, question: Question, scope: tuple[str, ...], policy: Policy, moment: Moment
) -> Grant:
    interaction = question.step.interaction
    lifetime = min(answer.days * DAY, policy.lifetimes.refresh_absolute)
    return Grant(
        grant_id=moment.token(16),
        user_id=question.step.signed_in.user.user_id,
        client_id=interaction.client_id,
        client_name=question.step.client.client_name,
        redirect_uri=interaction.redirect_uri,
        resource=question.resource.identifier,
        scope=scope,
        created_at=moment.now,
        expires_at=moment.now + lifetime,
    )


def _event(
    question: Question,
    grant: Grant | None,
    scope: tuple[str, ...],
    browser: Browser,
    moment: Moment,
) -> AuditEvent:
    return AuditEvent(
        at=moment.now,
        kind="consent",
        outcome="refused" if grant is None else "allowed",
        reason=ACCESS_DENIED.name if grant is None else None,
        user_id=question.step.signed_in.user.user_id,
        client_id=question.step.client.client_id,
        grant_id=None if grant is None else grant.grant_id,
        resource=question.resource.identifier,
        scope=scope,
        address=browser.address,
    )
