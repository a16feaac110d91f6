"""Reads urlencoded parameters strictly: no duplicates, empty means absent (OAuth 2.1 section 3.1,
3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mcplatch.protocol.refusal import Reason, Refusal

MOST_BYTES = 64 * 1024
MOST_FIELDS = 64
REPEATABLE = frozenset({"resource"})

REQUEST_TOO_LARGE = Reason(
    "request-too-large", "invalid_request", "The request is too large.", "RFC 6749 5.2", 413
)
REQUEST_MALFORMED = Reason(
    "request-malformed",
    "invalid_request",
    "The parameters are not valid application/x-www-form-urlencoded UTF-8.",
    "OAuth 2.1 3.2",
)
PARAMETER_REPEATED = Reason(
    "parameter-repeated", "invalid_request", "A parameter is repeated.", "OAuth 2.1 3.1"
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Decoded parameters: each name at most once, except those the specification lets repeat."""

    values: Mapping[str, tuple[str, ...]]

    def get(self, name: str) -> str | None:
        """The first value of `name`, or None when it is absent or empty."""
        found = self.values.get(name)
        return found[0] if found else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every non-empty value of `name`, in the order sent."""
        return self.values.get(name, ())

    def names(self) -> frozenset[str]:
        """The names that carry a value."""
        return frozenset(self.values)


def parse_form(body: bytes, *, repeatable: frozenset[str] = REPEATABLE) -> Parameters | Refusal:
    """Reads a query string or a form body.

    Two layers that read `a=1&a=2` differently are how parameter pollution works, so a repeated name
    is refused rather than resolved, and so is anything that is not UTF-8 or carries a NUL.
    """
    if len(body) > MOST_BYTES:
        return Refusal(REQUEST_TOO_LARGE)
    fields = body.split(b"&") if body else []
    if len(fields) > MOST_FIELDS:
        return Refusal(REQUEST_TOO_LARGE)
    values: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for field in fields:
        if not field:
            continue
        raw_name, _, raw_value = field.partition(b"=")
        name, value = _NAMES.get(raw_name) or _decode(raw_name), _decode(raw_value)
        if name is None or value is None:
            return Refusal(REQUEST_MALFORMED)
        if name in seen and name not in repeatable:
            return Refusal(PARAMETER_REPEATED, name)
        seen.add(name)
        if value:
            values[name] = (*values.get(name, ()), value)
    return Parameters(values)


# What nearly every request is made of, decoded once.
_NAMES = {
    name.encode(): name
    for name in (
        *("client_id", "client_secret", "code", "code_challenge", "code_challenge_method"),
        *("code_verifier", "csrf", "days", "decision", "grant_type", "password", "prompt"),
        *("redirect_uri", "refresh_token", "resource", "response_mode", "response_type"),
        *("scope", "state", "token", "token_type_hint", "username"),
    )
}


def _decode(raw: bytes) -> str | None:
    if b"%" in raw:
        if _PERCENT_BROKEN.search(raw):
            return None
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    elif b"+" in raw:
        raw = raw.replace(b"+", b" ")
    try:
        text = raw.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


_PERCENT_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
