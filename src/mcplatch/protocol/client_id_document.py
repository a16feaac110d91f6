"""Client ID Metadata Documents: a client that is known by the URL of its own description.

Obeys draft-ietf-oauth-client-id-metadata-document sections 3 and 4, and SEP-3149 for the list of
authentication methods.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mcplatch.protocol.client_metadata import (
    METADATA_MALFORMED,
    ClientMetadata,
    ClientOffer,
    client_name_in,
    digest_of,
    list_member,
    metadata_of,
    text_member,
)
from mcplatch.protocol.json_object import read_json_object
from mcplatch.protocol.raw_uri import read_uri
from mcplatch.protocol.refusal import Reason, Refusal

MOST_BYTES = 5 * 1024

CLIENT_ID_URL_MALFORMED = Reason(
    "client-id-url-malformed",
    "invalid_client",
    "A client_id that is a URL must use https, have a path, and have no dot segments, fragment or "
    "userinfo.",
    "CIMD 3",
)
DOCUMENT_NOT_JSON = Reason(
    "client-document-not-json",
    "invalid_client",
    "The client's metadata document was not answered with 200 and a JSON object of at most 5 KB.",
    "CIMD 4",
)
DOCUMENT_OF_ANOTHER_CLIENT = Reason(
    "client-document-of-another-client",
    "invalid_client",
    "The client_id inside the client's metadata document is not the URL of the document.",
    "CIMD 4",
)
DOCUMENT_INCOMPLETE = Reason(
    "client-document-incomplete",
    "invalid_client",
    "The client's metadata document must have a client_name and usable redirect_uris.",
    "MCP 2026-07-28 client registration",
)
DOCUMENT_HAS_SECRET = Reason(
    "client-document-has-secret",
    "invalid_client",
    "A client metadata document is public and must not name a shared secret.",
    "CIMD 4.1",
)
DOCUMENT_NEEDS_KEY = Reason(
    "client-document-needs-key",
    "invalid_client",
    "The client's metadata document asks for an authentication method that is not supported here; "
    "it must offer none.",
    "SEP-3149",
)

_SECRET_MEMBERS = ("client_secret", "client_secret_expires_at")
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})\"?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDocument:
    """What a document says; `digest` changes with anything a person agreed to (AS-67)."""

    metadata: ClientMetadata
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """How long a document may be used without asking again, in seconds, whatever its host says."""

    least: int = 10
    most: int = 24 * 3600
    unsaid: int = 3600


def is_document_url(client_id: str) -> bool:
    """Whether `client_id` claims to be the URL of a metadata document; ours never do (AS-70)."""
    return client_id.lower().startswith("https:")


def check_client_id_url(client_id: str) -> Refusal | None:
    """Why no document may be fetched for `client_id`, or None when its form is right (AS-60)."""
    uri = read_uri(client_id)
    if uri is None or uri.scheme != "https" or uri.path in {"", "/"}:
        return Refusal(CLIENT_ID_URL_MALFORMED)
    return None


def host_in(client_id: str) -> str:
    """The host of a document URL, for people to read; empty when it has none."""
    uri = read_uri(client_id)
    return "" if uri is None else uri.host


def parse_document(
    *, client_id: str, status: int, content_type: str, body: bytes, offer: ClientOffer
) -> ClientDocument | Refusal:
    """The client described by the answer to a GET of `client_id` (AS-61, 63, 64, 69)."""
    if status != 200 or len(body) > MOST_BYTES or not _is_json(content_type):
        return Refusal(DOCUMENT_NOT_JSON, f"status {status}, {len(body)} bytes")
    members = read_json_object(body)
    if members is None:
        return Refusal(DOCUMENT_NOT_JSON, "not a JSON object")
    if members.get("client_id") != client_id:
        return Refusal(DOCUMENT_OF_ANOTHER_CLIENT)
    if any(name in members for name in _SECRET_MEMBERS):
        return Refusal(DOCUMENT_HAS_SECRET)
    name, method = client_name_in(members), _method_in(members, offer.auth_methods)
    if isinstance(method, Refusal):
        return method
    if not name or isinstance(name, Refusal):
        return Refusal(DOCUMENT_INCOMPLETE, "client_name")
    metadata = metadata_of(members, offer, method=method)
    if isinstance(metadata, Refusal):
        return Refusal(DOCUMENT_INCOMPLETE, f"{metadata.reason.name} {metadata.detail}".strip())
    keys = {name: members[name] for name in ("jwks", "jwks_uri") if name in members}
    return ClientDocument(metadata=metadata, digest=digest_of(metadata, keys))


def seconds_fresh(headers: Mapping[str, str], limits: CacheLimits) -> int:
    """For how many seconds a document answered with `headers` (lower-case names) stays fresh.

    0 when its host forbids keeping it (AS-65, RFC 9111 section 4.2).
    """
    directives = [
        part.strip().lower() for part in headers.get("cache-control", "").split(",") if part.strip()
    ]
    if any(part.partition("=")[0] in {"no-store", "no-cache"} for part in directives):
        return 0
    ages = [int(found[1]) for part in directives if (found := _MAX_AGE.fullmatch(part))]
    if not ages:
        return limits.unsaid
    age = headers.get("age", "")
    spent = int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
    return min(max(min(ages) - spent, limits.least), limits.most)


def _method_in(members: Mapping[str, object], offered: tuple[str, ...]) -> str | Refusal:
    # SEP-3149: the list says what the client can do, the single member only what it prefers.
    listed = list_member(members, "token_endpoint_auth_methods_supported")
    preferred = text_member(members, "token_endpoint_auth_method")
    if isinstance(listed, Refusal) or isinstance(preferred, Refusal):
        return Refusal(DOCUMENT_NOT_JSON, METADATA_MALFORMED.name)
    if _is_symmetric(preferred or ""):
        return Refusal(DOCUMENT_HAS_SECRET, preferred or "")
    able = listed or (preferred or "none",)
    usable = [method for method in able if method in offered and not _is_symmetric(method)]
    if not usable:
        return Refusal(DOCUMENT_NEEDS_KEY, " ".join(able)[:200])
    return preferred if preferred in usable else usable[0]


def _is_symmetric(method: str) -> bool:
    return method.startswith("client_secret")


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")
