"""Becomes a client of an authorization server: given, by metadata document, or dynamically (RFC
7591).

The order (CL-20): a client registered beforehand for this issuer, the metadata document where the
server takes one, an earlier dynamic registration, a new one, and if all that fails the person is
told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcplatch.client.discover import Found
from mcplatch.client.errors import Denied, ServerFault, Unreachable, Untrusted
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import JSON, Post, Reply, Talk
from mcplatch.protocol.json_object import read_json_object
from mcplatch.protocol.scope import format_scope
from mcplatch.protocol.token_response import parse_token_error

SOFTWARE_ID = "6d63706c-6174-4368-8000-636c69656e74"
# How servers refuse a registration that names a scope they do not know.
SCOPE_NOT_WANTED = ("invalid_scope", "invalid_client_metadata")
GRANT_TYPES = ("authorization_code", "refresh_token")
# The body before the header: servers that offer both have been seen to read only the body.
METHODS = ("none", "client_secret_post", "client_secret_basic")


@dataclass(frozen=True, slots=True)
class Registration:
    """What this client is at one issuer. `kind` is "given", "document" or "dynamic".

    redirect_uri: the one registered, for servers that compare the port; None where any will do.
    secret_expires_at: seconds since the epoch, None when the secret does not expire (RFC 7591
    3.2.1).
    """

    issuer: str
    client_id: str
    token_endpoint_auth_method: str
    kind: str
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    scope: tuple[str, ...] = ()
    secret_expires_at: int | None = None


class Memory(Protocol):
    """What a sign-in remembers between runs: dynamic registrations, one an issuer (CL-24)."""

    def registration(self, issuer: str) -> Registration | None:
        """The dynamic registration held at `issuer`, if any."""

    def keep_registration(self, registration: Registration) -> None:
        """Stores it, before it is used."""

    def forget_registration(self, issuer: str) -> None:
        """Drops it: the server no longer knows it."""


def known_registration(
    request: SignInRequest, found: Found, memory: Memory, *, scope: tuple[str, ...], now: int
) -> Registration | None:
    """The registration that needs no request: given, by document, or remembered and still good."""
    issuer = found.metadata.issuer
    if request.client_id is not None:
        return _given(request, found)
    if request.client_metadata_url and found.metadata.client_id_metadata_document_supported:
        return Registration(issuer, request.client_metadata_url, "none", "document")
    held = memory.registration(issuer)
    if held is None or (held.secret_expires_at is not None and held.secret_expires_at <= now):
        return None
    # Some servers let a client ask only for the scopes it registered with.
    return held if set(scope) <= set(held.scope) or not held.scope else None


def register(
    request: SignInRequest, found: Found, *, redirect_uri: str, scope: tuple[str, ...]
) -> Talk[Registration]:
    """Registers dynamically with exactly the redirect URI in use (CL-22).

    Raises `Denied` when the server takes no registrations, `ServerFault`, `Unreachable`.
    """
    endpoint = found.metadata.registration_endpoint
    if endpoint is None:
        raise _ask_the_person(request, found)
    wanted = dict.fromkeys((*scope, *found.scopes_supported))
    method = choose_method(found.metadata.token_endpoint_auth_methods_supported, has_secret=None)
    body = build_registration(
        client_name=request.client_name,
        redirect_uris=(redirect_uri,),
        method=method,
        scope=tuple(wanted),
    )
    reply = yield Post(endpoint, json.dumps(body).encode(), content_type=JSON)
    told = parse_token_error(reply.body) if reply.status == 400 else None
    if told is not None and told.error in SCOPE_NOT_WANTED and body.pop("scope", None):
        reply = yield Post(endpoint, json.dumps(body).encode(), content_type=JSON)
    if reply.status == 404 and found.fixed_endpoints:
        raise _ask_the_person(request, found)
    if reply.status not in (200, 201):
        raise _registration_refused(request, found, reply)
    return _read_registration(found, reply, body)


def build_registration(
    *, client_name: str, redirect_uris: tuple[str, ...], method: str, scope: tuple[str, ...]
) -> dict[str, Any]:
    """The client metadata (RFC 7591 section 2) of this program, which runs on a person's
    machine.
    """
    body: dict[str, Any] = {
        "client_name": client_name,
        "redirect_uris": list(redirect_uris),
        "grant_types": list(GRANT_TYPES),
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "application_type": "native",
        "software_id": SOFTWARE_ID,
    }
    return {**body, "scope": format_scope(scope)} if scope else body


def build_metadata_document(
    url: str, *, client_name: str, path: str = "/callback"
) -> dict[str, Any]:
    """The client metadata document to publish at `url`, so that servers know this client
    (CL-21).
    """
    hosts = ("localhost", "127.0.0.1", "[::1]")
    body = build_registration(
        client_name=client_name,
        redirect_uris=tuple(f"http://{host}{path}" for host in hosts),
        method="none",
        scope=(),
    )
    return {"client_id": url, **body}


def choose_method(offered: tuple[str, ...], *, has_secret: bool | None) -> str:
    """The token endpoint authentication to use (CL-26).

    has_secret: True or False for a client that has or lacks one, None for one about to register.
    A server that lists nothing is taken at RFC 8414's default for a client with a secret; a client
    without one authenticates with nothing.
    """
    if has_secret is False:
        return "none"
    if not offered:
        return "client_secret_basic" if has_secret else "none"
    usable = METHODS[1:] if has_secret else METHODS
    return next((method for method in usable if method in offered), usable[0])


def _given(request: SignInRequest, found: Found) -> Registration:
    issuer = found.metadata.issuer
    if request.client_issuer is not None and request.client_issuer != issuer:
        raise Untrusted(
            f"The client {request.client_id} belongs to {request.client_issuer}, "
            f"but {request.server_url} signs people in at {issuer}.",
            next_step="Pass the client of that authorization server, or none.",
        )
    method = request.token_endpoint_auth_method or choose_method(
        found.metadata.token_endpoint_auth_methods_supported,
        has_secret=request.client_secret is not None,
    )
    return Registration(
        issuer, request.client_id or "", method, "given", client_secret=request.client_secret
    )


def _read_registration(found: Found, reply: Reply, sent: dict[str, Any]) -> Registration:
    """CL-23: what the server returned is what was registered, whatever was asked."""
    document = read_json_object(reply.body) or {}
    client_id, secret = document.get("client_id"), document.get("client_secret")
    if not isinstance(client_id, str) or not client_id or not client_id.isprintable():
        raise _unusable(found, "it gave no client_id")
    if not (secret is None or isinstance(secret, str)):
        raise _unusable(found, "its client_secret is not text")
    method = document.get("token_endpoint_auth_method", sent["token_endpoint_auth_method"])
    if method not in METHODS:
        raise _unusable(found, f"it wants the client to authenticate by {method!r:.40}")
    if method != "none" and not secret:
        raise _unusable(found, "it gave no client_secret")
    redirect_uris = document.get("redirect_uris", sent["redirect_uris"])
    if not isinstance(redirect_uris, list) or sent["redirect_uris"][0] not in redirect_uris:
        raise _unusable(found, "it replaced the redirect URI")
    expires = document.get("client_secret_expires_at")
    return Registration(
        found.metadata.issuer,
        client_id,
        method,
        "dynamic",
        client_secret=secret if method != "none" else None,
        redirect_uri=sent["redirect_uris"][0],
        scope=tuple(str(document.get("scope") or sent.get("scope", "")).split()),
        secret_expires_at=expires if isinstance(expires, int) and expires > 0 else None,
    )


def _unusable(found: Found, why: str) -> ServerFault:
    return ServerFault(
        f"{found.metadata.issuer} registered this client in a way it cannot use: {why}.",
        next_step="Register a client by hand there and pass it with --client-id.",
    )


def _ask_the_person(request: SignInRequest, found: Found) -> Denied:
    return Denied(
        f"{found.metadata.issuer} does not let programs register themselves.",
        next_step=(
            "Register a public client there with the redirect URI http://127.0.0.1/callback, then: "
            f"mcplatch login {request.server_url} --client-id ID"
        ),
    )


def _registration_refused(
    request: SignInRequest, found: Found, reply: Reply
) -> Denied | ServerFault | Unreachable:
    if reply.status >= 500 or reply.status == 429:
        return Unreachable(
            f"{reply.url} answered {reply.status}.", next_step="Try again in a minute."
        )
    told = parse_token_error(reply.body)
    if told is None and reply.status not in (401, 403, 404, 405):
        return ServerFault(
            f"{reply.url} answered {reply.status} to the registration of this client.",
            next_step="Register a client by hand there and pass it with --client-id.",
        )
    refusal = _ask_the_person(request, found)
    words = f" ({told.error}: {told.error_description})" if told else ""
    return Denied(refusal.what[:-1] + f"{words}.", next_step=refusal.next_step)
