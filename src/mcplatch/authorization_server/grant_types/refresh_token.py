"""The refresh token grant: rotation that catches thieves and strands nobody (OAuth 2.1 section
4.3).

The direct predecessor of the current token gets the very same answer again: for W seconds in any
case, for W2 seconds while nothing minted in that rotation has been used, because then the answer
was lost. Anything older, or later, is a copy in a second pair of hands: the grant ends.
Confidential clients prove who they are with every request, so theirs is not rotated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcplatch.authorization_server.decision import Issued, Refused, Repeated
from mcplatch.authorization_server.grants import revoke
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment, name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import same_resource
from mcplatch.protocol.scope import parse_scope
from mcplatch.records import Client, Grant, RefreshToken
from mcplatch.seal import derive_key, unseal
from mcplatch.store.port import Transaction, replacing

NAME = "refresh_token"
SEAL_PURPOSE = "refresh answer"

# A token that is not rotated is not written at every use either, but once it has aged this much.
RENEW_AFTER = 24 * 3600

_UNUSABLE = "The refresh token is not valid."

TOKEN_MISSING = Reason(
    "refresh-token-missing",
    "invalid_request",
    "The parameter refresh_token is missing.",
    "RFC 6749 6",
)
TOKEN_UNKNOWN = Reason("refresh-token-unknown", "invalid_grant", _UNUSABLE, "RFC 6749 5.2")
TOKEN_OF_ANOTHER_CLIENT = Reason(
    "refresh-token-of-another-client", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.3"
)
GRANT_ENDED = Reason("refresh-grant-ended", "invalid_grant", _UNUSABLE, "RFC 6749 5.2")
TOKEN_EXPIRED = Reason("refresh-token-expired", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.3.3")
SCOPE_NOT_GRANTED = Reason(
    "refresh-scope-not-granted",
    "invalid_scope",
    "The scope exceeds what was granted.",
    "RFC 6749 6",
)
RESOURCE_NOT_GRANTED = Reason(
    "refresh-resource-not-granted",
    "invalid_target",
    "The resource is not the one that was granted.",
    "RFC 8707 2.2",
)
TOKEN_REUSED = Reason("refresh-token-reused", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.3.1")


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sends."""

    refresh_token: str
    scope: tuple[str, ...]
    resource: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The presented token, its grant, and the grant's current token: the same, or a later one."""

    token: RefreshToken | None
    grant: Grant | None
    current: RefreshToken | None


def parse(form: Parameters) -> Request | Refusal:
    """The request, complete and well-formed, or why it is not."""
    token = form.get("refresh_token")
    if token is None:
        return Refusal(TOKEN_MISSING)
    scope = parse_scope(form.get("scope"))
    if isinstance(scope, Refusal):
        return scope
    return Request(token, scope, form.all("resource"))


def read(transaction: Transaction, request: Request) -> Facts:
    """The facts; the grant's row is held, because it says which of its tokens is current."""
    token = transaction.one(RefreshToken, token_hash=name_of(request.refresh_token))
    if token is None:
        return Facts(None, None, None)
    grant = transaction.one(Grant, lock=True, grant_id=token.grant_id)
    if grant is None or grant.refresh_hash == token.token_hash:
        return Facts(token, grant, token)
    return Facts(token, grant, transaction.one(RefreshToken, token_hash=grant.refresh_hash))


def decide(
    request: Request, facts: Facts, client: Client, policy: Policy, moment: Moment
) -> Issued | Repeated | Refused:
    """Validates everything before anything is written: a refused request must not burn the
    token.
    """
    token, grant, current = facts.token, facts.grant, facts.current
    if token is None or grant is None or current is None:
        return Refused(TOKEN_UNKNOWN)
    if grant.client_id != client.client_id:
        return Refused(TOKEN_OF_ANOTHER_CLIENT)
    if grant.revoked_at is not None:
        return Refused(GRANT_ENDED)
    if min(token.expires_at, grant.expires_at) <= moment.now:
        return Refused(TOKEN_EXPIRED)
    if not set(request.scope) <= {*grant.scope, "offline_access"}:
        return Refused(SCOPE_NOT_GRANTED)
    if any(not same_resource(resource, grant.resource) for resource in request.resource):
        return Refused(RESOURCE_NOT_GRANTED)
    scope = tuple(s for s in grant.scope if s in request.scope) or grant.scope
    if client.token_endpoint_auth_method != "none":
        return _renew(token, grant, scope, policy, moment)
    if token.token_hash == current.token_hash:
        return _rotate(request, grant, scope, policy, moment)
    if _may_be_repeated(token, current, policy, moment):
        return _repeat(request, current, grant, scope)
    return Refused(TOKEN_REUSED, (revoke(grant, moment.now, TOKEN_REUSED.name),), grant)


def _may_be_repeated(
    token: RefreshToken, current: RefreshToken, policy: Policy, moment: Moment
) -> bool:
    if token.generation + 1 != current.generation:
        return False
    if current.sealed is None or current.retries >= policy.most_retries:
        return False
    age, lifetimes = moment.now - current.created_at, policy.lifetimes
    lost = current.confirmed_at is None and age <= lifetimes.retry_unconfirmed
    return age <= lifetimes.retry or lost


def _rotate(
    request: Request, grant: Grant, scope: tuple[str, ...], policy: Policy, moment: Moment
) -> Issued:
    secret, generation = moment.token(), grant.generation + 1
    successor = RefreshToken(
        token_hash=name_of(secret),
        grant_id=grant.grant_id,
        generation=generation,
        created_at=moment.now,
        expires_at=min(moment.now + policy.lifetimes.refresh_idle, grant.expires_at),
    )
    used, use = replacing(
        grant,
        generation=generation,
        refresh_hash=successor.token_hash,
        last_used_at=moment.now,
    )
    return Issued(
        used, scope, generation, "refreshed", secret, (use,), successor, request.refresh_token
    )


def _repeat(
    request: Request, current: RefreshToken, grant: Grant, scope: tuple[str, ...]
) -> Issued | Repeated:
    key = answer_key(request.refresh_token)
    body = unseal(key, current.sealed or b"", bound_to=current.token_hash)
    counted = (replacing(current, retries=current.retries + 1)[1],)
    answer = json.loads(body)
    if answer["scope"] == " ".join(scope):
        return Repeated(grant, body, counted)
    secret = answer.get("refresh_token")
    return Issued(grant, scope, grant.generation, "refresh-repeated", secret, counted)


def _renew(
    token: RefreshToken, grant: Grant, scope: tuple[str, ...], policy: Policy, moment: Moment
) -> Issued:
    used, use = replacing(grant, last_used_at=moment.now)
    until = min(moment.now + policy.lifetimes.refresh_idle, grant.expires_at)
    changes = [use]
    if until - token.expires_at > RENEW_AFTER:
        changes.append(replacing(token, expires_at=until)[1])
    return Issued(used, scope, grant.generation, "refreshed", None, tuple(changes))


def answer_key(presented: str) -> bytes:
    """The key under which a rotation's answer is kept: only the presented token yields it."""
    return derive_key(presented.encode(), SEAL_PURPOSE)
