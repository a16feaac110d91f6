"""Mints access tokens: signed for local verification, or opaque where the resource asked for it
(RFC 9068).
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch import jose
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.keys import KeyRing
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment, digest, name_of
from mcplatch.protocol.access_token import TYP, AccessTokenClaims, build_claims, read_claims
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import AccessToken, Grant
from mcplatch.store.port import Put

GENERATION = "generation"
MOST_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh access token and what must be remembered of it."""

    token: str
    expires_in: int
    changes: tuple[Put, ...] = ()
    claims: AccessTokenClaims | None = None


def mint(
    grant: Grant,
    scope: tuple[str, ...],
    generation: int,
    *,
    policy: Policy,
    ring: KeyRing,
    moment: Moment,
) -> Minted:
    """An access token under `grant`, never outliving it; `generation` is the refresh it came
    with.
    """
    lifetime = min(policy.lifetimes.access_token, grant.expires_at - moment.now)
    resource = policy.resource(grant.resource)
    if resource is not None and resource.access_token_format == "opaque":
        return _opaque(grant, scope, generation, lifetime, moment)
    claims = AccessTokenClaims(
        iss=policy.issuer,
        sub=grant.user_id,
        aud=(grant.resource,),
        client_id=grant.client_id,
        scope=scope,
        exp=moment.now + lifetime,
        iat=moment.now,
        jti=moment.token(16),
        grant_id=grant.grant_id,
        extra={GENERATION: generation},
    )
    signer = ring.signer(moment.now)
    return Minted(signer.sign(build_claims(claims), typ=TYP), lifetime, (), claims)


def _opaque(
    grant: Grant, scope: tuple[str, ...], generation: int, lifetime: int, moment: Moment
) -> Minted:
    secret = moment.token()
    kept = AccessToken(
        token_hash=name_of(secret),
        grant_id=grant.grant_id,
        generation=generation,
        resource=grant.resource,
        scope=scope,
        created_at=moment.now,
        expires_at=moment.now + lifetime,
    )
    return Minted(secret, lifetime, (Put(kept),))


def own_claims(token: str, house: House) -> AccessTokenClaims | None:
    """The claims of a token that one of our keys signed; whether it is still good is not judged
    here.
    """
    name = digest(token)
    found = house.seen_tokens.get(name)
    if found is not None:
        return found
    signed = jose.verify(token, house.ring.public)
    claims = signed if isinstance(signed, Refusal) else read_claims(signed)
    if isinstance(claims, Refusal) or not claims.grant_id or not claims.jti:
        return None
    remember(token, claims, house)
    return claims


def remember(token: str, claims: AccessTokenClaims, house: House) -> None:
    """Keeps what a token of ours says, so that its signature need not be verified for that."""
    if len(house.seen_tokens) >= MOST_SEEN:
        house.seen_tokens.clear()
    house.seen_tokens[digest(token)] = claims
