"""The steps of the story: how each is recognised in what the servers answered, and its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mcplatch.demo.tap import Exchange

AUTHORIZATION_SERVER: Final = "authorization server"
MCP_SERVER: Final = "MCP server"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that can happen: `sees` recognises it, `says` tells it, `source` rules it."""

    name: str
    source: str
    sees: Callable[[Exchange], object]
    says: Callable[[Exchange], str]


def recognise(exchange: Exchange) -> Step | None:
    """The step that an exchange is, or None for what the story leaves out."""
    for step in STEPS:
        if exchange.server == _SERVER_OF[step.name] and step.sees(exchange):
            return step
    return None


def challenge_value(exchange: Exchange, name: str) -> str:
    """A quoted parameter of the WWW-Authenticate header, or ''."""
    found = re.search(rf'\b{name}="([^"]*)"', exchange.headers.get("www-authenticate", ""))
    return found[1] if found else ""


def tool_called(exchange: Exchange) -> str:
    """The tool that a `tools/call` asked for, or ''."""
    asked = exchange.asked_json
    if asked.get("method") != "tools/call" or not isinstance(asked.get("params"), dict):
        return ""
    return str(asked["params"].get("name", ""))


def _refused_without_token(exchange: Exchange) -> bool:
    return exchange.status == 401 and not challenge_value(exchange, "error")


def _refused_token(exchange: Exchange) -> bool:
    return exchange.status == 401 and challenge_value(exchange, "error") == "invalid_token"


def _needs_more(exchange: Exchange) -> bool:
    return exchange.status == 403 and challenge_value(exchange, "error") == "insufficient_scope"


def _resource_metadata(exchange: Exchange) -> bool:
    return exchange.status == 200 and "oauth-protected-resource" in exchange.path


def _server_metadata(exchange: Exchange) -> bool:
    found = "oauth-authorization-server" in exchange.path or "openid-config" in exchange.path
    return exchange.status == 200 and found


def _registered(exchange: Exchange) -> bool:
    return exchange.status == 201 and "client_id" in exchange.answered_json


def _authorization_request(exchange: Exchange) -> bool:
    return exchange.status < 400 and "code_challenge" in exchange.query


def _password_sent(exchange: Exchange) -> bool:
    return exchange.method == "POST" and "password" in exchange.form


def _wrong_password(exchange: Exchange) -> bool:
    return _password_sent(exchange) and not 300 <= exchange.status < 400


def _signed_in(exchange: Exchange) -> bool:
    return _password_sent(exchange) and 300 <= exchange.status < 400


def _decided(exchange: Exchange, decision: str) -> bool:
    return exchange.status < 400 and exchange.form.get("decision", "") in decision.split()


def _token_request(exchange: Exchange, grant_type: str) -> bool:
    return exchange.form.get("grant_type") == grant_type


def _code_exchanged(exchange: Exchange) -> bool:
    return exchange.status == 200 and _token_request(exchange, "authorization_code")


def _refreshed(exchange: Exchange) -> bool:
    return exchange.status == 200 and _token_request(exchange, "refresh_token")


def _refresh_refused(exchange: Exchange) -> bool:
    return exchange.status == 400 and _token_request(exchange, "refresh_token")


def _introspected(exchange: Exchange, *, active: bool) -> bool:
    answered = exchange.answered_json
    return exchange.status == 200 and answered.get("active") is active


def _revocation(exchange: Exchange) -> bool:
    return exchange.status == 200 and "revoke" in exchange.path and "token" in exchange.form


def _disconnected(exchange: Exchange) -> bool:
    return exchange.status < 400 and "grant_id" in exchange.form


def _answered(exchange: Exchange) -> bool:
    return exchange.status == 200 and bool(tool_called(exchange))


def _says_refused(exchange: Exchange) -> str:
    return f"{exchange.method} {exchange.path} without a token: 401, and where to ask"


def _says_resource(exchange: Exchange) -> str:
    servers = exchange.answered_json.get("authorization_servers", [])
    return f"it names its authorization server: {', '.join(map(str, servers))}"


