"""The answer to an authorization request: state first, then issuer, then error, then code."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.authorization_response import (
    ISSUER_MISSING,
    ISSUER_WRONG,
    RESPONSE_MALFORMED,
    STATE_WRONG,
    Attempt,
    AuthorizationCodeAnswer,
    AuthorizationErrorAnswer,
    parse_answer,
)
from mcplatch.protocol.refusal import Reason, Refusal

ISSUER = "https://as.example"
STATE = "s" * 43
CALLBACK = "http://127.0.0.1:4000/callback"


def attempt(*, promised: bool) -> Attempt:
    return Attempt(ISSUER, promised, STATE, "v" * 43, CALLBACK, None, ())


def back(**parameters: str) -> str:
    return f"{CALLBACK}?{urlencode(parameters)}"


def test_a_code_is_read() -> None:
    answer = parse_answer(back(code="abc", state=STATE, iss=ISSUER), attempt(promised=True))
    assert answer == AuthorizationCodeAnswer("abc")


@pytest.mark.requirement("CL-32")
def test_a_missing_issuer_that_was_not_promised_is_all_right() -> None:
    answer = parse_answer(back(code="abc", state=STATE), attempt(promised=False))
    assert answer == AuthorizationCodeAnswer("abc")


def test_an_error_of_the_proven_issuer_is_read() -> None:
    url = back(error="access_denied", error_description="no", state=STATE, iss=ISSUER)
    assert parse_answer(url, attempt(promised=True)) == AuthorizationErrorAnswer(
        "access_denied", "no"
    )


REFUSED: list[tuple[str, dict[str, str], bool, Reason]] = [
    ("no state", {"code": "abc", "iss": ISSUER}, True, STATE_WRONG),
    ("other state", {"code": "abc", "state": "x" * 43, "iss": ISSUER}, True, STATE_WRONG),
    ("longer state", {"code": "abc", "state": STATE + "x"}, False, STATE_WRONG),
    ("other state, error", {"error": "access_denied", "state": "x"}, False, STATE_WRONG),
    ("issuer promised, absent", {"code": "abc", "state": STATE}, True, ISSUER_MISSING),
    ("the same for an error", {"error": "x", "state": STATE}, True, ISSUER_MISSING),
    (
        "another issuer",
        {"code": "abc", "state": STATE, "iss": "https://evil"},
        True,
        ISSUER_WRONG,
    ),
    ("unasked and wrong", {"code": "abc", "state": STATE, "iss": "https://x"}, False, ISSUER_WRONG),
    ("a slash", {"code": "abc", "state": STATE, "iss": ISSUER + "/"}, False, ISSUER_WRONG),
    ("upper case", {"code": "abc", "state": STATE, "iss": ISSUER.upper()}, False, ISSUER_WRONG),
    ("wrong issuer, error", {"error": "x", "state": STATE, "iss": "y"}, False, ISSUER_WRONG),
    ("neither code nor error", {"state": STATE}, False, RESPONSE_MALFORMED),
    ("a code of two lines", {"code": "a\r\nb", "state": STATE}, False, RESPONSE_MALFORMED),
]


@pytest.mark.requirement("CL-31", "CL-32")
@pytest.mark.parametrize(
    ("parameters", "promised", "reason"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_is_refused(parameters: dict[str, str], promised: bool, reason: Reason) -> None:
    refusal = parse_answer(back(**parameters), attempt(promised=promised))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


@pytest.mark.parametrize("name", ["state", "iss", "code", "error"])
def test_a_repeated_parameter_is_refused(name: str) -> None:
    url = back(code="abc", state=STATE, iss=ISSUER) + f"&{name}=other&{name}=again"
    refusal = parse_answer(url, attempt(promised=True))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RESPONSE_MALFORMED


@given(st.text(max_size=200))
def test_no_answer_is_a_crash_and_none_passes_without_the_state(query: str) -> None:
    assert isinstance(parse_answer(f"{CALLBACK}?{query}", attempt(promised=False)), Refusal)
