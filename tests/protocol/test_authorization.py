"""The authorization request as a table, and answers by redirect."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from mcplatch.protocol import authorization as rule
from mcplatch.protocol.authorization import (
    AuthorizationRequest,
    ReturnTo,
    code_response,
    error_response,
    parse_authorization_request,
    parse_client_id,
    parse_state,
)
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Refusal

GOOD = {
    "response_type": "code",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
    "scope": "a b",
    "resource": "https://h/mcp",
}


def form(**changes: str | None) -> Parameters:
    values = {name: value for name, value in {**GOOD, **changes}.items() if value}
    return Parameters({name: (value,) for name, value in values.items()})


def test_a_good_request() -> None:
    assert parse_authorization_request(form(prompt="login consent", foo="1")) == (
        AuthorizationRequest(("a", "b"), ("https://h/mcp",), "c" * 43, ("login", "consent"))
    )


@pytest.mark.requirement("AS-24", "AS-29", "AS-35", "AS-36", "AS-116")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"response_type": None}, rule.RESPONSE_TYPE_MISSING),
        ({"response_type": "token"}, rule.RESPONSE_TYPE_UNSUPPORTED),
        ({"response_type": "code id_token"}, rule.RESPONSE_TYPE_UNSUPPORTED),
        ({"response_type": "none"}, rule.RESPONSE_TYPE_UNSUPPORTED),
        ({"response_mode": "fragment"}, rule.RESPONSE_MODE_UNSUPPORTED),
        ({"response_mode": "form_post"}, rule.RESPONSE_MODE_UNSUPPORTED),
        ({"request": "x"}, rule.REQUEST_OBJECT_UNSUPPORTED),
        ({"request_uri": "https://evil/"}, rule.REQUEST_URI_UNSUPPORTED),
        ({"code_challenge": None}, rule.CHALLENGE_MISSING),
        ({"code_challenge_method": None}, rule.CHALLENGE_METHOD_WRONG),
        ({"code_challenge_method": "plain"}, rule.CHALLENGE_METHOD_WRONG),
        ({"code_challenge_method": "s256"}, rule.CHALLENGE_METHOD_WRONG),
        ({"code_challenge": "c" * 42}, rule.CHALLENGE_MALFORMED),
        ({"prompt": "none login"}, rule.PROMPT_UNKNOWN),
        ({"prompt": "everything"}, rule.PROMPT_UNKNOWN),
    ],
)
def test_one_wrong_thing(changes: dict[str, str | None], reason: object) -> None:
    refusal = parse_authorization_request(form(**changes))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"scope": 'a"'}, "invalid_scope"), ({"resource": "x#y"}, "invalid_target")],
)
def test_scope_and_resource_have_their_own_errors(changes: dict[str, str], error: str) -> None:
    refusal = parse_authorization_request(form(**changes))
    assert isinstance(refusal, Refusal)
    assert refusal.reason.error == error


def test_client_id_and_state() -> None:
    missing = parse_client_id(form())
    assert isinstance(missing, Refusal)
    assert missing.reason is rule.CLIENT_ID_MISSING
    assert parse_client_id(form(client_id="x")) == "x"
    assert parse_state(form()) is None
    long = parse_state(form(state="s" * (rule.MOST_STATE + 1)))
    assert isinstance(long, Refusal)
    assert long.reason is rule.STATE_TOO_LONG


STATE = "https://vscode.dev/redirect?x=%2F+=&" + "é" * 1000


@pytest.mark.requirement("AS-23", "AS-25", "AS-31")
@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1/cb", "https://app/cb?tenant=1", "cursor://x/cb"]
)
def test_answers_carry_the_state_exactly_and_the_issuer(uri: str) -> None:
    to = ReturnTo(uri, STATE, "https://auth.example")
    answer = code_response(to, "co/de+=")
    assert answer.startswith(uri)
    assert answer.isascii()
    query = parse_qs(urlsplit(answer).query, strict_parsing=True)
    assert query["code"] == ["co/de+="]
    assert query["state"] == [STATE]
    assert query["iss"] == ["https://auth.example"]
    refusal = parse_qs(urlsplit(error_response(to, rule.CHALLENGE_MISSING)).query)
    assert refusal["error"] == ["invalid_request"]
    assert refusal["state"] == [STATE]
    assert refusal["iss"] == ["https://auth.example"]


def test_no_state_no_parameter() -> None:
    assert "state" not in code_response(ReturnTo("http://localhost/cb", None, "https://a"), "c")
