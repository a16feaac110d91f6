"""Reads the answer of a token endpoint at the client (RFC 6749 sections 5.1 and 5.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mcplatch.protocol.json_object import read_json_object
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.scope import parse_scope

MOST_SECONDS = 10 * 365 * 24 * 3600

TOKEN_ANSWER_MALFORMED = Reason(
    "token-response-malformed",
    "invalid_response",
    "The token response is malformed.",
    "RFC 6749 5.1",
)
TOKEN_TYPE_UNKNOWN = Reason(
    "token-response-type-unknown",
    "invalid_response",
    "The token is of a type this client cannot use.",
    "RFC 6749 7.1",
)

# What may stand in an Authorization header (RFC 6750 section 2.1), slightly wider for odd servers.
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,65536}")
_ERROR = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful answer. `scope` is None when the server left it out: as requested (RFC 6749
    5.1).
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int | None
    scope: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TokenError:
    """The server says no, in the words of RFC 6749 section 5.2."""

    error: str
    error_description: str | None


def parse_token_answer(body: bytes, *, token_type: str = "bearer") -> TokenAnswer | Refusal:
    """Reads a 200 answer; only tokens of `token_type` (lower case) are taken, compared without case
    (CL-51): "bearer", or "dpop" for those bound to a key (RFC 9449).
    """
    document = read_json_object(body)
    if document is None:
        return Refusal(TOKEN_ANSWER_MALFORMED, "not a JSON object")
    access, refresh = document.get("access_token"), document.get("refresh_token")
    if not _is_token(access) or not (refresh is None or _is_token(refresh)):
        return Refusal(TOKEN_ANSWER_MALFORMED, "access_token or refresh_token")
    if str(document.get("token_type", "")).lower() != token_type:
        return Refusal(TOKEN_TYPE_UNKNOWN, str(document.get("token_type"))[:40])
    scope = document.get("scope")
    scopes = parse_scope(scope) if isinstance(scope, str) else ()
    if isinstance(scopes, Refusal):
        return Refusal(TOKEN_ANSWER_MALFORMED, "scope")
    return TokenAnswer(
        str(access),
        None if refresh is None else str(refresh),
        _seconds(document.get("expires_in")),
        scopes if isinstance(scope, str) else None,
    )


def parse_token_error(body: bytes) -> TokenError | None:
    """Reads a refusal; None when the body is not one, as from a proxy in between."""
    document = read_json_object(body)
    error = None if document is None else document.get("error")
    if document is None or not isinstance(error, str) or not _ERROR.fullmatch(error):
        return None
    description = document.get("error_description")
    return TokenError(error, description[:500] if isinstance(description, str) else None)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _seconds(value: object) -> int | None:
    """A lifetime; servers in the wild send it as text too. Anything else is unknown (CL-52)."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, 0), MOST_SECONDS))
