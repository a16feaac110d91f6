"""What a client says about itself, read tolerantly, cut down to our offer (RFC 7591 section 2).

Asked-for values outside our offer are left out rather than refused, and the answer shows what is in
force. Refused is only what leaves nothing to work with, or what a client could not mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from mcplatch.protocol.json_object import read_json_object, shown_text
from mcplatch.protocol.raw_uri import read_uri
from mcplatch.protocol.redirect_uri import KNOWN_PRIVATE_URIS, check_redirect_uri
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.scope import format_scope, parse_scope

MOST_BYTES = 16 * 1024
MOST_REDIRECT_URIS = 20
MOST_NAME_CHARACTERS = 200
UNNAMED = "Unnamed application"
SECRET_METHODS = ("client_secret_basic", "client_secret_post")

METADATA_TOO_LARGE = Reason(
    "client-metadata-too-large",
    "invalid_client_metadata",
    "The client metadata is too large.",
    "RFC 7591 3.2.2",
    413,
)
METADATA_MALFORMED = Reason(
    "client-metadata-malformed",
    "invalid_client_metadata",
    "The client metadata is not one JSON object with members of the right types.",
    "RFC 7591 3.2.2",
)
NAME_TOO_LONG = Reason(
    "client-name-too-long",
    "invalid_client_metadata",
    "The client_name is too long.",
    "RFC 7591 3.2.2",
)
REDIRECT_URIS_MISSING = Reason(
    "redirect-uris-missing",
    "invalid_redirect_uri",
    "The member redirect_uris must list at least one redirect URI.",
    "RFC 7591 2",
)
REDIRECT_URIS_TOO_MANY = Reason(
    "redirect-uris-too-many",
    "invalid_redirect_uri",
    "There are too many redirect URIs.",
    "RFC 7591 3.2.2",
)
GRANT_TYPES_UNSUPPORTED = Reason(
    "client-grant-types-unsupported",
    "invalid_client_metadata",
    "The grant_types and response_types must include authorization_code and code.",
    "RFC 7591 2.1",
)
AUTH_METHOD_UNSUPPORTED = Reason(
    "client-auth-method-unsupported",
    "invalid_client_metadata",
    "The token_endpoint_auth_method is not supported here.",
    "RFC 7591 2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOffer:
    """What this server has to offer a client that introduces itself.

    `scopes` are all scopes there are (empty: any may be named); `private_uris` are the private-use
    redirect URIs allowed, each as a whole.
    """

    grant_types: frozenset[str] = frozenset({"authorization_code", "refresh_token"})
    auth_methods: tuple[str, ...] = ("none", "client_secret_basic", "client_secret_post")
    scopes: frozenset[str] = frozenset()
    private_uris: frozenset[str] = KNOWN_PRIVATE_URIS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetadata:
    """Client metadata as it is in force, with the names of RFC 7591."""

    redirect_uris: tuple[str, ...]
    client_name: str
    token_endpoint_auth_method: str
    grant_types: tuple[str, ...]
    application_type: str
    scope: tuple[str, ...] = ()
    client_uri: str | None = None


def parse_client_metadata(body: bytes, offer: ClientOffer) -> ClientMetadata | Refusal:
    """The effective metadata of a registration request with `body` (RFC 7591 section 3.1)."""
    if len(body) > MOST_BYTES:
        return Refusal(METADATA_TOO_LARGE)
    members = read_json_object(body)
    if members is None:
        return Refusal(METADATA_MALFORMED)
    method = text_member(members, "token_endpoint_auth_method")
    if isinstance(method, Refusal):
        return method
    # AS-83: RFC 7591 gives a client that names no method a secret.
    effective = method or "client_secret_basic"
    if effective not in offer.auth_methods:
        return Refusal(AUTH_METHOD_UNSUPPORTED, effective)
    return metadata_of(members, offer, method=effective)


def metadata_of(
    members: Mapping[str, object], offer: ClientOffer, *, method: str
) -> ClientMetadata | Refusal:
    """Everything in `members` but the authentication method, which has been settled before."""
    uris = redirect_uris_in(members, offer.private_uris)
    if isinstance(uris, Refusal):
        return uris
    name = client_name_in(members)
    if isinstance(name, Refusal):
        return name
    grant_types = grant_types_in(members, offer.grant_types)
    if isinstance(grant_types, Refusal):
        return grant_types
    scope = _scope_in(members, offer.scopes)
    if isinstance(scope, Refusal):
        return scope
    return ClientMetadata(
        redirect_uris=uris,
        client_name=name or UNNAMED,
        token_endpoint_auth_method=method,
        grant_types=grant_types,
        application_type=_application_type(members, uris),
        scope=scope,
        client_uri=_page_of(members),
    )


def redirect_uris_in(
    members: Mapping[str, object], private_uris: frozenset[str]
) -> tuple[str, ...] | Refusal:
    """The redirect URIs that may be registered, each once; refused when none may (AS-51)."""
    listed = list_member(members, "redirect_uris")
    if isinstance(listed, Refusal):
        return listed
    if not listed:
        return Refusal(REDIRECT_URIS_MISSING)
    if len(listed) > MOST_REDIRECT_URIS:
        return Refusal(REDIRECT_URIS_TOO_MANY)
    accepted = dict.fromkeys(
        uri for uri in listed if check_redirect_uri(uri, private_schemes=private_uris) is None
    )
    if accepted:
        return tuple(accepted)
    return check_redirect_uri(listed[0], private_schemes=private_uris) or ()


def client_name_in(members: Mapping[str, object]) -> str | Refusal:
    """The client's name as it may be shown to people, empty when it gives none (AS-148)."""
    name = text_member(members, "client_name")
    if isinstance(name, Refusal):
        return name
    shown = shown_text(name or "")
    return shown if len(shown) <= MOST_NAME_CHARACTERS else Refusal(NAME_TOO_LONG)


