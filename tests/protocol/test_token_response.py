"""The answer of a token endpoint, as the client reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.token_response import (
    MOST_SECONDS,
    TOKEN_ANSWER_MALFORMED,
    TOKEN_TYPE_UNKNOWN,
    TokenAnswer,
    TokenError,
    parse_token_answer,
    parse_token_error,
)


def body(**members: object) -> bytes:
    return json.dumps({"access_token": "at", "token_type": "Bearer", **members}).encode()


@pytest.mark.requirement("CL-51")
@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_type_is_compared_without_case(kind: str) -> None:
    assert parse_token_answer(body(token_type=kind)) == TokenAnswer("at", None, None, None)


@pytest.mark.requirement("CL-51")
@pytest.mark.parametrize("kind", ["mac", "DPoP", "N_A", "", 5, None])
def test_another_type_is_refused(kind: object) -> None:
    refusal = parse_token_answer(body(token_type=kind))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is TOKEN_TYPE_UNKNOWN


@pytest.mark.requirement("CL-52")
@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (59.9, 59),
        (0, 0),
        (-5, 0),
        (10**30, MOST_SECONDS),
        (None, None),
        ("soon", None),
        (True, None),
        ([], None),
        ("9" * 40, None),
    ],
)
def test_lifetimes(sent: object, seconds: int | None) -> None:
    answer = parse_token_answer(body(expires_in=sent))
    assert isinstance(answer, TokenAnswer)
    assert answer.expires_in == seconds


@pytest.mark.requirement("CL-52")
def test_a_missing_scope_is_not_an_empty_one() -> None:
    assert parse_token_answer(body()) == TokenAnswer("at", None, None, None)
    assert parse_token_answer(body(scope="")) == TokenAnswer("at", None, None, ())
    assert parse_token_answer(body(scope="a b a")) == TokenAnswer("at", None, None, ("a", "b"))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"[]",
        b"not json",
        b"[" * 100_000,
        b"\xff\xfe",
        body(access_token=None),
        body(access_token=""),
        body(access_token=7),
        body(access_token="a\r\nX-Injected: yes"),
        body(access_token="a b"),
        body(access_token="x" * 70_000),
        body(refresh_token=7),
        body(refresh_token="a\nb"),
        body(scope="a\x1bb"),
        b'{"access_token":"a","access_token":"b","token_type":"Bearer"}',
    ],
)
def test_what_is_malformed_is_refused(hostile: bytes) -> None:
    refusal = parse_token_answer(hostile)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is TOKEN_ANSWER_MALFORMED


def test_a_refusal_is_read_in_its_own_words() -> None:
    assert parse_token_error(b'{"error":"invalid_grant","error_description":"gone"}') == TokenError(
        "invalid_grant", "gone"
    )


@pytest.mark.parametrize("other", [b"<html>", b"{}", b'{"error":5}', b'{"error":"a\\"b"}', b"[]"])
def test_what_is_no_refusal_is_none(other: bytes) -> None:
    assert parse_token_error(other) is None


@given(st.binary(max_size=200))
def test_no_body_is_a_crash(content: bytes) -> None:
    assert isinstance(parse_token_answer(content), Refusal)
    parse_token_error(content)
