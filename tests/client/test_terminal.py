"""Text from servers on a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.client.errors import sign_in_command
from mcplatch.client.terminal import json_text, plain, plain_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünï 漢字 🙂", "plain text, ünï 漢字 🙂"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("\x1bPpayload\x1b\\x", "x"),
        ("\x1bcreset", "reset"),
        ("a\x00b\x08c\x7fd", "abcd"),
        ("over\rwritten", "overwritten"),
        ("right\u202eleft\u2066x", "rightleftx"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("open \x1b[", "open "),
        ("\x1b]52;c;c3RlYWw=", ""),
    ],
)
def test_nothing_that_moves_a_terminal_is_printed(text: str, shown: str) -> None:
    assert plain_lines(text) == shown


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "a\u202eb", "ü 漢 🙂", "\x7f\x00\n\u200b"])
def test_json_is_readable_harmless_and_means_the_same(text: str) -> None:
    shown = json_text({"text": text})
    assert json.loads(shown) == {"text": text}
    assert plain_lines(shown) == shown


def test_lines_stay_or_become_one() -> None:
    assert plain_lines("a\r\nb\n\tc") == "a\nb\n\tc"
    assert plain("a\r\nb\n\tc") == "a b c"


@given(st.text())
def test_no_control_gets_through(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in plain(text))


def test_a_command_to_copy_is_one_command() -> None:
    assert sign_in_command("https://a.example/mcp") == "mcplatch login https://a.example/mcp"
    assert sign_in_command("https://a.example/mcp", ("a", "b")) == (
        "mcplatch login https://a.example/mcp --scope 'a b'"
    )
    assert sign_in_command("https://a/$(calc)`x`'y;z") == (
        "mcplatch login 'https://a/$(calc)`x`'\\''y;z'"
    )
