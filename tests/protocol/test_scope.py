"""Scope strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import MOST_SCOPES, SCOPE_MALFORMED, format_scope, parse_scope


@pytest.mark.requirement("AS-21", "AS-81")
@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        (None, ()),
        ("", ()),
        ("a", ("a",)),
        ("b a b", ("b", "a")),
        (" a  b ", ("a", "b")),
        ("notes:read mcp.x/y+z", ("notes:read", "mcp.x/y+z")),
    ],
)
def test_parsed(text: str | None, scopes: tuple[str, ...]) -> None:
    assert parse_scope(text) == scopes


@pytest.mark.parametrize(
    "text",
    ['a"b', "a\\b", "a\tb", "ü", "a\x00", "x" * 201, " ".join(map(str, range(MOST_SCOPES + 1)))],
)
def test_refused(text: str) -> None:
    refusal = parse_scope(text)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is SCOPE_MALFORMED


@given(st.lists(st.from_regex(r"[!#-\[\]-~]{1,20}", fullmatch=True), max_size=20, unique=True))
def test_round_trip(scopes: list[str]) -> None:
    assert parse_scope(format_scope(scopes)) == tuple(scopes)
