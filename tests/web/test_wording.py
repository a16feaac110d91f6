"""Records in words, strangers' text made harmless, and addresses compared for the eye."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.authorization_server.policy import Scope
from mcplatch.web.strangers import Piece, app_name, compare, initial, nearest, shown
from mcplatch.web.wording import ago, on_day, scope_groups, target_of

SHOWN = [
    ("Claude Code", "Claude Code"),
    ("  a \n\t b  ", "a b"),
    ("evil\u202etxt.exe", "eviltxt.exe"),
    ("a\u200b\u2060\ufeffb", "ab"),
    ("a\u2028b\u2029c\u00a0d\u3000e", "a b c d e"),
    ("\x00\x07\x1b[31m", "[31m"),
    ("e\u0301", "é"),
    ("Z" + "\u0301\u0302\u0303\u0304\u0305", "Ź\u0302\u0303"),
    ("\ue000\U000e0041x", "x"),
    ("日本語 アプリ", "日本語 アプリ"),
    ("", ""),
    (None, ""),
    ("x" * 61, "x" * 59 + "…"),
]


@pytest.mark.requirement("AS-148")
@pytest.mark.parametrize(("text", "expected"), SHOWN)
def test_shown(text: str | None, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.requirement("AS-148")
@given(st.text(max_size=300), st.integers(2, 100))
def test_shown_is_short_and_has_nothing_invisible(text: str, limit: int) -> None:
    line = shown(text, limit=limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert line.isprintable() or line == ""
    assert not any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in line)


@pytest.mark.requirement("AS-148")
def test_a_name_from_right_to_left_stays_in_its_place() -> None:
    assert app_name("יומן") == "\u2068יומן\u2069"
    assert app_name("Diary") == "Diary"


def test_a_name_is_never_empty() -> None:
    assert app_name("\u202e\x00") == "An app without a name"
    assert (initial("  «claude»"), initial("!?")) == ("C", "?")


@given(st.text(max_size=80), st.text(max_size=80))
def test_compare_loses_nothing(left: str, right: str) -> None:
    first, second = compare(left, right)
    assert "".join(piece.text for piece in first) == left
    assert "".join(piece.text for piece in second) == right
    same = "".join(piece.text for piece in first if piece.same)
    assert same == "".join(piece.text for piece in second if piece.same)


def test_compare_marks_what_differs() -> None:
    assert compare("http://a/cb", "http://a/cb/") == (
        (Piece("http://a/cb", True),),
        (Piece("http://a/cb", True), Piece("/", False)),
    )


def test_the_nearest_address_is_shown() -> None:
    registered = ("https://a.example/cb", "http://127.0.0.1/callback")
    assert nearest(registered, "http://127.0.0.1:5000/callback/") == registered[1]
    assert nearest((), "x") is None


TARGETS = [
    ("http://127.0.0.1:5000/cb", ("loopback", "127.0.0.1:5000")),
    ("http://[::1]:5000/cb", ("loopback", "[::1]:5000")),
    ("http://localhost/cb", ("loopback", "localhost")),
    ("https://app.example/cb", ("web", "app.example")),
    ("https://app.example:8443/cb", ("web", "app.example:8443")),
    ("https://localhost.evil.example/cb", ("web", "localhost.evil.example")),
    ("cursor://anysphere.cursor-mcp/oauth/callback", ("program", "cursor://")),
]


@pytest.mark.requirement("AS-72")
@pytest.mark.parametrize(("uri", "expected"), TARGETS)
def test_where_an_answer_goes(uri: str, expected: tuple[str, str]) -> None:
    assert target_of(uri) == expected


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (100, "a moment ago"),
        (41, "a moment ago"),
        (40, "1 minute ago"),
        (-3600, "1 hour ago"),
        (-2 * 86400, "2 days ago"),
        (500, "a moment ago"),
    ],
)
def test_ago(then: int, words: str) -> None:
    assert ago(then, 100) == words


def test_on_day() -> None:
    assert on_day(1_795_564_800) == "25 November 2026"


def test_danger_is_never_ticked_and_an_unknown_group_is_danger() -> None:
    scopes = (
        Scope("a", "Know you", baseline=True, ticked=False),
        Scope("b", "Read"),
        Scope("c", "Change", group="change"),
        Scope("d", "Delete", group="delete"),
        Scope("e", "", group="rewrite", tools=("x",)),
    )
    groups = scope_groups(scopes)
    assert [(g.effect, [(x.scope, x.ticked, x.locked) for x in g.lines]) for g in groups] == [
        ("baseline", [("a", False, True)]),
        ("read", [("b", True, False)]),
        ("change", [("c", True, False)]),
        ("delete", [("d", False, False), ("e", False, False)]),
    ]
    assert groups[3].lines[1].sentence == "e"
    chosen = scope_groups(scopes, ticked=frozenset({"d"}))
    assert [x.scope for g in chosen for x in g.lines if x.ticked] == ["d"]
