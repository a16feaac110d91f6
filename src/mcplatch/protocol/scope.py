"""Scope strings: parsed, formatted, compared (RFC 6749 section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcplatch.protocol.refusal import Reason, Refusal

MOST_SCOPES = 100

SCOPE_MALFORMED = Reason(
    "scope-malformed", "invalid_scope", "The scope is malformed.", "RFC 6749 3.3"
)

_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")


def parse_scope(text: str | None) -> tuple[str, ...] | Refusal:
    """The scope tokens of `text`, in order, each once; `None` and `""` mean no scope was named."""
    if not text:
        return ()
    tokens = text.split(" ")
    if len(tokens) > MOST_SCOPES:
        return Refusal(SCOPE_MALFORMED, "too many scopes")
    for token in tokens:
        # Clients in the wild send doubled or trailing blanks; anything else is refused.
        if token and not _TOKEN.fullmatch(token):
            return Refusal(SCOPE_MALFORMED)
    return tuple(dict.fromkeys(token for token in tokens if token))


def format_scope(scopes: Iterable[str]) -> str:
    """The wire form of `scopes`."""
    return " ".join(scopes)
