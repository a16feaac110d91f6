"""A secret in HTTP Basic, both halves form-encoded (OAuth 2.1 section 2.4.1, RFC 7617)."""

from __future__ import annotations

from base64 import b64decode

from mcplatch.authorization_server.client_authentication.credentials import Credentials
from mcplatch.protocol.parameters import Parameters, parse_form
from mcplatch.protocol.refusal import Reason, Refusal

NAME = "client_secret_basic"

HEADER_MALFORMED = Reason(
    "authorization-header-malformed",
    "invalid_client",
    "The Authorization header is not HTTP Basic with a client_id and a secret.",
    "OAuth 2.1 2.4.1",
    401,
)
CLIENT_IDS_DIFFER = Reason(
    "client-ids-differ",
    "invalid_request",
    "The client_id of the body and of the Authorization header differ.",
    "OAuth 2.1 2.4",
)


def present(form: Parameters, authorization: str | None) -> Credentials | Refusal | None:
    """Credentials if there is an `Authorization` header; the body need not repeat `client_id`."""
    if authorization is None:
        return None
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Refusal(HEADER_MALFORMED)
    try:
        user, colon, secret = b64decode(encoded.strip(), validate=True).partition(b":")
    except ValueError:
        return Refusal(HEADER_MALFORMED)
    client_id, secret_text = _decoded(user), _decoded(secret)
    if not colon or not client_id or not secret_text:
        return Refusal(HEADER_MALFORMED)
    if form.get("client_id") not in (None, client_id):
        return Refusal(CLIENT_IDS_DIFFER)
    return Credentials(NAME, client_id, secret_text)


def _decoded(half: bytes) -> str | None:
    read = parse_form(b"half=" + half.replace(b"&", b"%26"))
    return None if isinstance(read, Refusal) else read.get("half")
