"""Challenges: one line that every parser in the field reads, and a parser that reads every line (RFC 9110 11.6.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.challenge import Challenge, build_challenge, parse_challenges, plain_text


def pairs(*values: str) -> list[tuple[str, dict[str, str]]]:
    return [(found.scheme, dict(found.parameters)) for found in parse_challenges(values)]


@pytest.mark.requirement("RS-4", "RS-8")
def test_what_is_built() -> None:
    assert build_challenge() == "Bearer"
    assert build_challenge(resource_metadata="https://a.example/x", scope=["a", "b"]) == (
        'Bearer scope="a b", resource_metadata="https://a.example/x"'
    )
    assert build_challenge(error="invalid_token", error_description="No.", scheme="DPoP") == (
        'DPoP error="invalid_token", error_description="No."'
    )


@pytest.mark.requirement("RS-8", "RS-9")
@pytest.mark.parametrize(
    "text", ['a"b', "a\\b", "a\r\nSet-Cookie: x=1", "a\x00b", "\u2603", "a\x7fb", "\ud800"]
)
def test_nothing_needs_an_escape_or_breaks_the_line(text: str) -> None:
    line = build_challenge(error="e", error_description=text)
    assert line.isascii()
    assert line.isprintable()
    assert line.count('"') == 4
    assert pairs(line) == [("Bearer", {"error": "e", "error_description": plain_text(text)})]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([""], []),
        (["Bearer"], [("Bearer", {})]),
        (["bearer "], [("bearer", {})]),
        (['Bearer realm="x"'], [("Bearer", {"realm": "x"})]),
        (["Bearer realm=x"], [("Bearer", {"realm": "x"})]),
        (['Bearer REALM = "x" , Scope="a b"'], [("Bearer", {"realm": "x", "scope": "a b"})]),
        (['Bearer a="x, y=\\"z\\"", b="\\\\"'], [("Bearer", {"a": 'x, y="z"', "b": "\\"})]),
        (['Bearer a=""'], [("Bearer", {"a": ""})]),
        (['Bearer a="1", a="2"'], [("Bearer", {"a": "1"})]),
        (
            ['Basic realm="r", Bearer scope="s", DPoP algs="ES256"'],
            [("Basic", {"realm": "r"}), ("Bearer", {"scope": "s"}), ("DPoP", {"algs": "ES256"})],
        ),
        (["Basic, Bearer"], [("Basic", {}), ("Bearer", {})]),
        (["Negotiate YWJj=="], [("Negotiate", {"token68": "YWJj=="})]),
        (
            ['Negotiate YWJj==, Bearer scope="s"'],
            [("Negotiate", {"token68": "YWJj=="}), ("Bearer", {"scope": "s"})],
        ),
        (
            ['Basic realm="r"', 'Bearer scope="s"'],
            [("Basic", {"realm": "r"}), ("Bearer", {"scope": "s"})],
        ),
        ([', ,Bearer scope="s",,'], [("Bearer", {"scope": "s"})]),
        (['Bearer\tscope="s"'], [("Bearer", {"scope": "s"})]),
        (['Bearer scope="unfinished'], [("Bearer", {}), ("scope", {})]),
        (['scope="s"'], []),
        (["=x"], []),
        (['Bearer scope="s" "x"'], [("Bearer", {"scope": "s"})]),
        (["Bearer " + "x" * 20_000], []),
    ],
)
def test_what_is_read(values: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert pairs(*values) == expected


@given(
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "error": st.sampled_from(["invalid_token", "insufficient_scope"]),
            "error_description": st.text(min_size=1, max_size=40),
            "scope": st.lists(st.from_regex(r"[!#-\[\]-~]{1,8}", fullmatch=True), min_size=1),
            "resource_metadata": st.just("https://a.example/.well-known/x"),
        },
    )
)
def test_what_is_built_can_be_read(parameters: dict[str, object]) -> None:
    line = build_challenge(**parameters)  # type: ignore[arg-type]
    found = parse_challenges([line])
    assert len(found) == 1
    assert found[0].is_bearer()
    for name, value in parameters.items():
        expected = " ".join(value) if isinstance(value, list) else plain_text(str(value))
        assert found[0].get(name) == expected


@given(st.lists(st.text(max_size=60)))
def test_no_header_is_too_odd_to_read(values: list[str]) -> None:
    for found in parse_challenges(values):
        assert isinstance(found, Challenge)
        assert found.scheme


def test_a_hostile_header_is_read_quickly() -> None:
    assert len(parse_challenges(["Bearer a=b, " * 1300])) <= 16
    assert parse_challenges(['Bearer a="' + "\\" * 16_000]) != []
    assert len(parse_challenges(["a," * 8000])) == 16
