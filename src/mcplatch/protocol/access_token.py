"""The claims of an access token, built and checked (RFC 9068 sections 2.2 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import same_resource
from mcplatch.protocol.scope import format_scope, parse_scope

TYP = "at+jwt"
LEEWAY = 30
"""Seconds that two clocks may differ; RS-44 allows up to 60."""
MOST_CHARACTERS = 2048
MOST_AUDIENCES = 20
LATEST_TIME = 1 << 53

_PUBLIC = "The token is not valid."
CLAIMS_MALFORMED = Reason("claims-malformed", "invalid_token", _PUBLIC, "RFC 9068 2.2", 401)
ISSUER_WRONG = Reason("token-issuer-wrong", "invalid_token", _PUBLIC, "RFC 9068 4", 401)
AUDIENCE_WRONG = Reason("token-audience-wrong", "invalid_token", _PUBLIC, "RFC 9068 4", 401)
TOKEN_NOT_YET_VALID = Reason("token-not-yet-valid", "invalid_token", _PUBLIC, "RFC 7519 4.1.5", 401)
TOKEN_EXPIRED = Reason(
    "token-expired", "invalid_token", "The token has expired.", "RFC 6750 3.1", 401
)

_KNOWN = frozenset({"iss", "sub", "aud", "client_id", "grant_id", "scope", "iat", "exp", "jti"})


@dataclass(frozen=True, slots=True)
class AccessTokenClaims:
    """What an access token says; times are seconds since the epoch.

    `grant_id`, `iat` and `jti` are always written by this authorization server and may be missing
    in another one's tokens. `extra` holds every other claim.
    """

    iss: str
    sub: str
    aud: tuple[str, ...]
    client_id: str
    scope: tuple[str, ...]
    exp: int
    iat: int | None = None
    jti: str | None = None
    grant_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def build_claims(claims: AccessTokenClaims) -> dict[str, Any]:
    """The JSON payload of `claims`; a single audience is a string, `extra` replaces nothing."""
    document: dict[str, Any] = {
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud[0] if len(claims.aud) == 1 else list(claims.aud),
        "client_id": claims.client_id,
        "exp": claims.exp,
    }
    if claims.scope:
        document["scope"] = format_scope(claims.scope)
    for name in ("iat", "jti", "grant_id"):
        if (value := getattr(claims, name)) is not None:
            document[name] = value
    return {**claims.extra, **document}


def check_claims(
    document: Mapping[str, Any], *, issuer: str, resource: str, now: float, leeway: int = LEEWAY
) -> AccessTokenClaims | Refusal:
    """Judges claims whose signature is proven, for one issuer and one resource (RS-42, RS-44).

    `issuer` is compared byte for byte. `resource` must be in `aud`: the same resource, not a
    prefix, a parent or a sibling of it (AS-120 says which spellings are the same).
    """
    if document.get("iss") != issuer:
        return Refusal(ISSUER_WRONG)
    claims = read_claims(document)
    if isinstance(claims, Refusal):
        return claims
    if not any(same_resource(audience, resource) for audience in claims.aud):
        return Refusal(AUDIENCE_WRONG, " ".join(claims.aud))
    return check_times(document, claims, now=now, leeway=leeway)


def check_times(
    document: Mapping[str, Any], claims: AccessTokenClaims, *, now: float, leeway: int
) -> AccessTokenClaims | Refusal:
    """Whether `claims` hold at `now`: not expired, and neither issued nor valid only later."""
    if now >= claims.exp + leeway:
        return Refusal(TOKEN_EXPIRED)
    not_before = _seconds(document.get("nbf", 0))
    if not_before is None:
        return Refusal(CLAIMS_MALFORMED, "nbf")
    if max(not_before, claims.iat or 0) > now + leeway:
        return Refusal(TOKEN_NOT_YET_VALID)
    return claims


def read_claims(document: Mapping[str, Any]) -> AccessTokenClaims | Refusal:
    """The typed claims of `document`; refuses what is missing or of the wrong type."""
    texts = {name: document.get(name) for name in ("iss", "sub", "client_id")}
    if missing := [name for name, value in texts.items() if not _is_text(value)]:
        return Refusal(CLAIMS_MALFORMED, " ".join(missing))
    optional = {name: document.get(name) for name in ("jti", "grant_id")}
    if wrong := [n for n, value in optional.items() if value is not None and not _is_text(value)]:
        return Refusal(CLAIMS_MALFORMED, " ".join(wrong))
    audiences = _audiences(document.get("aud"))
    if audiences is None:
        return Refusal(CLAIMS_MALFORMED, "aud")
    expires = _seconds(document.get("exp"))
    issued = _seconds(document["iat"]) if document.get("iat") is not None else 0
    if expires is None or issued is None:
        return Refusal(CLAIMS_MALFORMED, "exp or iat")
    scope = _scope(document.get("scope"))
    if isinstance(scope, Refusal):
        return Refusal(CLAIMS_MALFORMED, "scope")
    return AccessTokenClaims(
        iss=str(texts["iss"]),
        sub=str(texts["sub"]),
        client_id=str(texts["client_id"]),
        aud=audiences,
        scope=scope,
        exp=expires,
        iat=issued or None,
        jti=optional["jti"],
        grant_id=optional["grant_id"],
        extra={name: value for name, value in document.items() if name not in _KNOWN},
    )


def _audiences(value: object) -> tuple[str, ...] | None:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_AUDIENCES:
        return None
    return tuple(listed) if all(map(_is_text, listed)) else None


def _scope(value: object) -> tuple[str, ...] | Refusal:
    """One string (RFC 9068 section 2.2.3); some servers write a list of strings."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    if value is None or isinstance(value, str):
        return parse_scope(value)
    return Refusal(CLAIMS_MALFORMED, "scope")


def _seconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= LATEST_TIME else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS
