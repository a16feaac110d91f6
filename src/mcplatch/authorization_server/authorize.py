"""The authorization endpoint: whose request it is, whether it may be asked, and the interaction it
starts.

Nothing is redirected before the client and its redirect URI are proven to belong together (OAuth
2.1 section 4.1.2.1): until then there is no `ReturnTo`, so a refusal can only become a page. The
endpoint changes nothing but its own pending interaction, so a client may fetch it before the
browser does.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.clients import Evidence, gather_client, read_client
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.limits import Exceeded, Paid, pay, subject_of
from mcplatch.authorization_server.policy import Policy, Resource
from mcplatch.moment import Moment
from mcplatch.protocol.authorization import (
    AuthorizationRequest,
    ReturnTo,
    parse_authorization_request,
    parse_client_id,
    parse_state,
)
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.redirect_uri import matches
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Client, Interaction
from mcplatch.store.port import Put, Transaction

CODE_GRANT_NOT_ALLOWED = Reason(
    "code-grant-not-allowed",
    "unauthorized_client",
    "The client may not use the authorization code grant.",
    "OAuth 2.1 4.1.2.1",
)
REDIRECT_URI_UNKNOWN = Reason(
    "redirect-uri-unknown",
    "invalid_request",
    "The redirect_uri is not one that the client has registered.",
    "OAuth 2.1 2.3.1",
)
REDIRECT_URI_AMBIGUOUS = Reason(
    "redirect-uri-ambiguous",
    "invalid_request",
    "The client has several redirect URIs: the request must name one.",
    "OAuth 2.1 2.3.2",
)
RESOURCE_UNKNOWN = Reason(
    "resource-unknown",
    "invalid_target",
    "The resource is not known here.",
    "RFC 8707 2",
)
RESOURCE_UNNAMED = Reason(
    "resource-unnamed",
    "invalid_target",
    "Several resources are protected here: name one with the resource parameter.",
    "RFC 8707 2",
)
RESOURCES_SEVERAL = Reason(
    "resources-several",
    "invalid_target",
    "Ask for one resource at a time.",
    "RFC 8707 2.2",
)
REQUESTS_TOO_MANY = Reason(
    "authorization-requests-too-many",
    "temporarily_unavailable",
    "Too many authorization requests from this address. Wait a minute and start again.",
    "OAuth 2.1 4.1.2.1",
    429,
)
SCOPE_UNKNOWN = Reason(
    "scope-unknown",
    "invalid_scope",
    "None of the scopes asked for exists at this resource.",
    "OAuth 2.1 4.1.2.1",
)

# Asked for by clients out of habit; they open nothing here and are dropped, not refused (AS-134,
# AS-174).
IGNORED_SCOPES = frozenset({"offline_access", "openid", "profile", "email", "address", "phone"})


@dataclass(frozen=True, slots=True)
class Started:
    """The request stands and waits for its person as an interaction."""

    interaction: Interaction
    client: Client


@dataclass(frozen=True, slots=True)
class ShownOnly:
    """Refused before it was proven whose request it is: a page, never a redirect."""

    reason: Reason
    detail: str = ""
    client: Client | None = None
    presented_redirect_uri: str | None = None


@dataclass(frozen=True, slots=True)
class SentBack:
    """Refused, and the client may be told by redirect."""

    reason: Reason
    return_to: ReturnTo
    client: Client


Outcome = Started | ShownOnly | SentBack


async def begin(
    form: Parameters, house: House, *, browser_hash: str, address: str | None = None
) -> Outcome:
    """Answers `/authorize`; `browser_hash` is the digest of the browser's own secret.

    `address` is the browser's, for the limit: a request costs a row and perhaps a fetch.

    Raises `StoreDown`.
    """
    client_id = parse_client_id(form)
    if isinstance(client_id, Refusal):
        return ShownOnly(client_id.reason)
    state = parse_state(form)
    if isinstance(state, Refusal):
        return ShownOnly(state.reason)
    asked = ((house.policy.authorizations_per_address, subject_of(address)),)
    paid, now = await house.store.look(lambda t: (pay(t, asked), t.now))
    if isinstance(paid, Exceeded):
        return ShownOnly(REQUESTS_TOO_MANY, f"again in {paid.retry_after} s")
    evidence = await gather_client(
        client_id, fetch=house.fetch, store=house.store, policy=house.policy, now=now
    )
    if isinstance(evidence, Refusal):
        return ShownOnly(evidence.reason, evidence.detail)

    def work(transaction: Transaction) -> Outcome:
        charged = pay(transaction, asked)
        transaction.apply(charged.changes if isinstance(charged, Paid) else ())
        return _settle(transaction, form, client_id, state, evidence, house, browser_hash)

    return await house.store.settle(work)


def _settle(
    transaction: Transaction,
    form: Parameters,
    client_id: str,
    state: str | None,
    evidence: Evidence,
    house: House,
    browser_hash: str,
) -> Outcome:
    client = read_client(transaction, client_id, evidence)
    if isinstance(client, Refusal):
        return ShownOnly(client.reason, client.detail)
    presented = form.get("redirect_uri")
    redirect_uri = proven_redirect_uri(client, presented)
    if isinstance(redirect_uri, Refusal):
        return ShownOnly(redirect_uri.reason, redirect_uri.detail, client, presented)
    return_to = ReturnTo(redirect_uri, state, house.policy.issuer)
    request = parse_authorization_request(form)
    if isinstance(request, Refusal):
        return SentBack(request.reason, return_to, client)
    decision = decide(
        request, client, return_to, house.policy, house.moment(transaction), browser_hash
    )
    if isinstance(decision, Refusal):
        return SentBack(decision.reason, return_to, client)
    transaction.apply((Put(decision),))
    return Started(decision, client)


def proven_redirect_uri(client: Client, presented: str | None) -> str | Refusal:
    """The address to answer to, proven to be the client's own (AS-45 to AS-48, AS-53)."""
    if presented is None:
        if len(client.redirect_uris) == 1:
            return client.redirect_uris[0]
        return Refusal(REDIRECT_URI_AMBIGUOUS)
    if any(matches(registered, presented) for registered in client.redirect_uris):
        return presented
    return Refusal(REDIRECT_URI_UNKNOWN)


