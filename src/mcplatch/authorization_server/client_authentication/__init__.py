"""How clients say who they are at the token, revocation and introspection endpoints (OAuth 2.1
section 2.4).

One file a method, listed in `METHODS`; metadata reads the tuple. A client uses the method it is
registered with, one method a request.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from mcplatch.authorization_server.client_authentication import (
    client_secret_basic,
    client_secret_post,
    none,
)
from mcplatch.authorization_server.client_authentication.credentials import Credentials
from mcplatch.moment import digest
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Client

_FAILED = "Client authentication failed."

METHODS_MIXED = Reason(
    "client-authentication-mixed",
    "invalid_request",
    "Use one client authentication method, once.",
    "OAuth 2.1 2.4",
)
CLIENT_UNIDENTIFIED = Reason("client-unidentified", "invalid_client", _FAILED, "RFC 6749 5.2", 401)
CLIENT_UNKNOWN = Reason("client-unknown", "invalid_client", _FAILED, "RFC 6749 5.2", 401)
CLIENT_BLOCKED = Reason("client-blocked", "invalid_client", _FAILED, "RFC 6749 5.2", 401)
METHOD_WRONG = Reason(
    "client-authentication-method-wrong", "invalid_client", _FAILED, "OAuth 2.1 2.4", 401
)
SECRET_WRONG = Reason("client-secret-wrong", "invalid_client", _FAILED, "RFC 6749 5.2", 401)


class Method(Protocol):
    """What a file of this folder offers: the credentials it finds in a request, if it is used
    there.
    """

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a module's constant)

    def present(
        self, form: Parameters, authorization: str | None, /
    ) -> Credentials | Refusal | None: ...


METHODS: tuple[Method, ...] = (none, client_secret_basic, client_secret_post)

__all__ = ["METHODS", "Authenticated", "Credentials", "authenticate", "present"]


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that has proven to be itself, as far as its method proves anything."""

    client: Client = field()


def present(form: Parameters, authorization: str | None) -> Credentials | Refusal:
    """The credentials of a request; exactly one method may be in use."""
    found: list[Credentials] = []
    for method in METHODS:
        credentials = method.present(form, authorization)
        if isinstance(credentials, Refusal):
            return credentials
        if credentials is not None:
            found.append(credentials)
    if not found:
        return Refusal(CLIENT_UNIDENTIFIED)
    return found[0] if len(found) == 1 else Refusal(METHODS_MIXED)


def authenticate(client: Client | None, credentials: Credentials) -> Client | Refusal:
    """The client, if the credentials are its own (RFC 6749 section 2.3)."""
    if client is None:
        return Refusal(CLIENT_UNKNOWN)
    if client.blocked_at is not None:
        return Refusal(CLIENT_BLOCKED)
    if client.token_endpoint_auth_method != credentials.method:
        return Refusal(METHOD_WRONG)
    if credentials.method != "none" and not _same(credentials.secret, client.secret_hash):
        return Refusal(SECRET_WRONG)
    return client


def _same(secret: str | None, secret_hash: str | None) -> bool:
    if secret is None or secret_hash is None:
        return False
    return hmac.compare_digest(digest(secret), secret_hash)
