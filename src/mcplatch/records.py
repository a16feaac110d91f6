"""What the house remembers: one frozen dataclass a table.

Times are whole seconds since the epoch; `None` means it has not happened. There are no booleans:
what happened has the time it happened. Random secrets are kept as digests only (`moment.digest`). A
code or token points to its `Grant`, so revoking is one row and everything under the grant asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar, get_args


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client (RFC 7591 section 2). `digest` is over what a person agreed to deal with."""

    client_id: str
    kind: str  # "document" | "registered" | "dynamic"
    client_name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    token_endpoint_auth_method: str
    digest: str
    created_at: int
    secret_hash: str | None = None
    scope: tuple[str, ...] = ()
    application_type: str | None = None
    client_uri: str | None = None
    last_used_at: int | None = None
    fetched_at: int | None = None
    expires_at: int | None = None
    blocked_at: int | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person's account."""

    user_id: str
    username: str
    name: str
    created_at: int
    password_hash: str | None = None
    locked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which a person is signed in."""

    session_hash: str
    user_id: str
    created_at: int
    authenticated_at: int
    expires_at: int
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Interaction:
    """A pending authorization request, bound to the browser that brought it."""

    interaction_id: str
    browser_hash: str
    client_id: str
    client_digest: str
    redirect_uri: str
    scope: tuple[str, ...]
    resource: str
    code_challenge: str
    created_at: int
    expires_at: int
    redirect_uri_given: str | None = None
    state: str | None = None
    prompt: tuple[str, ...] = ()
    authenticated_at: int | None = None
    answered_at: int | None = None
    denied_at: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization given: who, to which client, for what. `generation` counts its
    refreshes.
    """

    grant_id: str
    user_id: str
    client_id: str
    client_name: str
    redirect_uri: str
    resource: str
    scope: tuple[str, ...]
    created_at: int
    expires_at: int
    generation: int = 0
    last_used_at: int | None = None
    revoked_at: int | None = None
    revoked_because: str | None = None
    refresh_hash: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code, from consent until it is spent; kept after that to recognise a replay."""

    code_hash: str
    grant_id: str
    redirect_uri: str
    code_challenge: str
    created_at: int
    expires_at: int
    spent_at: int | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One generation of a grant's refresh token; which one is current, the grant says.

    `sealed` is the whole answer that brought it, encrypted under a key that only its predecessor
    yields, and `retries` is how often that was asked for again; `confirmed_at` is when something
    that came with it was first seen in use.
    """

    token_hash: str
    grant_id: str
    generation: int
    created_at: int
    expires_at: int
    sealed: bytes | None = None
    confirmed_at: int | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An opaque access token, or the trace of a JWT revoked before its time (`token_hash` of its
    jti).
    """

    token_hash: str
    grant_id: str
    generation: int
    resource: str
    scope: tuple[str, ...]
    created_at: int
    expires_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key: published from `created_at`, signing from `active_at`, gone at
    `retired_at`.
    """

    kid: str
    algorithm: str
    public_jwk: str
    sealed_private: bytes
    created_at: int
    active_at: int
    retired_at: int | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate limit: `full_at` is when the bucket named `key` will have no debt left, in
    milliseconds.
    """

    key: str
    full_at: int


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What was decided, for whom, by which reason; written in the transaction that did it."""

    at: int
    kind: str
    outcome: str
    event_id: int | None = None
    reason: str | None = None
    user_id: str | None = None
    client_id: str | None = None
    grant_id: str | None = None
    resource: str | None = None
    scope: tuple[str, ...] = ()
    address: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One named fact about this deployment, such as the check value of its secret key."""

    name: str
    value: str


Record = (
    Client
    | User
    | Session
    | Interaction
    | Grant
    | AuthorizationCode
    | RefreshToken
    | AccessToken
    | SigningKey
    | Bucket
    | AuditEvent
    | Deployment
)

R = TypeVar("R", bound=Record)

_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in get_args(Record)}
_PLACES = {
    kind: {name: place for place, name in enumerate(names)} for kind, names in _FIELDS.items()
}
_VALUES = {kind: attrgetter(*names) for kind, names in _FIELDS.items()}


def changed(record: R, **values: Any) -> R:
    """The record with some fields replaced; `dataclasses.replace` at half its cost."""
    kind = type(record)
    whole = list(_VALUES[kind](record))
    for name, value in values.items():
        whole[_PLACES[kind][name]] = value
    return kind(*whole)
