"""The authorization code grant: a code is spent once, by the client that proves it asked (OAuth 2.1
section 4.1.3).

The worked example: every other operation has these beats in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.decision import Issued, Refused
from mcplatch.authorization_server.grants import revoke
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment, name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.pkce import is_verifier, proves
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import same_resource
from mcplatch.records import AuthorizationCode, Client, Grant, RefreshToken
from mcplatch.store.port import Put, Transaction, replacing

NAME = "authorization_code"

_UNUSABLE = "The authorization code is not valid."

CODE_MISSING = Reason(
    "code-missing", "invalid_request", "The parameter code is missing.", "OAuth 2.1 4.1.3"
)
VERIFIER_MISSING = Reason(
    "code-verifier-missing",
    "invalid_request",
    "The parameter code_verifier is missing.",
    "RFC 7636 4.5",
)
VERIFIER_MALFORMED = Reason(
    "code-verifier-malformed",
    "invalid_request",
    "The code_verifier is malformed.",
    "RFC 7636 4.1",
)
CODE_UNKNOWN = Reason("code-unknown", "invalid_grant", _UNUSABLE, "RFC 6749 5.2")
CODE_OF_ANOTHER_CLIENT = Reason(
    "code-of-another-client", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.1.3"
)
VERIFIER_WRONG = Reason("code-verifier-wrong", "invalid_grant", _UNUSABLE, "RFC 7636 4.6")
REDIRECT_URI_DIFFERS = Reason("redirect-uri-differs", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.1.3")
RESOURCE_NOT_GRANTED = Reason(
    "resource-not-granted",
    "invalid_target",
    "The resource is not the one that was granted.",
    "RFC 8707 2.2",
)
CODE_REPLAYED = Reason("code-replayed", "invalid_grant", _UNUSABLE, "OAuth 2.1 7.5.3")
CODE_EXPIRED = Reason("code-expired", "invalid_grant", _UNUSABLE, "OAuth 2.1 4.1.2")
GRANT_REVOKED = Reason("grant-revoked", "invalid_grant", _UNUSABLE, "RFC 6749 5.2")


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sends."""

    code: str
    code_verifier: str
    redirect_uri: str | None
    resource: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the code it sends."""

    code: AuthorizationCode | None
    grant: Grant | None


def parse(form: Parameters) -> Request | Refusal:
    """The request, complete and well-formed, or why it is not."""
    code, verifier = form.get("code"), form.get("code_verifier")
    if code is None:
        return Refusal(CODE_MISSING)
    if verifier is None:
        return Refusal(VERIFIER_MISSING)
    if not is_verifier(verifier):
        return Refusal(VERIFIER_MALFORMED)
    return Request(code, verifier, form.get("redirect_uri"), form.all("resource"))


def read(transaction: Transaction, request: Request) -> Facts:
    """The code and its grant; the code's row is held, so that racers come one after the other."""
    code = transaction.one(AuthorizationCode, lock=True, code_hash=name_of(request.code))
    grant = None if code is None else transaction.one(Grant, grant_id=code.grant_id)
    return Facts(code, grant)


def decide(
    request: Request, facts: Facts, client: Client, policy: Policy, moment: Moment
) -> Issued | Refused:
    """Everything is checked before the code is spent, and a replay counts only when all else is
    right: who merely guesses or overhears a code can neither use it up nor end somebody's grant
    with it.
    """
    code, grant = facts.code, facts.grant
    if code is None or grant is None:
        return Refused(CODE_UNKNOWN)
    if grant.client_id != client.client_id:
        return Refused(CODE_OF_ANOTHER_CLIENT)
    if not proves(request.code_verifier, code.code_challenge):
        return Refused(VERIFIER_WRONG)
    if request.redirect_uri not in (None, code.redirect_uri):
        return Refused(REDIRECT_URI_DIFFERS)
    if any(not same_resource(resource, grant.resource) for resource in request.resource):
        return Refused(RESOURCE_NOT_GRANTED)
    if grant.revoked_at is not None:
        return Refused(GRANT_REVOKED)
    if code.spent_at is not None:
        return Refused(CODE_REPLAYED, (revoke(grant, moment.now, CODE_REPLAYED.name),), grant)
    if code.expires_at <= moment.now:
        return Refused(CODE_EXPIRED)
    return _issue(code, grant, client, policy, moment)


def _issue(
    code: AuthorizationCode, grant: Grant, client: Client, policy: Policy, moment: Moment
) -> Issued:
    _spent, spend = replacing(code, spent_at=moment.now)
    if "refresh_token" not in client.grant_types:
        used, use = replacing(grant, last_used_at=moment.now)
        return Issued(used, grant.scope, 0, "code-exchanged", None, (spend, use))
    secret = moment.token()
    first = RefreshToken(
        token_hash=name_of(secret),
        grant_id=grant.grant_id,
        generation=0,
        created_at=moment.now,
        expires_at=min(moment.now + policy.lifetimes.refresh_idle, grant.expires_at),
    )
    used, use = replacing(grant, last_used_at=moment.now, refresh_hash=first.token_hash)
    return Issued(used, grant.scope, 0, "code-exchanged", secret, (spend, use, Put(first)))
