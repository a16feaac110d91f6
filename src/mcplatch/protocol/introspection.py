"""Token introspection responses, built and parsed (RFC 7662 section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcplatch.protocol.access_token import AccessTokenClaims, build_claims, read_claims
from mcplatch.protocol.refusal import Reason, Refusal

INTROSPECTION_MALFORMED = Reason(
    "introspection-malformed",
    "server_error",
    "The introspection response is malformed.",
    "RFC 7662 2.2",
    503,
)
TOKEN_INACTIVE = Reason(
    "token-inactive", "invalid_token", "The token is not valid.", "RFC 7662 2.2", 401
)

_NOT_CLAIMS = frozenset({"active", "token_type"})


def build(claims: AccessTokenClaims | None, *, token_type: str = "Bearer") -> dict[str, Any]:
    """The JSON body that answers for a token; `None` is a token that is not active or not yours.

    An inactive answer says nothing else: not why, and not that the token ever existed.
    """
    if claims is None:
        return {"active": False}
    return {"active": True, "token_type": token_type, **build_claims(claims)}


def parse(document: object) -> AccessTokenClaims | Refusal:
    """Reads an introspection response: the claims of an active token, or why there are none.

    `TOKEN_INACTIVE` is the server's "no" to the token; `INTROSPECTION_MALFORMED` says the answer
    cannot be used, which is an outage and never the token's fault. Issuer, audience and times are
    for the caller to check again: `claims_of` gives them as a document.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("active"), bool):
        return Refusal(INTROSPECTION_MALFORMED, "active")
    if not document["active"]:
        return Refusal(TOKEN_INACTIVE)
    claims = read_claims(claims_of(document))
    return (
        Refusal(INTROSPECTION_MALFORMED, claims.detail) if isinstance(claims, Refusal) else claims
    )


def claims_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The token's own claims in an introspection response."""
    return {name: value for name, value in document.items() if name not in _NOT_CLAIMS}
