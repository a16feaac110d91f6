"""Asks a person for authorization: PKCE, state, iss, resource (OAuth 2.1 section 4.1, RFC 9207, RFC
8707).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from urllib.parse import urlencode

from mcplatch.client.discover import Found
from mcplatch.client.errors import Denied, LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.register import Registration
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Get, Talk, Visit
from mcplatch.client.tokens import exchange
from mcplatch.moment import Draw
from mcplatch.protocol.authorization_response import (
    Attempt,
    AuthorizationErrorAnswer,
    parse_answer,
)
from mcplatch.protocol.pkce import challenge_of, new_verifier
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import format_scope
from mcplatch.protocol.token_response import TokenAnswer

OFFLINE = "offline_access"


def choose_scope(
    wanted: tuple[str, ...] | None, challenged: tuple[str, ...] | None, found: Found
) -> tuple[str, ...]:
    """What to ask for: what the caller wants, else what the challenge names, else what the resource
    lists, else nothing; never what the authorization server lists (CL-34).
    """
    if wanted is not None:
        chosen = wanted
    elif challenged:
        chosen = challenged
    else:
        chosen = found.scopes_supported
    if OFFLINE in found.metadata.scopes_supported and OFFLINE not in chosen:
        chosen = (*chosen, OFFLINE)
    return tuple(dict.fromkeys(chosen))


def check_pkce(request: SignInRequest, found: Found) -> None:
    """CL-30: a server that does not say it does S256 may ignore the challenge altogether."""
    if "S256" in found.metadata.code_challenge_methods_supported or request.assume_pkce:
        return
    raise Untrusted(
        f"{found.metadata.issuer} does not say that it checks PKCE, which protects codes.",
        next_step=(
            "If its operator confirms that it does: "
            f"mcplatch login {request.server_url} --assume-pkce"
        ),
    )


def new_attempt(found: Found, *, redirect_uri: str, scope: tuple[str, ...], draw: Draw) -> Attempt:
    """One attempt, with a verifier and a state of 256 bits each that are used for nothing else."""
    return Attempt(
        issuer=found.metadata.issuer,
        issuer_promised=found.metadata.authorization_response_iss_parameter_supported,
        state=urlsafe_b64encode(draw(32)).rstrip(b"=").decode(),
        code_verifier=new_verifier(draw),
        redirect_uri=redirect_uri,
        resource=found.resource,
        scope=scope,
    )


def authorization_url(found: Found, registration: Registration, attempt: Attempt) -> str:
    """Where to send the person. Everything is percent-encoded: nothing of it can be an option."""
    parameters = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": attempt.redirect_uri,
        "state": attempt.state,
        "code_challenge": challenge_of(attempt.code_verifier),
        "code_challenge_method": "S256",
    }
    if attempt.scope:
        parameters["scope"] = format_scope(attempt.scope)
    if attempt.resource is not None:
        parameters["resource"] = attempt.resource
    if OFFLINE in attempt.scope:
        parameters["prompt"] = "consent"
    endpoint = str(found.metadata.authorization_endpoint).partition("#")[0]
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def still_knows(url: str) -> Talk[bool]:
    """Whether the server still knows a client that registered in an earlier run.

    A person must not land on an error page that leads nowhere: such a page is a 4xx and no
    redirect.
    """
    try:
        reply = yield Get(url, accept="text/html", head_only=True)
    except Unreachable:
        # The person's browser may get where this program does not.
        return True
    return reply.status not in (400, 401, 404)


def authorize(
    request: SignInRequest, found: Found, registration: Registration, attempt: Attempt, note: str
) -> Talk[TokenAnswer]:
    """Sends the person there, judges what comes back, redeems the code.

    Raises `Denied` when the person or the server says no, `Untrusted` when the answer is not to
    this question or not from this issuer; then nothing of it is shown, and no code is sent
    anywhere.
    """
    url = authorization_url(found, registration, attempt)
    back = yield Visit(url, attempt.state, request.server_url, attempt.issuer, attempt.scope, note)
    answer = parse_answer(back.url, attempt)
    if isinstance(answer, Refusal):
        raise Untrusted(
            f"The browser came back with something else: {answer.reason.sentence}",
            next_step=f"Nothing was sent on. Start again: mcplatch login {request.server_url}",
        )
    if isinstance(answer, AuthorizationErrorAnswer):
        raise _no(request, answer)
    return (yield from exchange(found, registration, attempt, code=answer.code))


def check_endpoints(found: Found) -> None:
    """An authorization server without these two cannot sign anybody in."""
    metadata = found.metadata
    if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
        raise ServerFault(
            f"{metadata.issuer} has no authorization endpoint or no token endpoint.",
            next_step=f"Ask whoever runs {metadata.issuer}.",
        )


def _no(request: SignInRequest, answer: AuthorizationErrorAnswer) -> LatchError:
    words = f" ({answer.error_description})" if answer.error_description else ""
    if answer.error == "access_denied":
        return Denied(
            f"Access was denied on the page{words}.",
            next_step=f"To try again: mcplatch login {request.server_url}",
            error=answer.error,
        )
    return Denied(
        f"The authorization server refused: {answer.error}{words}.",
        next_step=f"Check the scope and the client, then: mcplatch login {request.server_url}",
        error=answer.error,
    )
