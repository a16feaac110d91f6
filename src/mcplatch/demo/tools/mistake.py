"""The one way a tool of the demonstration says no: a sentence for the person who asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was wrong with the arguments, in one plain sentence that says how to mend it."""

    sentence: str


def shown(text: str, limit: int = 40) -> str:
    """A stranger's text fit for a sentence: escaped, quoted, cut after `limit` characters."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "'" + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut) + "'"
