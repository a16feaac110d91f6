"""Makes what strangers wrote safe to look at, and shows how two addresses differ (AS-148)."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass

NAME_LIMIT = 60
ADDRESS_LIMIT = 400
MARK_RUN_LIMIT = 2
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"


def shown(text: str | None, *, limit: int = NAME_LIMIT) -> str:
    """Make a stranger's text safe to look at: one line, no control or direction characters.

    Escaping for HTML is the template's; this removes what escaping cannot (AS-148): characters
    that reorder, hide or stack text. Returns at most `limit` characters, "" when nothing is left.
    """
    given = text or ""
    # Most texts are plain ASCII, which has nothing to remove.
    kept = given if given.isascii() and given.isprintable() else _kept(given)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _kept(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if category.startswith("Z") or character in "\t\r\n":
            kept.append(" ")
        elif not category.startswith("C") and marks <= MARK_RUN_LIMIT:
            kept.append(character)
    return "".join(kept)


def app_name(text: str | None) -> str:
    """Name a client chose for itself, or an honest stand-in where it chose none.

    One that is written from right to left is isolated, so that it cannot turn our words round.
    """
    name = shown(text) or "An app without a name"
    turns = not name.isascii() and any(
        unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in name
    )
    return f"{ISOLATE}{name}{END_OF_ISOLATE}" if turns else name


def initial(name: str) -> str:
    """First letter or digit of a name, for the badge that stands where a logo would (AS-74)."""
    return next((character.upper() for character in name if character.isalnum()), "?")


def compare(expected: str, received: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Cut two addresses into pieces that agree and pieces that differ, for the author's eyes."""
    left, right = expected[:ADDRESS_LIMIT], received[:ADDRESS_LIMIT]
    first: list[Piece] = []
    second: list[Piece] = []
    blocks = difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for verdict, left_from, left_to, right_from, right_to in blocks:
        same = verdict == "equal"
        if left_to > left_from:
            first.append(Piece(left[left_from:left_to], same))
        if right_to > right_from:
            second.append(Piece(right[right_from:right_to], same))
    return tuple(first), tuple(second)


def nearest(registered: tuple[str, ...], received: str) -> str | None:
    """The registered address most like the received one; None where none is registered."""
    limited = received[:ADDRESS_LIMIT]

    def likeness(uri: str) -> float:
        return difflib.SequenceMatcher(None, uri[:ADDRESS_LIMIT], limited, autojunk=False).ratio()

    return max(registered[:20], key=likeness, default=None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an address and whether the other address has it too."""

    text: str
    same: bool
