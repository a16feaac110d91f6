"""Takes the one bearer token out of a request, from its header (RFC 6750 sections 2.1 and 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcplatch.protocol.refusal import Reason, Refusal

MOST_CHARACTERS = 8 * 1024

_INVALID_REQUEST = "invalid_request"
AUTHORIZATION_REPEATED = Reason(
    "authorization-header-repeated",
    _INVALID_REQUEST,
    "The request has more than one Authorization header.",
    "RFC 6750 3.1",
)
TWO_METHODS = Reason(
    "two-token-methods",
    _INVALID_REQUEST,
    "The token is sent in more than one way; use the Authorization header only.",
    "RFC 6750 2",
)
BEARER_EMPTY = Reason(
    "bearer-empty", _INVALID_REQUEST, "The Authorization header holds no token.", "RFC 6750 2.1"
)
TOKEN_TOO_LONG = Reason(
    "token-too-long", "invalid_token", "The token is not valid.", "RFC 8725 3", 401
)
TOKEN_GARBLED = Reason(
    "token-garbled", "invalid_token", "The token is not valid.", "RFC 6750 2.1", 401
)

_TOKEN68 = re.compile(rb"[A-Za-z0-9._~+/-]+=*")


def read_token(headers: Sequence[bytes], query: bytes) -> str | Refusal | None:
    """The bearer token among the values of `Authorization`; None when the request brings none.

    Another scheme is no token. A token in the query alone is no token either and is never looked at
    (RS-41); beside one in the header it makes the request malformed (RS-7).
    """
    if not headers:
        return None
    if len(headers) > 1:
        return Refusal(AUTHORIZATION_REPEATED)
    scheme, _, rest = headers[0].partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    token = rest.strip(b" ")
    if not token:
        return Refusal(BEARER_EMPTY)
    if query and _names_a_token(query):
        return Refusal(TWO_METHODS)
    if len(token) > MOST_CHARACTERS:
        return Refusal(TOKEN_TOO_LONG)
    if not _TOKEN68.fullmatch(token):
        return Refusal(TOKEN_GARBLED)
    return token.decode("ascii")


def _names_a_token(query: bytes) -> bool:
    return any(field.partition(b"=")[0] == b"access_token" for field in query.split(b"&"))
