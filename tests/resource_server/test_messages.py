"""Hostile bodies: whatever is posted, the answer is a JSON-RPC error and never a 500 (JSON-RPC 2.0, RFC 8725)."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcplatch.resource_server.guard import Guard
from tests.resource_server.issuer import Clock, Issuer
from tests.resource_server.servers import TOOLS, make_latch
from tests.resource_server.wire import LEGACY, ask, headers, message

pytestmark = pytest.mark.anyio

CALL = json.dumps(message("tools/call", "list_notes", era=LEGACY))

BODIES: list[tuple[bytes, int]] = [
    (b"", -32700),
    (b"{", -32700),
    (b"null", -32600),
    (b"true", -32600),
    (b'"tools/call"', -32600),
    (b"[]", -32600),
    (f"[{CALL}]".encode(), -32600),
    (f"[{CALL},{CALL}]".encode(), -32600),
    (f"{CALL}{CALL}".encode(), -32700),
    (f"{CALL}\n{CALL}".encode(), -32700),
    (CALL.encode("utf-16"), -32700),
    (b"\xef\xbb\xbf" + CALL.encode(), -32700),
    (CALL.replace("list_notes", "list_\udcff").encode("utf-8", "surrogateescape"), -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list"}', -32700),
    (
        CALL.replace('"list_notes"', '"list_notes", "name": "delete_note"').encode(),
        -32700,
    ),
    (
        CALL.replace('"list_notes"', '"list_notes", "n\\u0061me": "delete_note"').encode(),
        -32700,
    ),
    (CALL.replace("{}", '{"a": NaN}').encode(), -32700),
    (CALL.replace("{}", '{"a": Infinity}').encode(), -32700),
    (CALL.replace("{}", "[" * 99 + "]" * 99).encode(), -32700),
    (CALL.replace("{}", '{"a":' * 5000 + "1" + "}" * 5000).encode(), -32700),
    (CALL.replace("{}", "[" * 100_000 + "]" * 100_000).encode(), -32700),
    (CALL.replace('"id": 1', '"id": ' + "9" * 5000).encode(), -32700),
    (CALL.replace('"2.0"', '"1.0"').encode(), -32600),
    (CALL.replace('"2.0"', "2.0").encode(), -32600),
    (CALL.replace('"jsonrpc": "2.0", ', "").encode(), -32600),
    (CALL.replace('"id": 1', '"id": null').encode(), -32600),
    (CALL.replace('"id": 1', '"id": true').encode(), -32600),
    (CALL.replace('"id": 1', '"id": 1.5').encode(), -32600),
    (CALL.replace('"id": 1', '"id": []').encode(), -32600),
    (CALL.replace('"tools/call"', "7").encode(), -32600),
    (CALL.replace('"tools/call"', '["tools/call"]').encode(), -32600),
    (CALL.replace('"tools/call"', '"tools/\\ud800"').encode(), -32600),
    (CALL.replace('"id": 1', '"id": 1, "result": {}').encode(), -32600),
    (b'{"jsonrpc":"2.0","id":1}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["list_notes"]}', -32600),
    (CALL.replace('"list_notes"', '["list_notes"]').encode(), -32602),
    (CALL.replace('"list_notes"', "null").encode(), -32602),
    (CALL.replace('"list_notes"', '"list_\\ud800"').encode(), -32602),
    (CALL.replace("list_notes", "l" * 9000).encode(), -32602),
]


@pytest.mark.requirement("RS-54", "RS-9", "RS-60")
@pytest.mark.parametrize(("body", "code"), BODIES, ids=[str(n) for n in range(len(BODIES))])
async def test_a_body_that_is_no_single_message_is_refused(
    client: httpx2.AsyncClient, issuer: Issuer, body: bytes, code: int
) -> None:
    sent = headers("tools/call", era=LEGACY, token=issuer.token())
    response = await client.post("/mcp", content=body, headers=sent)
    assert response.status_code == 400
    answer = response.json()
    assert answer["error"]["code"] == code
    assert len(response.content) < 300


@pytest.mark.requirement("RS-54")
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_413(
    anyhow: httpx2.AsyncClient, issuer: Issuer, chunked: bool
) -> None:
    body = json.dumps(message("tools/call", "x" * 5_000_000, era=LEGACY)).encode()
    sent = headers("tools/call", era=LEGACY, token=issuer.token())

    async def parts() -> Any:
        yield body

    response = await anyhow.post("/mcp", content=parts() if chunked else body, headers=sent)
    assert response.status_code == 413


@pytest.mark.requirement("RS-54")
async def test_nobodys_long_body_is_not_read_at_all(issuer: Issuer, clock: Clock) -> None:
    """Who is not signed in cannot make us hold megabytes, nor wait for them."""
    guard = make_guard(issuer, clock)
    asked: list[int] = []

    async def receive() -> dict[str, Any]:
        asked.append(1)
        raise AssertionError("the body was asked for")

    for length in (b"70000", b"99999999999999999999", b"-1", b"x", None):
        scope = post_scope([] if length is None else [(b"content-length", length)])
        start, _ = await run(guard, scope, receive)
        assert start["status"] == 401
    assert asked == []


@pytest.mark.requirement("RS-54")
async def test_a_sender_who_leaves_half_way_harms_nobody(issuer: Issuer, clock: Clock) -> None:
    guard = make_guard(issuer, clock)
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"jsonrpc"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    token = (b"authorization", f"Bearer {issuer.token()}".encode())
    start, _ = await run(guard, post_scope([token]), receive)
    assert start["status"] == 400


@pytest.mark.requirement("RS-54")
async def test_a_body_in_many_parts_arrives_whole(issuer: Issuer, clock: Clock) -> None:
    body = CALL.encode()
    events = [
        {"type": "http.request", "body": body[i : i + 7], "more_body": True}
        for i in range(0, len(body), 7)
    ]
    events.append({"type": "http.request"})

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    token = (b"authorization", f"Bearer {issuer.token()}".encode())
    start, end = await run(make_guard(issuer, clock), post_scope([token]), receive)
    assert (start["status"], end["body"]) == (200, body)


def make_guard(issuer: Issuer, clock: Clock) -> Guard:
    """A guard over an application that answers with the body it was given."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    latch = make_latch(issuer, clock)
    return latch.layer(echo, latch.policy(TOOLS))


