"""The token endpoint: the same steps for every grant type (RFC 6749 section 3.2).

parse the request and its credentials, then in one transaction: authenticate the client, read the
facts, decide, apply what changes with the audit row that witnesses it, and build the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.access_tokens import mint, remember
from mcplatch.authorization_server.client_authentication import Credentials, present
from mcplatch.authorization_server.decision import Issued, Refused, Repeated, refused_event
from mcplatch.authorization_server.grant_types import BY_NAME, GrantType
from mcplatch.authorization_server.grant_types.refresh_token import answer_key
from mcplatch.authorization_server.guessing import admit
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.token import (
    GRANT_TYPE_MISSING,
    GRANT_TYPE_NOT_ALLOWED,
    GRANT_TYPE_UNSUPPORTED,
    token_response,
)
from mcplatch.records import AuditEvent, Grant, changed
from mcplatch.seal import seal
from mcplatch.store.port import Change, Put, Transaction

RESOURCE_GONE = Reason(
    "resource-gone", "invalid_target", "The resource is not protected here any more.", "RFC 8707 2"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the token endpoint, with what it takes to answer it."""

    grant_type: GrantType
    request: object
    credentials: Credentials
    address: str | None


async def answer(
    form: Parameters, authorization: str | None, house: House, *, address: str | None = None
) -> bytes | Refused:
    """The 200 body, or the refusal. Raises `StoreDown`: trouble of ours is never
    `invalid_grant`.
    """
    asked = parse(form, authorization, address)
    if isinstance(asked, Refusal):
        return Refused(asked.reason, detail=asked.detail)
    return await house.store.settle(lambda transaction: _settle(transaction, asked, house))


def parse(
    form: Parameters, authorization: str | None, address: str | None = None
) -> Asked | Refusal:
    """Which grant type, asked for by whom."""
    name = form.get("grant_type")
    if name is None:
        return Refusal(GRANT_TYPE_MISSING)
    credentials = present(form, authorization)
    if isinstance(credentials, Refusal):
        return credentials
    grant_type = BY_NAME.get(name)
    if grant_type is None:
        return Refusal(GRANT_TYPE_UNSUPPORTED)
    request = grant_type.parse(form)
    if isinstance(request, Refusal):
        return request
    return Asked(grant_type, request, credentials, address)


def _settle(transaction: Transaction, asked: Asked, house: House) -> bytes | Refused:
    client = admit(transaction, asked.credentials, asked.address)
    if isinstance(client, Refusal):
        return Refused(client.reason)
    if asked.grant_type.NAME not in client.grant_types:
        return Refused(GRANT_TYPE_NOT_ALLOWED)
    moment = house.moment(transaction)
    facts = asked.grant_type.read(transaction, asked.request)
    decision = asked.grant_type.decide(asked.request, facts, client, house.policy, moment)
    if isinstance(decision, Refused):
        return _refuse(transaction, decision, asked, moment)
    if house.policy.resource(decision.grant.resource) is None:
        return Refused(RESOURCE_GONE, grant=decision.grant)
    body, changes = _answered(decision, house, moment)
    transaction.apply((*decision.changes, *changes, _witness(decision, asked, moment)))
    return body


def _refuse(transaction: Transaction, decision: Refused, asked: Asked, moment: Moment) -> Refused:
    if decision.changes:
        kind = asked.grant_type.NAME
        event = refused_event(kind, decision, at=moment.now, client_id=asked.credentials.client_id)
        transaction.apply((*decision.changes, Put(changed(event, address=asked.address))))
    return decision


def _answered(
    decision: Issued | Repeated, house: House, moment: Moment
) -> tuple[bytes, tuple[Change, ...]]:
    """The body, and what must be remembered of it: it is made inside the transaction, so that a
    signature that fails leaves the code unspent.
    """
    if isinstance(decision, Repeated):
        return decision.body, ()
    minted = mint(
        decision.grant,
        decision.scope,
        decision.generation,
        policy=house.policy,
        ring=house.ring,
        moment=moment,
    )
    if minted.claims is not None and _is_introspected(decision.grant, house.policy):
        remember(minted.token, minted.claims, house)
    body = token_response(
        minted.token,
        expires_in=minted.expires_in,
        scope=decision.scope,
        refresh_token=decision.refresh_token,
    )
    if decision.successor is None or decision.presented is None:
        return body, minted.changes
    successor = decision.successor
    sealed = seal(answer_key(decision.presented), body, bound_to=successor.token_hash)
    return body, (*minted.changes, Put(changed(successor, sealed=sealed)))


def _is_introspected(grant: Grant, policy: Policy) -> bool:
    resource = policy.resource(grant.resource)
    return resource is not None and resource.introspection_secret_hash is not None


def _witness(decision: Issued | Repeated, asked: Asked, moment: Moment) -> Put:
    grant = decision.grant
    return Put(
        AuditEvent(
            at=moment.now,
            kind=decision.event,
            outcome="allowed",
            user_id=grant.user_id,
            client_id=grant.client_id,
            grant_id=grant.grant_id,
            resource=grant.resource,
            scope=decision.scope if isinstance(decision, Issued) else grant.scope,
            address=asked.address,
        )
    )
