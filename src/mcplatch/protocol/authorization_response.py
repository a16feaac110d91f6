"""Reads the authorization response at the client: state, then issuer, then error, then code (RFC
9207, OAuth 2.1 4.1.2).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mcplatch.protocol.parameters import Parameters, parse_form
from mcplatch.protocol.refusal import Reason, Refusal

RESPONSE_MALFORMED = Reason(
    "authorization-response-malformed",
    "invalid_response",
    "The authorization response is malformed.",
    "OAuth 2.1 4.1.2",
)
STATE_WRONG = Reason(
    "authorization-response-state-wrong",
    "invalid_response",
    "The authorization response answers another request.",
    "OAuth 2.1 7.12",
)
ISSUER_MISSING = Reason(
    "authorization-response-issuer-missing",
    "invalid_response",
    "The authorization response does not name its issuer.",
    "RFC 9207 2.4",
)
ISSUER_WRONG = Reason(
    "authorization-response-issuer-wrong",
    "invalid_response",
    "The authorization response comes from another issuer.",
    "RFC 9207 2.4",
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One authorization request under way: all that its answer is judged by (CL-31)."""

    issuer: str
    issuer_promised: bool
    state: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str
    resource: str | None
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthorizationCodeAnswer:
    """The person allowed it."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationErrorAnswer:
    """The authorization server, proven to be the one asked, says no."""

    error: str
    error_description: str | None


Answer = AuthorizationCodeAnswer | AuthorizationErrorAnswer


def parse_answer(url: str, attempt: Attempt) -> Answer | Refusal:
    """Judges the URL the browser was sent back to.

    The order is the defence: nothing of an answer whose state or issuer is wrong is believed or
    shown. `iss` is compared byte for byte whenever it is there, promised in the metadata or not.
    """
    parameters = parse_form(urlsplit(url).query.encode())
    if isinstance(parameters, Refusal):
        return Refusal(RESPONSE_MALFORMED, parameters.detail)
    if not hmac.compare_digest((parameters.get("state") or "").encode(), attempt.state.encode()):
        return Refusal(STATE_WRONG)
    issuer = parameters.get("iss")
    if issuer is None and attempt.issuer_promised:
        return Refusal(ISSUER_MISSING)
    if issuer is not None and issuer != attempt.issuer:
        return Refusal(ISSUER_WRONG)
    return _verdict(parameters)


def _verdict(parameters: Parameters) -> Answer | Refusal:
    error, code = parameters.get("error"), parameters.get("code")
    if error is not None:
        return AuthorizationErrorAnswer(error, parameters.get("error_description"))
    if code is None or not code.isprintable():
        return Refusal(RESPONSE_MALFORMED, "neither code nor error")
    return AuthorizationCodeAnswer(code)
