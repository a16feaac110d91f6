"""The authorization code grant as a table: one thing wrong a row, and what is answered and changed."""

from __future__ import annotations

from typing import Any

import pytest

from mcplatch.authorization_server.decision import Issued, Refused
from mcplatch.authorization_server.grant_types import authorization_code as rule
from mcplatch.moment import name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import AuthorizationCode, RefreshToken
from mcplatch.store.port import Put, Replace
from tests.world import MAIL, NOTES, NOW, POLICY, VERIFIER, client, code, grant, moment

REQUEST = rule.Request("code-1", VERIFIER, None, ())


def decide(
    *,
    request: dict[str, Any] | None = None,
    its_code: dict[str, Any] | None = None,
    its_grant: dict[str, Any] | None = None,
    its_client: dict[str, Any] | None = None,
) -> Any:
    asked = rule.Request(**{**_fields(REQUEST), **(request or {})})
    facts = rule.Facts(code(**(its_code or {})), grant(**(its_grant or {})))
    return rule.decide(asked, facts, client(**(its_client or {})), POLICY, moment())


def _fields(request: rule.Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in rule.Request.__dataclass_fields__}


REFUSED = [
    ("another client", {"its_client": {"client_id": "other"}}, rule.CODE_OF_ANOTHER_CLIENT),
    ("wrong verifier", {"request": {"code_verifier": "w" * 43}}, rule.VERIFIER_WRONG),
    (
        "other redirect URI",
        {"request": {"redirect_uri": "http://127.0.0.1:5001/callback"}},
        rule.REDIRECT_URI_DIFFERS,
    ),
    ("other resource", {"request": {"resource": (MAIL,)}}, rule.RESOURCE_NOT_GRANTED),
    ("one of two resources", {"request": {"resource": (NOTES, MAIL)}}, rule.RESOURCE_NOT_GRANTED),
    ("revoked grant", {"its_grant": {"revoked_at": NOW - 1}}, rule.GRANT_REVOKED),
    ("expired this second", {"its_code": {"expires_at": NOW}}, rule.CODE_EXPIRED),
]


@pytest.mark.requirement("AS-30", "AS-37", "AS-39", "AS-118")
@pytest.mark.parametrize(("_name", "wrong", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_one_wrong_thing_refuses_and_changes_nothing(
    _name: str, wrong: dict[str, Any], reason: Any
) -> None:
    assert decide(**wrong) == Refused(reason)


@pytest.mark.requirement("AS-38")
def test_a_replay_by_a_valid_request_ends_the_grant() -> None:
    decision = decide(its_code={"spent_at": NOW - 1})
    assert decision.reason is rule.CODE_REPLAYED
    (change,) = decision.changes
    assert change.old.grant_id == "grant-1"
    assert change.new.revoked_at == NOW


@pytest.mark.requirement("AS-38", "AS-40")
@pytest.mark.parametrize(("_name", "wrong", "reason"), REFUSED[:5], ids=[r[0] for r in REFUSED[:5]])
def test_a_replay_that_is_wrong_in_another_way_ends_nothing(
    _name: str, wrong: dict[str, Any], reason: Any
) -> None:
    spent = {**wrong, "its_code": {"spent_at": NOW - 1}}
    assert decide(**spent) == Refused(reason)


def test_an_unknown_code_is_refused() -> None:
    decision = rule.decide(REQUEST, rule.Facts(None, None), client(), POLICY, moment())
    assert decision == Refused(rule.CODE_UNKNOWN)


@pytest.mark.requirement("AS-39", "AS-118", "AS-120")
@pytest.mark.parametrize(
    "request_fields",
    [
        {},
        {"redirect_uri": "http://127.0.0.1:5000/callback"},
        {"resource": (NOTES,)},
        {"resource": ("HTTPS://Notes.Example:443/mcp",)},
    ],
)
def test_a_right_request_spends_the_code_and_issues(request_fields: dict[str, Any]) -> None:
    decision = decide(request=request_fields)
    assert isinstance(decision, Issued)
    assert decision.scope == ("notes:read", "notes:write")
    spent, _used, first = decision.changes
    assert isinstance(spent, Replace)
    assert isinstance(spent.new, AuthorizationCode)
    assert spent.new.spent_at == NOW
    assert isinstance(first, Put)
    assert isinstance(first.record, RefreshToken)
    assert first.record.token_hash == name_of(decision.refresh_token or "")


@pytest.mark.requirement("AS-134")
def test_a_client_without_the_refresh_grant_gets_no_refresh_token() -> None:
    decision = decide(its_client={"grant_types": ("authorization_code",)})
    assert decision.refresh_token is None
    assert not any(isinstance(change, Put) for change in decision.changes)


@pytest.mark.requirement("AS-37")
@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, rule.CODE_MISSING),
        ({"code": "c"}, rule.VERIFIER_MISSING),
        ({"code": "c", "code_verifier": "v" * 42}, rule.VERIFIER_MALFORMED),
        ({"code": "c", "code_verifier": "v" * 129}, rule.VERIFIER_MALFORMED),
        ({"code": "c", "code_verifier": "v" * 42 + "+"}, rule.VERIFIER_MALFORMED),
        ({"code": "c", "code_verifier": "ü" * 43}, rule.VERIFIER_MALFORMED),
    ],
)
def test_an_incomplete_request_is_refused(form: dict[str, str], reason: Any) -> None:
    parameters = Parameters({name: (value,) for name, value in form.items()})
    assert rule.parse(parameters) == Refusal(reason)