def decide(
    request: AuthorizationRequest,
    client: Client,
    return_to: ReturnTo,
    policy: Policy,
    moment: Moment,
    browser_hash: str,
) -> Interaction | Refusal:
    """The pending interaction, with resource and scope settled, or why it may not be asked."""
    if "authorization_code" not in client.grant_types:
        return Refusal(CODE_GRANT_NOT_ALLOWED)
    resource = the_resource(request.resource, policy)
    if isinstance(resource, Refusal):
        return resource
    scope = the_scope(request.scope, client, resource)
    if isinstance(scope, Refusal):
        return scope
    return Interaction(
        interaction_id=moment.token(),
        browser_hash=browser_hash,
        client_id=client.client_id,
        client_digest=client.digest,
        redirect_uri=return_to.redirect_uri,
        state=return_to.state,
        scope=scope,
        resource=resource.identifier,
        code_challenge=request.code_challenge,
        prompt=request.prompt,
        created_at=moment.now,
        expires_at=moment.now + policy.lifetimes.interaction,
    )


def the_resource(asked: tuple[str, ...], policy: Policy) -> Resource | Refusal:
    """The one resource meant; a request that names none means the only one there is (AS-119)."""
    if not asked:
        only = policy.resources[0] if len(policy.resources) == 1 else None
        return only or Refusal(RESOURCE_UNNAMED)
    found = [policy.resource(identifier) for identifier in asked]
    first = found[0]
    if first is None or None in found:
        return Refusal(RESOURCE_UNKNOWN)
    return first if all(one is first for one in found) else Refusal(RESOURCES_SEVERAL)


def the_scope(
    asked: tuple[str, ...], client: Client, resource: Resource
) -> tuple[str, ...] | Refusal:
    """The scopes to put to the person: those asked for that exist here, else the default ones.

    A client that an operator registered with a scope cannot ask beyond it; what a client wrote into
    its own registration binds nobody, because step-up would be impossible (AS-149).
    """
    allowed = resource.scope_names()
    if client.kind == "registered" and client.scope:
        allowed = tuple(name for name in allowed if name in client.scope)
    meant = [name for name in asked if name not in IGNORED_SCOPES]
    baseline = tuple(s.name for s in resource.scopes if s.baseline and s.name in allowed)
    if not meant:
        default = tuple(name for name in resource.default_scope() if name in allowed)
        return default or allowed
    wanted = tuple(name for name in allowed if name in meant)
    if not wanted:
        return Refusal(SCOPE_UNKNOWN)
    return tuple(name for name in allowed if name in wanted or name in baseline)
