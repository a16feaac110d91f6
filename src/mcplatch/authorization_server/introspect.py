"""Token introspection: a resource server asks whether a token meant for it is alive (RFC 7662)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from mcplatch.authorization_server.access_tokens import GENERATION, own_claims
from mcplatch.authorization_server.client_authentication import (
    Credentials,
    client_secret_basic,
)
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.guessing import GUESSES_TOO_MANY, count_guess, is_guessing
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import Policy, Resource
from mcplatch.moment import digest, name_of
from mcplatch.protocol.access_token import AccessTokenClaims
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import same_resource
from mcplatch.records import AccessToken, Grant, RefreshToken
from mcplatch.store.port import Transaction, replacing

_FAILED = "Resource server authentication failed."

TOKEN_MISSING = Reason(
    "introspection-token-missing",
    "invalid_request",
    "The parameter token is missing.",
    "RFC 7662 2.1",
)
CALLER_UNIDENTIFIED = Reason(
    "introspection-caller-unidentified", "invalid_client", _FAILED, "RFC 7662 2.1", 401
)
CALLER_UNKNOWN = Reason(
    "introspection-caller-unknown", "invalid_client", _FAILED, "RFC 7662 2.1", 401
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a token. `row` is the row of an opaque token or of a revoked signed one;
    `minted_with` is the refresh token of its generation while nothing of it was seen in use.
    """

    claims: AccessTokenClaims
    grant: Grant
    row: AccessToken | None
    minted_with: RefreshToken | None = None


async def answer(
    form: Parameters, authorization: str | None, house: House, *, address: str | None = None
) -> AccessTokenClaims | Refused | None:
    """The claims of an active token that is the caller's own, or None: inactive, and not a word
    why.

    Raises `StoreDown`.
    """
    caller = authenticate_caller(form, authorization, house.policy)
    if isinstance(caller, Refusal):
        return Refused(await _counted(caller, house, address))
    token = form.get("token")
    if token is None:
        return Refused(TOKEN_MISSING)
    signed = own_claims(token, house) if token.count(".") == 2 else None

    def looked(transaction: Transaction) -> Facts | None:
        facts = read(transaction, token, signed, house.policy)
        return facts if facts and is_active(facts, caller, house.policy, transaction.now) else None

    facts = await house.store.look(looked)
    if facts is None:
        return None
    if facts.minted_with is not None:
        await house.store.settle(lambda t: _confirm(t, facts.grant, facts.claims))
    return facts.claims


async def _counted(refusal: Refusal, house: House, address: str | None) -> Reason:
    """The reason to give, once a wrong secret for a resource of ours is counted.

    A right secret is never held up: it has at least 16 characters, and its owner asks all the time.
    """
    resource = house.policy.resource(refusal.detail) if refusal.detail else None
    if resource is None:
        return refusal.reason

    def guessed(transaction: Transaction) -> Reason:
        if is_guessing(transaction, resource.identifier, address):
            return GUESSES_TOO_MANY
        count_guess(transaction, resource.identifier, address)
        return refusal.reason

    return await house.store.settle(guessed)


def authenticate_caller(
    form: Parameters, authorization: str | None, policy: Policy
) -> Resource | Refusal:
    """The resource server that asks: its identifier and introspection secret by HTTP Basic."""
    credentials = client_secret_basic.present(form, authorization)
    if not isinstance(credentials, Credentials) or credentials.secret is None:
        return Refusal(CALLER_UNIDENTIFIED)
    resource = policy.resource(credentials.client_id)
    expected = (resource.introspection_secret_hash if resource else None) or ""
    if not hmac.compare_digest(digest(credentials.secret), expected) or resource is None:
        return Refusal(CALLER_UNKNOWN, credentials.client_id[:200])
    return resource


def read(
    transaction: Transaction, token: str, signed: AccessTokenClaims | None, policy: Policy
) -> Facts | None:
    """The facts about a token, or None when it was never one of ours."""
    name = name_of(token if signed is None else signed.jti or "")
    row = transaction.one(AccessToken, token_hash=name)
    claims = signed
    if claims is None:
        claims = None if row is None else _claims_of(transaction, row, policy)
    if claims is None or claims.grant_id is None:
        return None
    grant = transaction.one(Grant, grant_id=claims.grant_id)
    if grant is None:
        return None
    return Facts(claims, grant, row, _unconfirmed(transaction, grant, claims))


def _claims_of(
    transaction: Transaction, row: AccessToken, policy: Policy
) -> AccessTokenClaims | None:
    grant = transaction.one(Grant, grant_id=row.grant_id)
    if grant is None:
        return None
    return AccessTokenClaims(
        iss=policy.issuer,
        sub=grant.user_id,
        aud=(row.resource,),
        client_id=grant.client_id,
        scope=row.scope,
        exp=row.expires_at,
        iat=row.created_at,
        grant_id=row.grant_id,
        extra={GENERATION: row.generation},
    )


def _unconfirmed(
    transaction: Transaction, grant: Grant, claims: AccessTokenClaims
) -> RefreshToken | None:
    if grant.generation == 0 or claims.extra.get(GENERATION) != grant.generation:
        return None
    found = transaction.one(RefreshToken, token_hash=grant.refresh_hash)
    return found if found is not None and found.confirmed_at is None else None


def is_active(facts: Facts, caller: Resource, policy: Policy, now: int) -> bool:
    """Whether the token is alive and meant for the caller, who is told nothing of others'
    tokens.
    """
    claims, grant = facts.claims, facts.grant
    if grant.revoked_at is not None or grant.expires_at <= now or claims.exp <= now:
        return False
    if facts.row is not None and facts.row.revoked_at is not None:
        return False
    if claims.iss != policy.issuer:
        return False
    return any(same_resource(audience, caller.identifier) for audience in claims.aud)


def _confirm(transaction: Transaction, grant: Grant, claims: AccessTokenClaims) -> None:
    """Notes that the answer of the last rotation arrived: its predecessor may not ask again
    late.
    """
    token = _unconfirmed(transaction, grant, claims)
    if token is not None:
        transaction.apply((replacing(token, confirmed_at=transaction.now)[1],))
