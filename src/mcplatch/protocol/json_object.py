"""Reads one JSON object from strangers: strict, shallow, no member twice (RFC 8259 section 4)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import NoReturn

DEEPEST = 10

_SHOWN = frozenset("LMNPSZ")  # Unicode general categories; C* are controls, formats, surrogates


def read_json_object(body: bytes) -> Mapping[str, object] | None:
    """The JSON object in `body`, or None when it is not UTF-8, not one object, too deep, or has a
    member twice (two readers could then see two different objects), a NaN or an endless number.
    A byte order mark is skipped: files that people publish have it (RFC 8259 section 8.1).
    """
    try:
        value = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_shallow(value) else None


def shown_text(text: str) -> str:
    """`text` as it may be shown to people: no controls, no direction or zero-width characters, no
    stacks of combining marks, blanks collapsed (AS-148).
    """
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        if category[0] == "Z" or character in "\t\n\r":
            kept.append(" ")
        elif category[0] in _SHOWN and marks <= 2:
            kept.append(character)
    return " ".join("".join(kept).split())


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_shallow(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
