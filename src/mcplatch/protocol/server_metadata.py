"""Authorization server metadata: where it lives, built and parsed (RFC 8414, OpenID Connect
Discovery 1.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from mcplatch.protocol.refusal import Reason, Refusal

MOST_CHARACTERS = 2048
MOST_MEMBERS = 500

OAUTH_WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID_WELL_KNOWN = "/.well-known/openid-configuration"

METADATA_MALFORMED = Reason(
    "server-metadata-malformed",
    "invalid_server_metadata",
    "The authorization server metadata is malformed.",
    "RFC 8414 3.2",
)
METADATA_OF_ANOTHER_ISSUER = Reason(
    "server-metadata-of-another-issuer",
    "invalid_server_metadata",
    "The authorization server metadata names another issuer.",
    "RFC 8414 3.3",
)
METADATA_INCOMPLETE = Reason(
    "server-metadata-incomplete",
    "invalid_server_metadata",
    "The authorization server metadata lacks a required member.",
    "RFC 8414 2",
)


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """What an authorization server says about itself; names are RFC 8414's.

    `None` and `()` both mean the member is absent. URLs are kept exactly as they were written.
    """

    issuer: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    service_documentation: str | None = None
    op_policy_uri: str | None = None
    op_tos_uri: str | None = None
    scopes_supported: tuple[str, ...] = ()
    response_types_supported: tuple[str, ...] = ()
    response_modes_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    ui_locales_supported: tuple[str, ...] = ()
    prompt_values_supported: tuple[str, ...] = ()
    subject_types_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    authorization_details_types_supported: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    require_pushed_authorization_requests: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


_TEXTS = tuple(f.name for f in fields(ServerMetadata) if f.default is None)
_LISTS = tuple(f.name for f in fields(ServerMetadata) if f.default == ())
_FLAGS = tuple(f.name for f in fields(ServerMetadata) if f.default is False)


def build(meta: ServerMetadata) -> dict[str, Any]:
    """The JSON document of `meta` (RFC 8414 section 3.2): members without a value are left out.

    The flags are written only when true, except the two that a client decides by, which are always
    written. `extra` goes last and cannot replace a member.
    """
    document: dict[str, Any] = {"issuer": meta.issuer}
    for name in _TEXTS:
        if (text := getattr(meta, name)) is not None:
            document[name] = text
    for name in _LISTS:
        if values := getattr(meta, name):
            document[name] = list(values)
    document["authorization_response_iss_parameter_supported"] = (
        meta.authorization_response_iss_parameter_supported
    )
    document["client_id_metadata_document_supported"] = meta.client_id_metadata_document_supported
    if meta.require_pushed_authorization_requests:
        document["require_pushed_authorization_requests"] = True
    return {**meta.extra, **document}


def parse(document: object, *, issuer: str) -> ServerMetadata | Refusal:
    """Reads a metadata document that was fetched for `issuer`.

    `issuer` must be repeated byte for byte (RFC 8414 section 3.3). Members of the wrong type are
    refused, not ignored: a client that guesses can be steered. Unknown members are kept in `extra`.
    """
    if not isinstance(document, dict) or len(document) > MOST_MEMBERS:
        return Refusal(METADATA_MALFORMED, "not a JSON object")
    named = document.get("issuer")
    if not isinstance(named, str):
        return Refusal(METADATA_INCOMPLETE, "issuer")
    if named != issuer:
        return Refusal(METADATA_OF_ANOTHER_ISSUER, named[:MOST_CHARACTERS])
    values: dict[str, Any] = {"issuer": issuer}
    for name, value in document.items():
        if name == "issuer" or value in (None, ""):
            continue
        read = _read(name, value)
        if isinstance(read, Refusal):
            return read
        values.update(read)
    known = set(_TEXTS) | set(_LISTS) | set(_FLAGS) | {"issuer"}
    extra = {name: value for name, value in document.items() if name not in known}
    return ServerMetadata(**values, extra=extra)


def well_known_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata of `issuer` may be, in the order a client asks (MCP authorization,
    discovery).

    An issuer with a path: inserted RFC 8414, inserted OpenID, appended OpenID. Without: the first
    two.
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if not path:
        return origin + OAUTH_WELL_KNOWN, origin + OPENID_WELL_KNOWN
    return (
        origin + OAUTH_WELL_KNOWN + path,
        origin + OPENID_WELL_KNOWN + path,
        origin + path + OPENID_WELL_KNOWN,
    )


def _read(name: str, value: object) -> dict[str, Any] | Refusal:
    if name in _TEXTS:
        if _is_text(value) and (name not in _URLS or _is_http_url(str(value))):
            return {name: value}
        return Refusal(METADATA_MALFORMED, name)
    if name in _LISTS:
        if isinstance(value, list) and len(value) <= MOST_MEMBERS and all(map(_is_text, value)):
            return {name: tuple(value)}
        return Refusal(METADATA_MALFORMED, name)
    if name in _FLAGS:
        return {name: value} if isinstance(value, bool) else Refusal(METADATA_MALFORMED, name)
    return {}


_URLS = frozenset(name for name in _TEXTS if name.endswith(("_endpoint", "_uri"))) - {
    "op_policy_uri",
    "op_tos_uri",
}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()


def _is_http_url(text: str) -> bool:
    """An absolute http(s) URL in ASCII without credentials, blanks or backslashes."""
    if not text.isascii() or any(character in text for character in ' \\<>"'):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
