"""Taking the token out of the header, and why it may be refused there (RFC 6750 sections 2.1 and 3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.resource_server.bearer import (
    AUTHORIZATION_REPEATED,
    BEARER_EMPTY,
    MOST_CHARACTERS,
    TOKEN_GARBLED,
    TOKEN_TOO_LONG,
    TWO_METHODS,
    read_token,
)
from mcplatch.resource_server.body import BODY_TOO_LARGE, CLIENT_LEFT, read_body
from mcplatch.resource_server.jwt_verifier import TOKEN_BOUND
from mcplatch.resource_server.verdict import Invalid
from tests.resource_server.issuer import Clock, Issuer
from tests.resource_server.servers import make_latch


@pytest.mark.requirement("RS-41", "RS-7", "RS-54")
@pytest.mark.parametrize(
    ("lines", "query", "expected"),
    [
        ([], b"", None),
        ([], b"access_token=x", None),
        ([b"Bearer abc"], b"", "abc"),
        ([b"bearer   abc "], b"a=1", "abc"),
        ([b"Bearer a-._~+/1=="], b"xaccess_token=1&access_tokens", "a-._~+/1=="),
        ([b"Basic abc"], b"access_token=x", None),
        ([b""], b"", None),
        ([b"Bearer\tabc"], b"", None),
        ([b"Bearer " + b"x" * MOST_CHARACTERS], b"", "x" * MOST_CHARACTERS),
        ([b"Bearer a", b"Bearer a"], b"", AUTHORIZATION_REPEATED),
        ([b"Basic a", b"Bearer a"], b"", AUTHORIZATION_REPEATED),
        ([b"Bearer"], b"", BEARER_EMPTY),
        ([b"Bearer "], b"access_token=x", BEARER_EMPTY),
        ([b"Bearer a"], b"access_token", TWO_METHODS),
        ([b"Bearer a"], b"x=1&access_token=a", TWO_METHODS),
        ([b"Bearer " + b"x" * (MOST_CHARACTERS + 1)], b"", TOKEN_TOO_LONG),
        ([b"Bearer a b"], b"", TOKEN_GARBLED),
        ([b"Bearer a=b"], b"", TOKEN_GARBLED),
        ([b"Bearer \xff"], b"", TOKEN_GARBLED),
        ([b"Bearer a\n"], b"", TOKEN_GARBLED),
    ],
)
def test_what_is_taken_for_the_token(
    lines: list[bytes], query: bytes, expected: str | Reason | None
) -> None:
    found = read_token(lines, query)
    assert (found.reason if isinstance(found, Refusal) else found) == expected


@pytest.mark.requirement("RS-5", "RS-7")
def test_what_is_malformed_is_400_and_what_is_no_token_401() -> None:
    for reason in (AUTHORIZATION_REPEATED, BEARER_EMPTY, TWO_METHODS):
        assert (reason.status, reason.error) == (400, "invalid_request")
    for reason in (TOKEN_TOO_LONG, TOKEN_GARBLED, TOKEN_BOUND):
        assert (reason.status, reason.error) == (401, "invalid_token")


@pytest.mark.anyio
@pytest.mark.requirement("RS-101")
async def test_a_token_bound_to_a_key_is_no_bearer_token(issuer: Issuer, clock: Clock) -> None:
    token = issuer.token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    verdict = await make_latch(issuer, clock).verifier.verify(token)
    assert isinstance(verdict, Invalid)
    assert verdict.reason is TOKEN_BOUND


@pytest.mark.anyio
@pytest.mark.requirement("RS-54")
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("http.request", b"ab", False)], b"ab"),
        ([("http.request", b"abc", False)], b"abc"),
        ([("http.request", b"abcd", False)], BODY_TOO_LARGE),
        ([("http.request", b"ab", True), ("http.request", b"c", False)], b"abc"),
        ([("http.request", b"ab", True), ("http.request", b"cd", True)], BODY_TOO_LARGE),
        ([("http.request", b"", True), ("http.request", b"", False)], b""),
        ([("http.disconnect", b"", False)], CLIENT_LEFT),
        ([("http.request", b"a", True), ("http.disconnect", b"", False)], CLIENT_LEFT),
    ],
)
async def test_a_body_is_read_up_to_its_limit(
    events: list[tuple[str, bytes, bool]], expected: bytes | Reason
) -> None:
    pending: list[dict[str, Any]] = [
        {"type": kind, "body": body, "more_body": more} for kind, body, more in events
    ]

    async def receive() -> dict[str, Any]:
        return pending.pop(0)

    found = await read_body(receive, 3)
    assert (found.reason if isinstance(found, Refusal) else found) == expected
