"""Each step is recognised in what a server answered, and told apart from what looks like it."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.demo.steps import (
    AUTHORIZATION_SERVER,
    MCP_SERVER,
    STEPS,
    recognise,
)
from mcplatch.demo.tap import Exchange

CALL = json.dumps({"method": "tools/call", "params": {"name": "get_time"}}).encode()


def at_mcp(status: int, challenge: str = "", sent: bytes = CALL, path: str = "/mcp") -> Exchange:
    headers = {"www-authenticate": challenge} if challenge else {}
    return Exchange(MCP_SERVER, "POST", path, {}, sent, status, headers, b"{}")


def at_issuer(
    status: int,
    path: str,
    form: dict[str, str] | None = None,
    answer: object = None,
    query: dict[str, str] | None = None,
) -> Exchange:
    method = "GET" if form is None else "POST"
    body = json.dumps({} if answer is None else answer).encode()
    sent = urlencode(form or {}).encode()
    return Exchange(AUTHORIZATION_SERVER, method, path, query or {}, sent, status, {}, body)


CODE = {"grant_type": "authorization_code", "code": "x"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "x"}
SIGN_IN = {"username": "ada", "password": "x"}
ASKED = {"code_challenge": "x", "scope": "user"}

CASES: list[tuple[Exchange, str | None]] = [
    (at_mcp(401, 'Bearer resource_metadata="x"'), "refused"),
    (at_mcp(401, 'Bearer error="invalid_token"'), "token-refused"),
    (at_mcp(403, 'Bearer error="insufficient_scope", scope="admin"'), "needs-more"),
    (at_mcp(403), None),
    (at_mcp(200), "tool-called"),
    (at_mcp(200, sent=b'{"method": "tools/list"}'), None),
    (at_mcp(200, sent=b"not json"), None),
    (at_mcp(200, sent=b"", path="/.well-known/oauth-protected-resource/mcp"), "resource-metadata"),
    (at_mcp(404, sent=b"", path="/.well-known/oauth-protected-resource/mcp"), None),
    (at_issuer(200, "/.well-known/oauth-authorization-server"), "server-metadata"),
    (at_issuer(404, "/.well-known/oauth-authorization-server"), None),
    (at_issuer(201, "/register", {}, {"client_id": "x"}), "registered"),
    (at_issuer(400, "/register", {}, {"error": "x"}), None),
    (at_issuer(303, "/authorize", query=ASKED), "authorization-request"),
    (at_issuer(400, "/authorize", query=ASKED), None),
    (at_issuer(200, "/sign-in", SIGN_IN), "wrong-password"),
    (at_issuer(401, "/sign-in", SIGN_IN), "wrong-password"),
    (at_issuer(303, "/sign-in", SIGN_IN), "signed-in"),
    (at_issuer(200, "/consent", {"decision": "allow"}), "allowed"),
    (at_issuer(200, "/consent", {"decision": "deny"}), "denied"),
    (at_issuer(403, "/consent", {"decision": "allow"}), None),
    (at_issuer(200, "/token", CODE), "code-exchanged"),
    (at_issuer(400, "/token", CODE), None),
    (at_issuer(200, "/token", REFRESH), "refreshed"),
    (at_issuer(400, "/token", REFRESH), "refresh-refused"),
    (at_issuer(503, "/token", REFRESH), None),
    (at_issuer(200, "/introspect", {"token": "x"}, {"active": True}), "token-valid"),
    (at_issuer(200, "/introspect", {"token": "x"}, {"active": False}), "token-dead"),
    (at_issuer(401, "/introspect", {"token": "x"}, {"error": "x"}), None),
    (at_issuer(200, "/revoke", {"token": "x"}), "revoked"),
    (at_issuer(303, "/account", {"grant_id": "x"}), "disconnected"),
    (at_issuer(200, "/"), None),
]


@pytest.mark.parametrize(("exchange", "name"), CASES)
def test_recognised(exchange: Exchange, name: str | None) -> None:
    step = recognise(exchange)
    assert (step.name if step else None) == name
    assert step is None or step.says(exchange)


def test_every_step_has_a_case() -> None:
    assert {step.name for step in STEPS} == {name for _, name in CASES if name}


@given(
    st.sampled_from([MCP_SERVER, AUTHORIZATION_SERVER]),
    st.integers(200, 599),
    st.text(max_size=40),
    st.binary(max_size=80),
    st.text(max_size=60),
)
def test_any_exchange_can_be_told(
    server: str, status: int, path: str, body: bytes, challenge: str
) -> None:
    headers = {"www-authenticate": challenge}
    exchange = Exchange(server, "POST", path, {}, body, status, headers, body)
    step = recognise(exchange)
    assert step is None or isinstance(step.says(exchange), str)