def _says_registered(exchange: Exchange) -> str:
    name = exchange.answered_json.get("client_name", "a client without a name")
    return f"the client registers itself as “{name}”"


def _says_request(exchange: Exchange) -> str:
    scope = exchange.query.get("scope", "the default scope")
    return f"the browser asks for “{scope}”, with PKCE and resource"


def _says_allowed(exchange: Exchange) -> str:
    ticked = exchange.form.get("scope")
    did = f"you tick “{ticked}” and allow it" if ticked else "you allow it"
    return f"{did}: code, state and iss go back"


def _says_tokens(exchange: Exchange) -> str:
    given = exchange.answered_json
    seconds = given.get("expires_in", "?")
    return f"the code becomes a token for {seconds} s, scope “{given.get('scope', '?')}”"


def _says_active(exchange: Exchange) -> str:
    audience = exchange.answered_json.get("aud", "?")
    return f"the token is checked: active, for {audience}"


def _says_needs_more(exchange: Exchange) -> str:
    scope = challenge_value(exchange, "scope")
    return f"{tool_called(exchange) or 'the tool'} is refused: 403, it needs “{scope}”"


def _says_called(exchange: Exchange) -> str:
    return f"{tool_called(exchange)} runs"


def _told(text: str) -> Callable[[Exchange], str]:
    return lambda _: text


_OF_MCP_SERVER: Final = (
    Step("needs-more", "RFC 6750 3.1", _needs_more, _says_needs_more),
    Step("refused", "RFC 9728 5.1", _refused_without_token, _says_refused),
    Step(
        "token-refused",
        "RFC 6750 3.1",
        _refused_token,
        _told("the MCP server refuses it: 401 invalid_token"),
    ),
    Step("resource-metadata", "RFC 9728 3", _resource_metadata, _says_resource),
    Step("tool-called", "MCP tools/call", _answered, _says_called),
)
_OF_AUTHORIZATION_SERVER: Final = (
    Step(
        "server-metadata",
        "RFC 8414 3",
        _server_metadata,
        _told("the authorization server describes itself"),
    ),
    Step("registered", "RFC 7591 3", _registered, _says_registered),
    Step("authorization-request", "RFC 7636, 8707", _authorization_request, _says_request),
    Step(
        "wrong-password",
        "NIST 800-63B",
        _wrong_password,
        _told("a wrong password is refused on the page, which stays"),
    ),
    Step("signed-in", "argon2id", _signed_in, _told("the right password signs you in")),
    Step(
        "allowed",
        "RFC 9207",
        lambda exchange: _decided(exchange, "allow read-only"),
        _says_allowed,
    ),
    Step(
        "denied",
        "RFC 6749 4.1.2.1",
        lambda exchange: _decided(exchange, "deny"),
        _told("you deny it; the client is told access_denied"),
    ),
    Step("code-exchanged", "RFC 6749 4.1.3", _code_exchanged, _says_tokens),
    Step("refreshed", "RFC 6749 6", _refreshed, _told("the client refreshes its token")),
    Step(
        "refresh-refused",
        "RFC 6749 5.2",
        _refresh_refused,
        _told("the client tries to refresh: 400 invalid_grant"),
    ),
    Step(
        "token-valid",
        "RFC 7662 2",
        lambda exchange: _introspected(exchange, active=True),
        _says_active,
    ),
    Step(
        "token-dead",
        "RFC 7662 2",
        lambda exchange: _introspected(exchange, active=False),
        _told("the token is checked: no longer active"),
    ),
    Step("revoked", "RFC 7009 2", _revocation, _told("the client gives its token back")),
    Step(
        "disconnected",
        "RFC 7009 1",
        _disconnected,
        _told("you disconnect the client on the page of connected apps"),
    ),
)
STEPS: Final = (*_OF_MCP_SERVER, *_OF_AUTHORIZATION_SERVER)
_SERVER_OF: Final = {step.name: MCP_SERVER for step in _OF_MCP_SERVER} | {
    step.name: AUTHORIZATION_SERVER for step in _OF_AUTHORIZATION_SERVER
}
