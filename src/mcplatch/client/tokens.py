"""Talks to the token and revocation endpoints (RFC 6749 sections 4.1.3 and 6, RFC 7009, RFC
8707).
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from urllib.parse import quote_plus, urlencode

from mcplatch.client.credential import Credential, renewed
from mcplatch.client.discover import Found
from mcplatch.client.dpop import Prover
from mcplatch.client.errors import Denied, LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.register import Registration
from mcplatch.client.senses import Senses
from mcplatch.client.talk import Post, Reply, Talk
from mcplatch.protocol.authorization_response import Attempt
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.token_response import TokenAnswer, parse_token_answer, parse_token_error

USE_DPOP_NONCE = "use_dpop_nonce"


@dataclass(frozen=True, slots=True)
class GrantGone:
    """The refresh token is no longer good: `invalid_grant`, or the client itself is gone
    (CL-25).
    """


def exchange(
    found: Found, registration: Registration, attempt: Attempt, *, code: str
) -> Talk[TokenAnswer]:
    """Redeems an authorization code. Raises `Denied`, `Untrusted`, `ServerFault`, `Unreachable`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.code_verifier,
    }
    if attempt.resource is not None:
        form["resource"] = attempt.resource
    endpoint = str(found.metadata.token_endpoint)
    reply = yield from ask(endpoint, registration, form, found.prover)
    return read_tokens(reply, found.metadata.issuer, found.server_url, prover=found.prover)


def refresh(held: Credential, senses: Senses) -> Talk[Credential | GrantGone]:
    """Renews `held` at the endpoint of the issuer that gave it, never anywhere else.

    A server that refuses the `resource` parameter is asked once more without it. Anything but
    `invalid_grant` and `invalid_client` leaves the tokens as they are and raises `Unreachable` or
    `ServerFault` (CL-55).
    """
    form = {"grant_type": "refresh_token", "refresh_token": str(held.refresh_token)}
    registration, prover = held.registration(), held.prover(senses)
    if held.resource is not None:
        with_resource = {**form, "resource": held.resource}
        reply = yield from ask(held.token_endpoint, registration, with_resource, prover)
        told = parse_token_error(reply.body) if reply.status == 400 else None
        if told is not None and told.error in ("invalid_target", "invalid_request"):
            reply = yield from ask(held.token_endpoint, registration, form, prover)
    else:
        reply = yield from ask(held.token_endpoint, registration, form, prover)
    told = parse_token_error(reply.body) if reply.status in (400, 401) else None
    if told is not None and told.error in ("invalid_grant", "invalid_client"):
        return GrantGone()
    answer = read_tokens(reply, held.issuer, held.server_url, prover=prover)
    return renewed(held, answer, now=senses.clock())


def revoke(held: Credential) -> Talk[tuple[str, ...]]:
    """Gives the tokens back: refresh token first, it carries the grant (CL-58).

    Answers which of them the server took. A server without a revocation endpoint takes none.
    """
    taken: list[str] = []
    if held.revocation_endpoint is None:
        return ()
    for kind, token in (("refresh_token", held.refresh_token), ("access_token", held.access_token)):
        if token is None:
            continue
        form = {"token": token, "token_type_hint": kind}
        reply = yield token_request(held.revocation_endpoint, held.registration(), form)
        if reply.status == 200:
            taken.append(kind)
    return tuple(taken)


def ask(
    endpoint: str, registration: Registration, form: dict[str, str], prover: Prover | None
) -> Talk[Reply]:
    """The reply to a token request; with a proof where tokens are bound, and with the nonce that
    the server asks for, once (RFC 9449 section 8).
    """
    request = token_request(endpoint, registration, form)
    if prover is None:
        return (yield request)
    reply = yield replace(request, dpop=prover.proof("POST", endpoint))
    told, nonce = parse_token_error(reply.body), reply.all("dpop-nonce")
    if reply.status in (400, 401) and told and told.error == USE_DPOP_NONCE and nonce:
        reply = yield replace(request, dpop=prover.proof("POST", endpoint, nonce=nonce[0]))
    return reply


def token_request(endpoint: str, registration: Registration, form: dict[str, str]) -> Post:
    """A form for the authorization server, with this client's authentication (RFC 6749 section
    2.3).

    `client_id` stands in the body with every method: servers in the field insist on it, and it
    proves nothing by itself.
    """
    form = {**form, "client_id": registration.client_id}
    secret, authorization = registration.client_secret or "", None
    if registration.token_endpoint_auth_method == "client_secret_basic":
        pair = f"{quote_plus(registration.client_id)}:{quote_plus(secret)}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    elif registration.token_endpoint_auth_method == "client_secret_post":
        form["client_secret"] = secret
    return Post(endpoint, urlencode(form).encode(), authorization=authorization)


def read_tokens(
    reply: Reply, issuer: str, server_url: str, *, prover: Prover | None = None
) -> TokenAnswer:
    """The tokens of a reply, or the reason there are none, raised.

    With a `prover` only a bound token will do: it was asked for because no other is of use.
    """
    if reply.status != 200:
        raise read_refusal(reply, issuer, server_url)
    token_type = "bearer" if prover is None else "dpop"
    answer = parse_token_answer(reply.body, token_type=token_type)
    if isinstance(answer, Refusal):
        raise Untrusted(
            f"{issuer} gave no usable token: {answer.reason.sentence} ({answer.detail})",
            next_step=f"Ask whoever runs {issuer}.",
        )
    return answer


def read_refusal(reply: Reply, issuer: str, server_url: str) -> LatchError:
    """What to raise for an answer that is not 200."""
    if reply.status >= 500 or reply.status == 429:
        return Unreachable(f"{issuer} answered {reply.status}.", next_step="Try again in a minute.")
    told = parse_token_error(reply.body)
    if told is None:
        return ServerFault(
            f"{reply.url} answered {reply.status}, and not in the words of OAuth.",
            next_step=f"Check the address of the server: {server_url}",
        )
    words = f": {told.error_description}" if told.error_description else "."
    return Denied(
        f"{issuer} refused: {told.error}{words}",
        next_step=f"Sign in again: mcplatch login {server_url}",
        error=told.error,
    )
