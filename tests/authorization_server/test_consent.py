"""The person's answer as a table: what is granted, what is refused, and what is remembered of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcplatch.authorization_server import consent
from mcplatch.authorization_server.consent import Allowed, Answer, Denied, decide, parse
from mcplatch.authorization_server.policy import DAY, Resource, Scope
from mcplatch.authorization_server.question import Question
from mcplatch.authorization_server.steps import ACCESS_DENIED, AskConsent, Browser
from mcplatch.moment import TIME_CHARACTERS, name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import AuditEvent, AuthorizationCode, Grant, Interaction
from mcplatch.store.port import Put, Replace, replacing
from tests.authorization_server.test_steps import ANA, interaction
from tests.world import NOW, POLICY, client, moment

BROWSER = Browser("interaction-secret", "session-secret", "203.0.113.7")
SCOPES = (
    Scope("base", "", baseline=True),
    Scope("read", ""),
    Scope("write", "", group="change"),
    Scope("delete", "", group="delete"),
)


def question(*scopes: Scope, **changes: Any) -> Question:
    pending = interaction(scope=tuple(s.name for s in scopes), **changes)
    return Question(AskConsent(pending, client(), ANA), Resource("https://r", "R", scopes), scopes)


ANSWERS: list[tuple[dict[str, tuple[str, ...]], str | Answer]] = [
    ({"decision": ("allow",)}, Answer("allow", frozenset(), 30)),
    ({"decision": ("deny",), "days": ("1",)}, Answer("deny", frozenset(), 1)),
    (
        {"decision": ("read-only",), "scope": ("a", "b"), "days": ("90",)},
        Answer("read-only", frozenset({"a", "b"}), 90),
    ),
    ({}, consent.NO_DECISION.name),
    ({"decision": ("Allow",)}, consent.NO_DECISION.name),
    ({"decision": ("allow",), "days": ("31",)}, consent.DAYS_UNKNOWN.name),
    ({"decision": ("allow",), "days": ("030",)}, consent.DAYS_UNKNOWN.name),
    ({"decision": ("allow",), "days": ("\u0661",)}, consent.DAYS_UNKNOWN.name),
]


@pytest.mark.parametrize(("fields", "expected"), ANSWERS)
def test_parse(fields: dict[str, tuple[str, ...]], expected: str | Answer) -> None:
    parsed = parse(Parameters(fields))
    assert (parsed.reason.name if isinstance(parsed, Refusal) else parsed) == expected


@pytest.mark.requirement("AS-30", "AS-149")
def test_yes_is_a_grant_a_code_an_answered_interaction_and_a_witness() -> None:
    asked = question(*SCOPES)
    decided = decide(Answer("allow", frozenset({"read"}), 90), asked, BROWSER, POLICY, moment())
    assert not isinstance(decided, Refusal)
    outcome, changes = decided
    assert isinstance(outcome, Allowed)
    replaced, grant, code, event = changes
    pending = asked.step.interaction
    assert replaced == replacing(pending, answered_at=NOW)[1]
    assert isinstance(grant, Put)
    assert isinstance(grant.record, Grant)
    assert grant.record.scope == ("base", "read")
    assert grant.record.expires_at == NOW + 90 * DAY
    assert code == Put(
        AuthorizationCode(
            code_hash=name_of(outcome.code),
            grant_id=grant.record.grant_id,
            redirect_uri=pending.redirect_uri,
            code_challenge=pending.code_challenge,
            created_at=NOW,
            expires_at=NOW + 60,
        )
    )
    assert isinstance(event, Put)
    assert isinstance(event.record, AuditEvent)
    assert (event.record.outcome, event.record.address) == ("allowed", "203.0.113.7")
    assert outcome.code not in repr(changes)


def test_no_is_an_answered_interaction_and_a_witness() -> None:
    decided = decide(
        Answer("deny", frozenset({"read"}), 30), question(*SCOPES), BROWSER, POLICY, moment()
    )
    assert not isinstance(decided, Refusal)
    outcome, changes = decided
    assert isinstance(outcome, Denied)
    replaced, event = changes
    assert isinstance(replaced, Replace)
    assert isinstance(event, Put)
    assert isinstance(event.record, AuditEvent)
    assert (event.record.outcome, event.record.reason) == ("refused", ACCESS_DENIED.name)
    assert event.record.scope == ()


@pytest.mark.requirement("AS-149")
@pytest.mark.parametrize("decision", ["allow", "read-only"])
def test_nothing_ticked_is_no_answer(decision: Any) -> None:
    asked = question(*SCOPES[1:])
    refused = decide(Answer(decision, frozenset({"x"}), 1), asked, BROWSER, POLICY, moment())
    assert isinstance(refused, Refusal)
    assert refused.reason is consent.NOTHING_TICKED


def test_where_there_is_nothing_to_tick_yes_is_yes() -> None:
    decided = decide(Answer("allow", frozenset(), 1), question(), BROWSER, POLICY, moment())
    assert not isinstance(decided, Refusal)


@pytest.mark.requirement("AS-30")
def test_a_code_belongs_to_one_interaction_of_one_browser_and_session() -> None:
    first, second = (
        interaction(interaction_id="6b49d200000001i"),
        interaction(interaction_id="6b49d200000001j"),
    )
    codes = [
        consent.code_for(pending, browser)
        for pending in (first, second)
        for browser in (
            BROWSER,
            Browser("interaction-secret", "another", None),
            Browser("another", "session-secret", None),
        )
    ]
    assert len(set(codes)) == 6
    # After the time, which only orders rows, 256 bits.
    assert {len(code[TIME_CHARACTERS:]) for code in codes} == {43}
    assert consent.code_for(first, replace(BROWSER, address="elsewhere")) == codes[0]


def test_interactions_are_what_they_seem() -> None:
    """The tables above stand on this: an interaction that is pending at NOW."""
    pending: Interaction = interaction()
    assert pending.created_at < NOW < pending.expires_at
