"""Talks to the token and revocation endpoints (RFC 6749 sections 4.1.3 and 6, RFC 7009, RFC
8707).
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from mcplatch.client.credential import Credential, renewed
from mcplatch.client.discover import Found
from mcplatch.client.errors import Denied, LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.register import Registration
from mcplatch.client.talk import Post, Reply, Talk
from mcplatch.protocol.authorization_response import Attempt
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.token_response import TokenAnswer, parse_token_answer, parse_token_error


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
    reply = yield token_request(str(found.metadata.token_endpoint), registration, form)
    return read_tokens(reply, found.metadata.issuer, found.server_url)


def refresh(held: Credential, *, now: int) -> Talk[Credential | GrantGone]:
    """Renews `held` at the endpoint of the issuer that gave it, never anywhere else.

    A server that refuses the `resource` parameter is asked once more without it. Anything but
    `invalid_grant` and `invalid_client` leaves the tokens as they are and raises `Unreachable` or
    `ServerFault` (CL-55).
    """
    form = {"grant_type": "refresh_token", "refresh_token": str(held.refresh_token)}
    registration = held.registration()
    if held.resource is not None:
        with_resource = {**form, "resource": held.resource}
        reply = yield token_request(held.token_endpoint, registration, with_resource)
        told = parse_token_error(reply.body) if reply.status == 400 else None
        if told is not None and told.error in ("invalid_target", "invalid_request"):
            reply = yield token_request(held.token_endpoint, registration, form)
    else:
        reply = yield token_request(held.token_endpoint, registration, form)
    told = parse_token_error(reply.body) if reply.status in (400, 401) else None
    if told is not None and told.error in ("invalid_grant", "invalid_client"):
        return GrantGone()
    return renewed(held, read_tokens(reply, held.issuer, held.server_url), now=now)


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


def read_tokens(reply: Reply, issuer: str, server_url: str) -> TokenAnswer:
    """The tokens of a reply, or the reason there are none, raised."""
    if reply.status != 200:
        raise read_refusal(reply, issuer, server_url)
    answer = parse_token_answer(reply.body)
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
