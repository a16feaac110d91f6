"""The token endpoint's answers (RFC 6749 section 5)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mcplatch.protocol.refusal import Reason
from mcplatch.protocol.scope import format_scope

GRANT_TYPE_MISSING = Reason(
    "grant-type-missing",
    "invalid_request",
    "The parameter grant_type is missing.",
    "RFC 6749 4.1.3",
)
GRANT_TYPE_UNSUPPORTED = Reason(
    "grant-type-unsupported",
    "unsupported_grant_type",
    "The grant type is not supported.",
    "RFC 6749 5.2",
)
GRANT_TYPE_NOT_ALLOWED = Reason(
    "grant-type-not-allowed",
    "unauthorized_client",
    "The client may not use this grant type.",
    "RFC 6749 5.2",
)


def token_response(
    access_token: str, *, expires_in: int, scope: Iterable[str], refresh_token: str | None
) -> bytes:
    """The body of a 200 answer; `expires_in` in seconds; absent members are left out, never
    null.
    """
    body: dict[str, str | int] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "scope": format_scope(scope),
    }
    if refresh_token is not None:
        body["refresh_token"] = refresh_token
    return _JSON.encode(body).encode()


def error_body(reason: Reason) -> bytes:
    """The body of a refusal (RFC 6749 section 5.2)."""
    return _JSON.encode({"error": reason.error, "error_description": reason.sentence}).encode()


_JSON = json.JSONEncoder(separators=(",", ":"))
