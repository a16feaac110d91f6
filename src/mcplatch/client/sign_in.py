"""A whole sign-in, from the server's address to tokens: discovery, registration, authorization,
exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcplatch.client.authorize import (
    authorization_url,
    authorize,
    check_endpoints,
    check_pkce,
    choose_scope,
    new_attempt,
    still_knows,
)
from mcplatch.client.credential import Credential, expiry
from mcplatch.client.discover import Found, discover, knock, no_sign_in_needed, token_challenge
from mcplatch.client.dpop import ALGORITHM, new_prover
from mcplatch.client.errors import Denied, ServerFault, SignInNeeded
from mcplatch.client.register import Memory, Registration, known_registration, register
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in_request import SERVER_ADDRESS, SignInRequest, checked_url
from mcplatch.client.talk import Listen, Talk
from mcplatch.protocol.challenge import Challenge
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import parse_scope
from mcplatch.protocol.token_response import TokenAnswer

# What a server answers when it has lost a client, or holds it to the scopes of its registration.
CURED_BY_REGISTERING = frozenset({"invalid_client", "unauthorized_client", "invalid_scope"})


@dataclass(frozen=True, slots=True)
class Hint:
    """What a challenge said: where the metadata is, which scope is needed, and whether a token has
    to be bound to a key (CL-2, CL-34, CL-59).
    """

    resource_metadata: str | None = None
    scope: tuple[str, ...] | None = None
    dpop: bool = False


def hint_of(challenge: Challenge | None) -> Hint:
    """Reads a challenge; a malformed scope is no scope."""
    if challenge is None:
        return Hint()
    scopes = parse_scope(challenge.get("scope"))
    return Hint(
        challenge.get("resource_metadata"),
        None if isinstance(scopes, Refusal) else scopes or None,
        dpop=not challenge.is_bearer(),
    )


def ask_server(request: SignInRequest) -> Talk[Hint | None]:
    """Knocks without a token; None when the server does not ask for one. Raises `Untrusted`."""
    checked_url(request.server_url, what=SERVER_ADDRESS, request=request)
    reply = yield from knock(request.server_url)
    return hint_of(token_challenge(reply)) if reply.status == 401 else None


def sign_in(
    request: SignInRequest,
    hint: Hint | None,
    memory: Memory,
    senses: Senses,
    *,
    held: Credential | None = None,
    account: str = "default",
) -> Talk[Credential]:
    """Signs a person in. `hint` None means the server did not ask; then it must describe itself.

    `held` is what the account has now: its issuer is kept while the server names it. A registration
    the server has lost is made anew, once (CL-25). Raises what its parts raise; nothing is stored
    here except registrations.
    """
    named = None if hint is None else hint.resource_metadata
    pinned = None if held is None else held.issuer
    found = yield from discover(request, resource_metadata_url=named, pinned_issuer=pinned)
    if hint is None and found.fixed_endpoints:
        raise no_sign_in_needed(request.server_url)
    check_endpoints(found)
    check_pkce(request, found)
    found = bound_if_asked(found, hint, senses)
    scope = choose_scope(request.scope, None if hint is None else hint.scope, found)
    note = "" if pinned in (None, found.metadata.issuer) else f"it used to be {pinned}"
    known = known_registration(request, found, memory, scope=scope, now=senses.clock())
    done = yield from _try_known(request, found, known, (scope, note), memory, senses)
    if done is None:
        done = yield from _try(request, found, None, (scope, note), memory, senses)
    return credential_of(request, found, *done, (scope, senses.clock(), account))


def bound_if_asked(found: Found, hint: Hint | None, senses: Senses) -> Found:
    """`found` with a key to bind tokens to, where the MCP server takes no others."""
    if not (found.dpop_required or (hint is not None and hint.dpop)):
        return found
    if ALGORITHM not in (found.metadata.dpop_signing_alg_values_supported or (ALGORITHM,)):
        raise ServerFault(
            f"{found.server_url} wants tokens bound by DPoP, which {found.metadata.issuer} "
            f"does not do with {ALGORITHM}.",
            next_step=f"Ask whoever runs {found.server_url}.",
        )
    return replace(found, prover=new_prover(senses))


def _try_known(
    request: SignInRequest,
    found: Found,
    known: Registration | None,
    asked: tuple[tuple[str, ...], str],
    memory: Memory,
    senses: Senses,
) -> Talk[tuple[Registration, TokenAnswer] | None]:
    """The sign-in with what is known; None when a new registration may mend what went wrong."""
    remembered = known is not None and known.kind == "dynamic"
    try:
        return (yield from _try(request, found, known, asked, memory, senses))
    except SignInNeeded:
        # Nobody came back: the page may have been an error about a client the server has lost.
        if remembered:
            memory.forget_registration(found.metadata.issuer)
        raise
    except Denied as no:
        if not remembered or no.error not in CURED_BY_REGISTERING:
            raise
        memory.forget_registration(found.metadata.issuer)
        return None


def _try(
    request: SignInRequest,
    found: Found,
    registration: Registration | None,
    asked: tuple[tuple[str, ...], str],
    memory: Memory,
    senses: Senses,
) -> Talk[tuple[Registration, TokenAnswer]]:
    scope, note = asked
    preferred = None if registration is None else registration.redirect_uri
    redirect_uri = (yield Listen(preferred)).url
    attempt = new_attempt(found, redirect_uri=redirect_uri, scope=scope, draw=senses.draw)
    if registration is not None and registration.kind == "dynamic":
        usable = registration.redirect_uri == redirect_uri
        if not usable or not (
            yield from still_knows(authorization_url(found, registration, attempt))
        ):
            memory.forget_registration(registration.issuer)
            registration = None
    if registration is None:
        registration = yield from register(request, found, redirect_uri=redirect_uri, scope=scope)
        memory.keep_registration(registration)
    answer = yield from authorize(request, found, registration, attempt, note)
    return registration, answer


def credential_of(
    request: SignInRequest,
    found: Found,
    registration: Registration,
    answer: TokenAnswer,
    asked: tuple[tuple[str, ...], int, str],
) -> Credential:
    """What to keep of a sign-in; `asked` is the scope asked for, the time, and the account."""
    scope, now, account = asked
    return Credential(
        server_url=found.server_url,
        account=account,
        issuer=found.metadata.issuer,
        resource=found.resource,
        token_endpoint=str(found.metadata.token_endpoint),
        revocation_endpoint=found.metadata.revocation_endpoint,
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        token_endpoint_auth_method=registration.token_endpoint_auth_method,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        expires_at=expiry(answer, now),
        scope=scope if answer.scope is None else answer.scope,
        obtained_at=now,
        sign_in_at=now,
        request=replace(request, scope=None),
        dpop_key=None if found.prover is None else found.prover.pem,
    )


def with_more_scope(request: SignInRequest, *scopes: tuple[str, ...]) -> SignInRequest:
    """`request`, asking for all of `scopes`: step-up keeps what was granted (CL-56)."""
    union = dict.fromkeys(scope for some in scopes for scope in some)
    return replace(request, scope=tuple(union))
