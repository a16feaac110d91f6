"""WWW-Authenticate challenges, built and parsed (RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_CHARACTERS = 16 * 1024
MOST_CHALLENGES = 16
MOST_PARAMETERS = 32

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = re.compile(_TOKEN)
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))", re.DOTALL)
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_UNQUOTABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme with its parameters; names are lower case, values are unescaped."""

    scheme: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """The value of the parameter `name` (any case), or None."""
        return self.parameters.get(name.lower())

    def is_bearer(self) -> bool:
        """Whether the scheme is Bearer, in any case."""
        return self.scheme.lower() == "bearer"


def build_challenge(
    *,
    resource_metadata: str | None = None,
    scope: Iterable[str] = (),
    error: str | None = None,
    error_description: str | None = None,
    scheme: str = "Bearer",
) -> str:
    """The value of one WWW-Authenticate line: quoted strings without escapes, one line (RS-8).

    Parsers in the field do not know escapes, so a character that would need one is replaced by a
    blank; and they search for `scope=` wherever it stands, so the free text comes last. Parameters
    without a value are left out; no error means that no credentials were sent (RS-4).
    """
    named = (
        ("error", error),
        ("scope", " ".join(scope)),
        ("resource_metadata", resource_metadata),
        ("error_description", error_description),
    )
    parameters = ", ".join(f'{name}="{plain_text(value)}"' for name, value in named if value)
    return f"{scheme} {parameters}" if parameters else scheme


def plain_text(text: str) -> str:
    """`text` as RFC 6750 section 3 allows it: printable ASCII, no quote, no backslash."""
    return _UNQUOTABLE.sub(" ", text)


def parse_challenges(header_values: Iterable[str]) -> list[Challenge]:
    """Every challenge of all WWW-Authenticate lines of a response, in order.

    Never fails: what cannot be read ends the line it stands in, and what was read before it counts.
    A parameter that is repeated inside a challenge keeps its first value.
    """
    found: list[Challenge] = []
    for value in header_values:
        if len(value) <= MOST_CHARACTERS:
            _parse_line(value, found)
    return found[:MOST_CHALLENGES]


def _parse_line(text: str, found: list[Challenge]) -> None:
    position = 0
    parameters: dict[str, str] | None = None
    while len(found) <= MOST_CHALLENGES:
        position = _skip(text, position)
        if position >= len(text):
            return
        pair = _PARAMETER.match(text, position)
        if pair is not None:
            if parameters is None:
                return
            _keep(parameters, pair)
            position = pair.end()
            continue
        word = _WORD.match(text, position)
        if word is None:
            return
        position, parameters = word.end(), {}
        found.append(Challenge(word.group(), parameters))
        position = _skip_token68(text, position, parameters)


def _keep(parameters: dict[str, str], pair: re.Match[str]) -> None:
    quoted, bare = pair.group(2), pair.group(3)
    value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    if len(parameters) < MOST_PARAMETERS:
        parameters.setdefault(pair.group(1).lower(), value)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t,":
        position += 1
    return position


def _skip_token68(text: str, position: int, parameters: dict[str, str]) -> int:
    """A scheme may carry one opaque token instead of parameters, as Negotiate does."""
    start = position
    while start < len(text) and text[start] in " \t":
        start += 1
    if start == position or _PARAMETER.match(text, start):
        return position
    opaque = _TOKEN68.match(text, start)
    if opaque is None:
        return position
    parameters["token68"] = opaque.group()
    return opaque.end()
