"""Claims of access tokens and introspection answers: what is written can be read, and nothing else (RFC 9068, 7662)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol import introspection
from mcplatch.protocol.access_token import (
    AUDIENCE_WRONG,
    CLAIMS_MALFORMED,
    ISSUER_WRONG,
    TOKEN_EXPIRED,
    TOKEN_NOT_YET_VALID,
    AccessTokenClaims,
    build_claims,
    check_claims,
    read_claims,
)
from mcplatch.protocol.refusal import Reason, Refusal

NOW = 1_800_000_000
ISSUER = "https://auth.example"
RESOURCE = "https://notes.example/mcp"
GOOD = AccessTokenClaims(
    iss=ISSUER,
    sub="ada",
    aud=(RESOURCE,),
    client_id="client-1",
    scope=("a", "b"),
    exp=NOW + 600,
    iat=NOW,
    jti="j",
    grant_id="g",
    extra={"acr": "1"},
)


def check(document: Any, now: float = NOW) -> AccessTokenClaims | Refusal:
    return check_claims(document, issuer=ISSUER, resource=RESOURCE, now=now)


@pytest.mark.requirement("AS-131", "RS-44")
def test_what_is_written_can_be_read() -> None:
    document = build_claims(GOOD)
    assert document == {
        "iss": ISSUER,
        "sub": "ada",
        "aud": RESOURCE,
        "client_id": "client-1",
        "scope": "a b",
        "exp": NOW + 600,
        "iat": NOW,
        "jti": "j",
        "grant_id": "g",
        "acr": "1",
    }
    assert check(document) == GOOD
    two = replace(GOOD, aud=("https://x.example", RESOURCE))
    assert build_claims(two)["aud"] == ["https://x.example", RESOURCE]
    assert check(build_claims(two)) == two
    bare = AccessTokenClaims(ISSUER, "ada", (RESOURCE,), "c", (), NOW + 1)
    assert "scope" not in build_claims(bare)
    assert check(build_claims(bare)) == bare
    assert build_claims(replace(GOOD, extra={"sub": "eve"}))["sub"] == "ada"


@pytest.mark.requirement("RS-42", "RS-44")
@pytest.mark.parametrize(
    ("changes", "now", "reason"),
    [
        ({}, NOW + 629, None),
        ({}, NOW + 630, TOKEN_EXPIRED),
        ({}, NOW - 30, None),
        ({}, NOW - 31, TOKEN_NOT_YET_VALID),
        ({"nbf": NOW + 30}, NOW, None),
        ({"nbf": NOW + 31}, NOW, TOKEN_NOT_YET_VALID),
        ({"nbf": -1}, NOW, CLAIMS_MALFORMED),
        ({"nbf": None}, NOW, CLAIMS_MALFORMED),
        ({"iss": ISSUER + "/"}, NOW, ISSUER_WRONG),
        ({"aud": "https://other.example"}, NOW, AUDIENCE_WRONG),
        ({"aud": ["x"] * 21}, NOW, CLAIMS_MALFORMED),
        ({"exp": float("nan")}, NOW, CLAIMS_MALFORMED),
        ({"exp": float("inf")}, NOW, CLAIMS_MALFORMED),
        ({"exp": -1}, NOW, CLAIMS_MALFORMED),
        ({"exp": 1 << 60}, NOW, CLAIMS_MALFORMED),
        ({"iat": True}, NOW, CLAIMS_MALFORMED),
        ({"sub": "x" * 3000}, NOW, CLAIMS_MALFORMED),
    ],
)
def test_when_and_where_claims_hold(
    changes: dict[str, Any], now: float, reason: Reason | None
) -> None:
    found = check({**build_claims(GOOD), **changes}, now)
    assert (found.reason if isinstance(found, Refusal) else None) is reason


@pytest.mark.requirement("RS-5")
@given(
    st.dictionaries(
        st.sampled_from(
            ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "nbf", "jti", "grant_id"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_no_claim_is_too_odd_to_judge(changes: dict[str, Any]) -> None:
    found = check({**build_claims(GOOD), **changes})
    assert isinstance(found, (AccessTokenClaims, Refusal))
    if isinstance(found, Refusal):
        assert (found.reason.error, found.reason.status) == ("invalid_token", 401)


@pytest.mark.requirement("AS-141", "RS-47")
def test_introspection_answers() -> None:
    assert introspection.build(None) == {"active": False}
    document = introspection.build(GOOD)
    assert document["active"] is True
    assert document["token_type"] == "Bearer"
    assert introspection.parse(document) == GOOD
    assert introspection.claims_of(document) == build_claims(GOOD)
    inactive = introspection.parse({"active": False, "sub": "ada"})
    assert isinstance(inactive, Refusal)
    assert inactive.reason is introspection.TOKEN_INACTIVE


@pytest.mark.requirement("RS-47", "RS-14")
@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"active": "true"}, {"active": 1}, {"active": None}, {"active": True}],
)
def test_an_answer_that_says_nothing_is_nobodys_fault(document: Any) -> None:
    found = introspection.parse(document)
    assert isinstance(found, Refusal)
    assert found.reason is introspection.INTROSPECTION_MALFORMED
    assert found.reason.status == 503


def test_scopes_in_a_list_are_read_as_one_string() -> None:
    document = {**build_claims(GOOD), "scope": ["a", "b a"]}
    found = read_claims(document)
    assert isinstance(found, AccessTokenClaims)
    assert found.scope == ("a", "b")