def post_scope(more: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(b"host", b"notes.example"), *more],
    }


async def run(guard: Guard, scope: Any, receive: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    await guard(scope, receive, send)
    return sent[0], sent[-1]


@pytest.mark.requirement("RS-54", "RS-5")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["jsonrpc", "id", "method", "params", "name"]), inner
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    token=st.one_of(st.just(""), st.binary(max_size=60).map(lambda b: b.decode("latin-1"))),
)
async def test_nothing_that_can_be_sent_is_a_500(
    issuer: Issuer, clock: Clock, body: bytes, token: str
) -> None:
    guard = make_guard(issuer, clock)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    value = f"Bearer {token or issuer.token('notes:read notes:delete')}".encode("latin-1")
    length = (b"content-length", str(len(body)).encode())
    for more in ([(b"authorization", value), length], [length]):
        start, _ = await run(guard, post_scope(more), receive)
        assert start["status"] in (200, 400, 401, 403)


@pytest.mark.requirement("RS-41", "RS-48", "RS-81")
async def test_headers_count_however_a_server_spells_them(issuer: Issuer, clock: Clock) -> None:
    """ASGI asks for lower case; a server that does not keep to it must not open a door."""
    body = json.dumps(message("tools/call", "list_notes", era=LEGACY)).encode()
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    latch = make_latch(issuer, clock)
    guard = latch.layer(app, latch.policy(TOOLS))
    token = (b"Authorization", f"Bearer {issuer.token()}".encode())
    for more, status in (
        ([token], 200),
        ([token, (b"AUTHORIZATION", token[1])], 400),
        ([token, (b"Mcp-Name", b"other")], 400),
        ([token, (b"Origin", b"https://evil.example")], 403),
        ([token, (b"HOST", b"notes.example")], 421),
        ([(b"authorization ", token[1])], 401),
        ([(b"x-authorization", token[1])], 401),
    ):
        start, _ = await run(guard, post_scope(more), receive)
        assert start["status"] == status
    assert all(name.lower() != b"authorization" for name, _ in seen)


@pytest.mark.requirement("RS-60")
@pytest.mark.parametrize("verb", ["PUT", "PATCH", "QUERY", "post", "X"])
async def test_no_verb_is_a_way_round_the_table(issuer: Issuer, clock: Clock, verb: str) -> None:
    body = json.dumps(message("tools/call", "delete_note", era=LEGACY)).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    token = (b"authorization", f"Bearer {issuer.token()}".encode())
    scope = post_scope([token]) | {"method": verb}
    start, _ = await run(make_guard(issuer, clock), scope, receive)
    assert start["status"] == 403


@pytest.mark.requirement("RS-85")
async def test_an_answer_to_the_servers_question_passes(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    token = issuer.token()
    opened = await ask(client, "initialize", era=LEGACY, token=token)
    session = opened.headers["mcp-session-id"]
    sent = headers("x", era=LEGACY, token=token, mcp_session_id=session)
    answers: list[dict[str, Any]] = [{"result": {}}, {"error": {"code": 1, "message": "no"}}]
    for body in answers:
        posted = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 9, **body}, headers=sent)
        assert posted.status_code == 202
