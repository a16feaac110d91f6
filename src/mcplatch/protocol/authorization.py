"""The authorization request and its answers by redirect (OAuth 2.1 section 4.1, RFC 8707, RFC
9207).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.pkce import is_challenge
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import parse_resource
from mcplatch.protocol.scope import parse_scope

MOST_STATE = 8 * 1024
PROMPTS = frozenset({"none", "login", "consent", "select_account", "create"})

CLIENT_ID_MISSING = Reason(
    "client-id-missing", "invalid_request", "The parameter client_id is missing.", "OAuth 2.1 4.1.1"
)
STATE_TOO_LONG = Reason(
    "state-too-long", "invalid_request", "The parameter state is too long.", "OAuth 2.1 4.1.1"
)
RESPONSE_TYPE_MISSING = Reason(
    "response-type-missing",
    "invalid_request",
    "The parameter response_type is missing.",
    "OAuth 2.1 4.1.2.1",
)
RESPONSE_TYPE_UNSUPPORTED = Reason(
    "response-type-unsupported",
    "unsupported_response_type",
    "Only response_type=code is supported.",
    "OAuth 2.1 4.1.2.1",
)
RESPONSE_MODE_UNSUPPORTED = Reason(
    "response-mode-unsupported",
    "invalid_request",
    "Only response_mode=query is supported.",
    "OAuth 2.0 Multiple Response Types 2.1",
)
REQUEST_OBJECT_UNSUPPORTED = Reason(
    "request-object-unsupported",
    "request_not_supported",
    "Request objects are not supported.",
    "RFC 9101 6.3",
)
REQUEST_URI_UNSUPPORTED = Reason(
    "request-uri-unsupported",
    "request_uri_not_supported",
    "The parameter request_uri is not supported.",
    "RFC 9101 6.3",
)
CHALLENGE_MISSING = Reason(
    "code-challenge-missing",
    "invalid_request",
    "PKCE is required: send code_challenge with code_challenge_method=S256.",
    "OAuth 2.1 4.1.2.1",
)
CHALLENGE_METHOD_WRONG = Reason(
    "code-challenge-method-wrong",
    "invalid_request",
    "Only code_challenge_method=S256 is supported.",
    "RFC 7636 4.4.1",
)
CHALLENGE_MALFORMED = Reason(
    "code-challenge-malformed",
    "invalid_request",
    "The code_challenge is not an S256 challenge.",
    "RFC 7636 4.2",
)
PROMPT_UNKNOWN = Reason(
    "prompt-unknown",
    "invalid_request",
    "The prompt is not supported.",
    "OpenID Connect Core 3.1.2.1",
)


@dataclass(frozen=True, slots=True)
class ReturnTo:
    """A client's address that has been proven to be its own; without one nothing is redirected."""

    redirect_uri: str
    state: str | None
    issuer: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What is asked for once it is known whose request it is. `resource` may be empty (AS-119)."""

    scope: tuple[str, ...]
    resource: tuple[str, ...]
    code_challenge: str
    prompt: tuple[str, ...]


def parse_client_id(form: Parameters) -> str | Refusal:
    """The `client_id`; its absence can only be shown on a page."""
    return form.get("client_id") or Refusal(CLIENT_ID_MISSING)


def parse_state(form: Parameters) -> str | Refusal | None:
    """The `state`, opaque, given back exactly; it belongs to every answer, refusals included."""
    state = form.get("state")
    return Refusal(STATE_TOO_LONG) if state and len(state) > MOST_STATE else state


def parse_authorization_request(form: Parameters) -> AuthorizationRequest | Refusal:
    """Everything but the client and its redirect URI, which are settled before this is read."""
    if (refusal := _kind_refused(form)) is not None:
        return refusal
    if (refusal := _challenge_refused(form)) is not None:
        return refusal
    scope = parse_scope(form.get("scope"))
    if isinstance(scope, Refusal):
        return scope
    for resource in form.all("resource"):
        if isinstance(parsed := parse_resource(resource), Refusal):
            return parsed
    prompt = tuple((form.get("prompt") or "").split())
    if not PROMPTS.issuperset(prompt) or ("none" in prompt and len(prompt) > 1):
        return Refusal(PROMPT_UNKNOWN)
    return AuthorizationRequest(
        scope, form.all("resource"), form.get("code_challenge") or "", prompt
    )


def _kind_refused(form: Parameters) -> Refusal | None:
    if form.get("request") is not None:
        return Refusal(REQUEST_OBJECT_UNSUPPORTED)
    if form.get("request_uri") is not None:
        return Refusal(REQUEST_URI_UNSUPPORTED)
    if (response_type := form.get("response_type")) is None:
        return Refusal(RESPONSE_TYPE_MISSING)
    if response_type != "code":
        return Refusal(RESPONSE_TYPE_UNSUPPORTED)
    if form.get("response_mode") not in (None, "query"):
        return Refusal(RESPONSE_MODE_UNSUPPORTED)
    return None


def _challenge_refused(form: Parameters) -> Refusal | None:
    challenge = form.get("code_challenge")
    if challenge is None:
        return Refusal(CHALLENGE_MISSING)
    # RFC 7636 says that no method means plain, so absence is refused like plain itself.
    if form.get("code_challenge_method") != "S256":
        return Refusal(CHALLENGE_METHOD_WRONG)
    return None if is_challenge(challenge) else Refusal(CHALLENGE_MALFORMED)


def code_response(to: ReturnTo, code: str) -> str:
    """Where the browser goes with a code (OAuth 2.1 section 4.1.2, RFC 9207 section 2)."""
    return _answer(to, {"code": code})


def error_response(to: ReturnTo, reason: Reason) -> str:
    """Where the browser goes with a refusal (OAuth 2.1 section 4.1.2.1, RFC 9207 section 2)."""
    return _answer(to, {"error": reason.error, "error_description": reason.sentence})


def _answer(to: ReturnTo, parameters: dict[str, str]) -> str:
    if to.state is not None:
        parameters["state"] = to.state
    parameters["iss"] = to.issuer
    joint = "&" if "?" in to.redirect_uri else "?"
    return f"{to.redirect_uri}{joint}{urlencode(parameters, quote_via=quote, safe='')}"