def grant_types_in(
    members: Mapping[str, object], offered: frozenset[str]
) -> tuple[str, ...] | Refusal:
    """The offered ones of the grant types asked for (AS-86), all offered ones when none are named.

    A client that names none gets refresh tokens too: the server may substitute values (RFC 7591
    section 3.2.1), and otherwise its person signs in again every ten minutes.
    """
    listed = list_member(members, "grant_types")
    if isinstance(listed, Refusal):
        return listed
    response_types = list_member(members, "response_types")
    if isinstance(response_types, Refusal):
        return response_types
    kept = tuple(sorted(offered if not listed else offered.intersection(listed)))
    if "authorization_code" not in kept or (response_types and "code" not in response_types):
        return Refusal(GRANT_TYPES_UNSUPPORTED)
    return kept


def registration_answer(
    metadata: ClientMetadata,
    *,
    client_id: str,
    issued_at: int,
    client_secret: str | None = None,
    secret_expires_at: int = 0,
) -> dict[str, object]:
    """The body of a 201 answer: all metadata in force (RFC 7591 section 3.2.1, AS-80, AS-83).

    Both times are seconds since the epoch; a secret that does not expire has 0.
    """
    answer: dict[str, object] = {
        "client_id": client_id,
        "client_id_issued_at": issued_at,
        "client_name": metadata.client_name,
        "redirect_uris": list(metadata.redirect_uris),
        "grant_types": list(metadata.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
        "application_type": metadata.application_type,
    }
    if metadata.scope:
        answer["scope"] = format_scope(metadata.scope)
    if metadata.client_uri is not None:
        answer["client_uri"] = metadata.client_uri
    if client_secret is not None:
        answer["client_secret"] = client_secret
        answer["client_secret_expires_at"] = secret_expires_at
    return answer


def digest_of(metadata: ClientMetadata, keys: Mapping[str, object]) -> str:
    """A text that changes with anything a person agreed to deal with (AS-67).

    That is where answers go, the name, how the client proves itself and with which `keys`.
    """
    agreed = [
        sorted(metadata.redirect_uris),
        metadata.client_name,
        metadata.token_endpoint_auth_method,
        keys,
    ]
    text = json.dumps(agreed, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def text_member(members: Mapping[str, object], name: str) -> str | Refusal | None:
    """A text member; absent, null and empty are all None, since real clients send each (AS-81)."""
    value = members.get(name)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else Refusal(METADATA_MALFORMED, name)


def list_member(members: Mapping[str, object], name: str) -> tuple[str, ...] | Refusal:
    """A member that is a list of texts; absent and null are the empty list."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        return Refusal(METADATA_MALFORMED, name)
    texts = tuple(item for item in value if isinstance(item, str))
    return texts if len(texts) == len(value) else Refusal(METADATA_MALFORMED, name)


def _scope_in(members: Mapping[str, object], known: frozenset[str]) -> tuple[str, ...] | Refusal:
    text = text_member(members, "scope")
    if isinstance(text, Refusal):
        return text
    scope = parse_scope(text)
    if isinstance(scope, Refusal):
        return Refusal(METADATA_MALFORMED, "scope")
    return tuple(item for item in scope if not known or item in known)


def _application_type(members: Mapping[str, object], uris: tuple[str, ...]) -> str:
    # AS-85: a web application has https URIs only, whatever it calls itself; unnamed, infer.
    if not all(uri.startswith("https:") for uri in uris):
        return "native"
    return "native" if members.get("application_type") == "native" else "web"


def _page_of(members: Mapping[str, object]) -> str | None:
    value = members.get("client_uri")
    uri = read_uri(value) if isinstance(value, str) else None
    return str(value) if uri is not None and uri.scheme == "https" else None
