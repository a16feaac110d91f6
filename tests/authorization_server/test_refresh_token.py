"""Refresh rotation as a table: who gets a new token, who the same answer again, and whose grant ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcplatch.authorization_server.decision import Issued, Refused, Repeated
from mcplatch.authorization_server.grant_types import refresh_token as rule
from mcplatch.moment import name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.token import token_response
from mcplatch.records import Client, Grant, RefreshToken
from mcplatch.seal import seal
from mcplatch.store.port import Replace
from tests.world import (
    MAIL,
    NOTES,
    NOW,
    POLICY,
    client,
    confidential,
    grant,
    moment,
    refresh_token,
)

REQUEST = rule.Request("refresh-1", (), ())
W = POLICY.lifetimes.retry
W2 = POLICY.lifetimes.retry_unconfirmed
ANSWER = token_response(
    "at-2", expires_in=600, scope=("notes:read", "notes:write"), refresh_token="refresh-2"
)
SEALED = seal(rule.answer_key("refresh-1"), ANSWER, bound_to=name_of("refresh-2"))


def rotated(
    age: int, *, confirmed: int | None = None, generation: int = 1, retries: int = 0
) -> Any:
    """Facts about a token that was rotated `age` seconds ago; the grant is at `generation` now."""
    current = refresh_token(
        token_hash=name_of("refresh-2"),
        generation=generation,
        created_at=NOW - age,
        confirmed_at=confirmed,
        sealed=SEALED,
        retries=retries,
    )
    its_grant = grant(generation=generation, refresh_hash=current.token_hash)
    return rule.Facts(refresh_token(), its_grant, current)


def decide(facts: Any, request: rule.Request = REQUEST, by: Client | None = None) -> Any:
    return rule.decide(request, facts, by or client(), POLICY, moment())


FRESH = rule.Facts(refresh_token(), grant(), refresh_token())


@pytest.mark.requirement("AS-135", "AS-137")
def test_the_current_token_is_rotated() -> None:
    decision = decide(FRESH)
    assert isinstance(decision, Issued)
    (used,) = decision.changes
    assert isinstance(used, Replace)
    assert isinstance(used.new, Grant)
    assert decision.successor is not None
    assert used.new.refresh_hash == decision.successor.token_hash
    assert decision.successor.generation == 1
    assert decision.successor.token_hash == name_of(decision.refresh_token or "")
    assert decision.scope == ("notes:read", "notes:write")


RETRIES = [
    ("at once", rotated(0), True),
    ("at the end of W, confirmed", rotated(W, confirmed=NOW), True),
    ("after W, confirmed", rotated(W + 1, confirmed=NOW), False),
    ("after W, unconfirmed", rotated(W + 1), True),
    ("at the end of W2, unconfirmed", rotated(W2), True),
    ("after W2", rotated(W2 + 1), False),
    ("an older generation", rotated(1, generation=2), False),
    ("too many retries", rotated(1, retries=POLICY.most_retries), False),
]


@pytest.mark.requirement("AS-136", "GW-31")
@pytest.mark.parametrize(("_name", "facts", "again"), RETRIES, ids=[row[0] for row in RETRIES])
def test_the_direct_predecessor_gets_the_same_answer_for_a_while(
    _name: str, facts: Any, again: bool
) -> None:
    decision = decide(facts)
    if again:
        assert isinstance(decision, Repeated)
        assert decision.body == ANSWER
        (counted,) = decision.changes
        assert isinstance(counted, Replace)
        assert isinstance(counted.new, RefreshToken)
        assert counted.new.retries == facts.current.retries + 1
    else:
        assert isinstance(decision, Refused)
        assert decision.reason is rule.TOKEN_REUSED
        (ended,) = decision.changes
        assert ended.new.revoked_at == NOW  # type: ignore[union-attr]


@pytest.mark.requirement("AS-136")
def test_a_retry_with_a_smaller_scope_gets_the_same_successor_and_its_own_access_token() -> None:
    decision = decide(rotated(1), replace(REQUEST, scope=("notes:read",)))
    assert isinstance(decision, Issued)
    assert decision.refresh_token == "refresh-2"
    assert decision.scope == ("notes:read",)
    assert decision.successor is None


REFUSED = [
    ("unknown", rule.Facts(None, None, None), REQUEST, None, rule.TOKEN_UNKNOWN),
    ("another client", FRESH, REQUEST, client(client_id="x"), rule.TOKEN_OF_ANOTHER_CLIENT),
    (
        "revoked grant",
        rule.Facts(refresh_token(), grant(revoked_at=NOW - 1), refresh_token()),
        REQUEST,
        None,
        rule.GRANT_ENDED,
    ),
    (
        "idle too long",
        rule.Facts(refresh_token(expires_at=NOW), grant(), refresh_token(expires_at=NOW)),
        REQUEST,
        None,
        rule.TOKEN_EXPIRED,
    ),
    (
        "grant ran out",
        rule.Facts(refresh_token(), grant(expires_at=NOW), refresh_token()),
        REQUEST,
        None,
        rule.TOKEN_EXPIRED,
    ),
    (
        "more scope",
        FRESH,
        replace(REQUEST, scope=("notes:read", "notes:delete")),
        None,
        rule.SCOPE_NOT_GRANTED,
    ),
    ("other resource", FRESH, replace(REQUEST, resource=(MAIL,)), None, rule.RESOURCE_NOT_GRANTED),
]


@pytest.mark.requirement("AS-118", "AS-137", "AS-138", "AS-139")
@pytest.mark.parametrize(
    ("_name", "facts", "request_", "by", "reason"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_a_refused_request_burns_nothing(
    _name: str, facts: Any, request_: Any, by: Client | None, reason: Any
) -> None:
    assert decide(facts, request_, by) == Refused(reason)


@pytest.mark.requirement("AS-135", "AS-136")
def test_a_stranger_with_a_rotated_token_ends_nothing() -> None:
    decision = decide(rotated(W2 + 1), by=client(client_id="stranger"))
    assert decision == Refused(rule.TOKEN_OF_ANOTHER_CLIENT)


@pytest.mark.requirement("AS-137")
def test_scope_can_shrink_for_one_access_token_only() -> None:
    decision = decide(
        FRESH, replace(REQUEST, scope=("notes:read", "offline_access"), resource=(NOTES,))
    )
    assert isinstance(decision, Issued)
    assert decision.scope == ("notes:read",)
    assert decision.grant.scope == ("notes:read", "notes:write")


@pytest.mark.requirement("AS-135")
def test_a_confidential_client_keeps_its_token_and_its_life_is_renewed() -> None:
    idle = POLICY.lifetimes.refresh_idle
    aged = refresh_token(expires_at=NOW + idle - rule.RENEW_AFTER - 1)
    decision = decide(rule.Facts(aged, grant(client_id="client-2"), aged), by=confidential())
    assert isinstance(decision, Issued)
    assert decision.refresh_token is None
    assert decision.successor is None
    renewed = decision.changes[1]
    assert isinstance(renewed, Replace)
    assert isinstance(renewed.new, RefreshToken)
    assert renewed.new.expires_at == NOW + idle
    young = refresh_token(expires_at=NOW + idle - rule.RENEW_AFTER)
    again = decide(rule.Facts(young, grant(client_id="client-2"), young), by=confidential())
    assert isinstance(again, Issued)
    assert len(again.changes) == 1


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, "refresh-token-missing"),
        ({"refresh_token": "r", "scope": 'a"b'}, "scope-malformed"),
    ],
)
def test_an_incomplete_request_is_refused(form: dict[str, str], reason: str) -> None:
    refusal = rule.parse(Parameters({name: (value,) for name, value in form.items()}))
    assert isinstance(refusal, Refusal)
    assert refusal.reason.name == reason
