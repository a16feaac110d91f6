"""PKCE, with the vector of RFC 7636 appendix B."""

from __future__ import annotations

import os

import pytest

from mcplatch.protocol.pkce import challenge_of, is_challenge, is_verifier, new_verifier, proves

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.requirement("AS-37")
def test_the_vector() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE
    assert proves(VERIFIER, CHALLENGE)
    assert not proves(VERIFIER[:-1] + "l", CHALLENGE)
    assert not proves(CHALLENGE, CHALLENGE)


@pytest.mark.requirement("AS-37")
@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a" * 42, False),
        ("a" * 43, True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("a" * 42 + "~", True),
        ("a" * 42 + "+", False),
        ("a" * 42 + "\n", False),
        ("a" * 43 + "\n", False),
    ],
)
def test_the_syntax_of_a_verifier(text: str, good: bool) -> None:
    assert is_verifier(text) is good


@pytest.mark.requirement("AS-36")
@pytest.mark.parametrize(
    ("text", "good"),
    [
        (CHALLENGE, True),
        (CHALLENGE + "=", False),
        (CHALLENGE[:-1], False),
        (CHALLENGE[:-1] + "~", False),
        (CHALLENGE + "\n", False),
    ],
)
def test_the_syntax_of_a_challenge(text: str, good: bool) -> None:
    assert is_challenge(text) is good


def test_a_new_verifier_is_one_and_is_new() -> None:
    first, second = new_verifier(os.urandom), new_verifier(os.urandom)
    assert is_verifier(first)
    assert first != second
