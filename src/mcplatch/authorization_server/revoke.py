"""Token revocation: the owner takes a token back, and what hangs on it falls with it (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.access_tokens import GENERATION, own_claims
from mcplatch.authorization_server.client_authentication import Credentials, present
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.grants import revoke as revoke_grant
from mcplatch.authorization_server.guessing import admit
from mcplatch.authorization_server.house import House
from mcplatch.moment import name_of
from mcplatch.protocol.access_token import AccessTokenClaims
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AccessToken, AuditEvent, Client, Grant, RefreshToken
from mcplatch.store.port import Change, Put, Transaction, replacing

TOKEN_MISSING = Reason(
    "revocation-token-missing",
    "invalid_request",
    "The parameter token is missing.",
    "RFC 7009 2.1",
)
TOKEN_OF_ANOTHER_CLIENT = Reason(
    "revocation-token-of-another-client",
    "invalid_grant",
    "The token was not issued to this client.",
    "RFC 7009 2.1",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a token turned out to be; a signed access token has a row only once it is revoked."""

    grant: Grant
    access_token: AccessToken | None = None
    remembered: bool = False


async def answer(
    form: Parameters, authorization: str | None, house: House, *, address: str | None = None
) -> Refused | None:
    """None for 200, also for a token nobody knows (RFC 7009 section 2.2). Raises `StoreDown`."""
    credentials = present(form, authorization)
    if isinstance(credentials, Refusal):
        return Refused(credentials.reason)
    token = form.get("token")
    if token is None:
        return Refused(TOKEN_MISSING)
    signed = own_claims(token, house) if token.count(".") == 2 else None
    return await house.store.settle(
        lambda transaction: _settle(transaction, credentials, token, signed, address)
    )


def _settle(
    transaction: Transaction,
    credentials: Credentials,
    token: str,
    signed: AccessTokenClaims | None,
    address: str | None,
) -> Refused | None:
    client = admit(transaction, credentials, address)
    if isinstance(client, Refusal):
        return Refused(client.reason)
    facts = read(transaction, token, signed)
    if facts is None:
        return None
    decision = decide(facts, client, transaction.now, address)
    if isinstance(decision, Refused):
        return decision
    transaction.apply(decision)
    return None


def read(transaction: Transaction, token: str, signed: AccessTokenClaims | None) -> Facts | None:
    """The grant a token hangs on; the type hint is not needed to find it (RFC 7009 section 2.1)."""
    if signed is not None:
        return _read_signed(transaction, signed)
    refresh = transaction.one(RefreshToken, token_hash=name_of(token))
    if refresh is not None:
        grant = transaction.one(Grant, lock=True, grant_id=refresh.grant_id)
        return None if grant is None else Facts(grant)
    opaque = transaction.one(AccessToken, lock=True, token_hash=name_of(token))
    grant = None if opaque is None else transaction.one(Grant, grant_id=opaque.grant_id)
    return None if grant is None else Facts(grant, opaque, remembered=True)


def _read_signed(transaction: Transaction, claims: AccessTokenClaims) -> Facts | None:
    grant = transaction.one(Grant, grant_id=claims.grant_id)
    if grant is None:
        return None
    jti_hash = name_of(claims.jti or "")
    remembered = transaction.one(AccessToken, token_hash=jti_hash)
    if remembered is not None:
        return Facts(grant, remembered, remembered=True)
    row = AccessToken(
        token_hash=jti_hash,
        grant_id=grant.grant_id,
        generation=int(claims.extra.get(GENERATION, 0)),
        resource=grant.resource,
        scope=claims.scope,
        created_at=claims.iat or 0,
        expires_at=claims.exp,
    )
    return Facts(grant, row)


def decide(
    facts: Facts, client: Client, now: int, address: str | None
) -> tuple[Change, ...] | Refused:
    """A refresh token takes its grant along; an access token goes alone (RFC 7009 section 2.1)."""
    grant, token = facts.grant, facts.access_token
    if grant.client_id != client.client_id:
        return Refused(TOKEN_OF_ANOTHER_CLIENT)
    event = Put(
        AuditEvent(
            at=now,
            kind="token-revoked" if token else "grant-revoked",
            outcome="done",
            reason="client-revoked",
            user_id=grant.user_id,
            client_id=client.client_id,
            grant_id=grant.grant_id,
            resource=grant.resource,
            address=address,
        )
    )
    if token is None:
        if grant.revoked_at is not None:
            return ()
        return (revoke_grant(grant, now, "client-revoked"), event)
    if token.revoked_at is not None:
        return ()
    return (_revoked(facts, token, now), event)


def _revoked(facts: Facts, token: AccessToken, now: int) -> Change:
    ended, end = replacing(token, revoked_at=now)
    return end if facts.remembered else Put(ended)
