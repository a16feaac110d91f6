"""Whether what a grant was given for still stands: its person, its client and its resource.

A grant is revoked by one row of its own; these are the rows of others that end it too. Every
token that is minted and every token that is asked about looks here.
"""

from __future__ import annotations

from mcplatch.authorization_server.policy import Policy
from mcplatch.protocol.refusal import Reason
from mcplatch.records import Client, Grant, User
from mcplatch.store.port import Transaction

PERSON_GONE = Reason(
    "person-gone-or-locked",
    "invalid_grant",
    "The authorization is not valid any more.",
    "RFC 6749 5.2",
)
CLIENT_GONE = Reason(
    "client-gone-or-blocked",
    "invalid_grant",
    "The authorization is not valid any more.",
    "RFC 6749 5.2",
)
RESOURCE_GONE = Reason(
    "resource-gone", "invalid_target", "The resource is not protected here any more.", "RFC 8707 2"
)


def fallen(
    transaction: Transaction, grant: Grant, client: Client | None, policy: Policy
) -> Reason | None:
    """Why the grant stands no longer, or None while it does."""
    if client is None or client.blocked_at is not None:
        return CLIENT_GONE
    user = transaction.one(User, user_id=grant.user_id)
    if user is None or user.locked_at is not None:
        return PERSON_GONE
    return RESOURCE_GONE if policy.resource(grant.resource) is None else None
