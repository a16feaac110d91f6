"""Event streams: they end with the token, they are not held up, and lists on them are filtered (RFC 6750, SSE)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from mcplatch.policy.rules import PUBLIC
from mcplatch.resource_server.tool_lists import EventFilter, filter_body
from tests.resource_server.issuer import NOW, Clock, Issuer
from tests.resource_server.servers import TOOLS, make_app, make_latch, serving
from tests.resource_server.wire import LEGACY, ask, headers, message

pytestmark = pytest.mark.anyio

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream; charset=utf-8")],
}


class Endless:
    """An application that sends an event now and then, for ever, and notes how it ended."""

    def __init__(self) -> None:
        self.ended = "not yet"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(START)
            while True:
                await send({"type": "http.response.body", "body": b": tick\n\n", "more_body": True})
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def stream(
    app: Any, issuer: Issuer, *, body: bytes, expires_in: float, **options: Any
) -> list[Any]:
    """What a client of `app` is sent, with a token that lives `expires_in` seconds."""
    clock = Clock(NOW)
    latch = make_latch(issuer, clock, options=options.pop("options", {}))
    guard = latch.layer(app, latch.policy(options.pop("tools", TOOLS)))
    sent: list[Any] = []
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if pending:
            return pending.pop()
        await asyncio.sleep(3600)
        return None

    async def send(event: Any) -> None:
        sent.append(event)

    sign = issuer.token(exp=int(NOW + 100))
    # The token is good for long; the clock is what brings its end near.
    clock.now = NOW + 100 - expires_in
    lines = [(b"host", b"notes.example"), (b"authorization", f"Bearer {sign}".encode())]
    if options.get("anonymous"):
        lines.pop()
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "path": "/mcp",
        "query_string": b"",
        "headers": lines,
    }
    await asyncio.wait_for(guard(scope, receive, send), 2)
    return sent


@pytest.mark.requirement("RS-50")
async def test_a_stream_ends_in_good_order_with_its_token(issuer: Issuer) -> None:
    app = Endless()
    sent = await stream(app, issuer, body=b"", expires_in=0.05)
    assert app.ended == "cancelled"
    assert sent[0]["status"] == 200
    assert len(sent) > 3
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert all(event["more_body"] for event in sent[1:-1])


@pytest.mark.requirement("RS-50")
async def test_listening_ends_with_the_token_and_a_call_may_be_finished(issuer: Issuer) -> None:
    listen = json.dumps(message("subscriptions/listen", era=LEGACY)).encode()
    assert len(await stream(Endless(), issuer, body=listen, expires_in=0.03)) > 2

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"data: done\n\n"})

    call = json.dumps(message("tools/call", "list_notes", era=LEGACY)).encode()
    sent = await stream(slow, issuer, body=call, expires_in=0.02)
    assert sent[-1]["body"] == b"data: done\n\n"
    cut = await stream(slow, issuer, body=call, expires_in=0.02, options={"call_grace": 0.0})
    assert cut[-1]["body"] == b""


@pytest.mark.requirement("RS-50")
async def test_an_answer_that_is_no_stream_is_never_cut(issuer: Issuer) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.06)
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": b"{}"})

    sent = await stream(slow, issuer, body=b"", expires_in=0.02)
    assert sent[-1]["body"] == b"{}"


async def test_a_timeout_of_the_application_stays_its_own(issuer: Issuer) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await stream(fails, issuer, body=b"", expires_in=60)


async def test_a_stream_that_nobody_signed_in_for_has_no_end(issuer: Issuer) -> None:
    async def short(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b": end\n\n"})

    tools = {"list_notes": PUBLIC}
    sent = await stream(short, issuer, body=b"", expires_in=0.01, anonymous=True, tools=tools)
    assert sent[-1]["body"] == b": end\n\n"


@pytest.mark.requirement("RS-89")
async def test_events_pass_as_they_come(issuer: Issuer) -> None:
    """Nothing is held back but an event that is not complete yet."""
    release = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for part in (b"data: 1\n\n", b"data: 2\n\ndata:", b" 3\n\n"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        release.set()
        await send({"type": "http.response.body", "body": b"data: 4"})

    sent = await stream(app, issuer, body=b"", expires_in=60)
    assert release.is_set()
    assert [event["body"] for event in sent[1:]] == [
        b"data: 1\n\n",
        b"data: 2\n\n",
        b"data: 3\n\n",
        b"data: 4",
    ]


@pytest.mark.requirement("RS-89", "RS-52")
async def test_proxies_are_told_not_to_collect_events(issuer: Issuer) -> None:
    sent = await stream(Endless(), issuer, body=b"", expires_in=0.01)
    assert (b"x-accel-buffering", b"no") in sent[0]["headers"]
    assert (b"cache-control", b"no-store") in sent[0]["headers"]


@pytest.mark.requirement("RS-50", "RS-40")
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth", "fastmcp"])
async def test_a_real_servers_stream_ends_with_its_token(
    issuer: Issuer, clock: Clock, way: str
) -> None:
    async with serving(make_app(way, make_latch(issuer, clock))) as client:
        token = issuer.token()
        opened = await ask(client, "initialize", era=LEGACY, token=token)
        sent = headers("x", era=LEGACY, token=token) | {
            "mcp-session-id": opened.headers["mcp-session-id"]
        }
        clock.now = NOW + 600 - 0.1
        with anyio.fail_after(5):
            async with client.stream("GET", "/mcp", headers=sent) as response:
                assert response.status_code == 200
                assert response.headers["content-type"].startswith("text/event-stream")
                assert [line async for line in response.aiter_lines() if "data" in line] == []
        clock.now = NOW + 631
        assert (await client.get("/mcp", headers=sent)).status_code == 401


@pytest.mark.requirement("RS-84")
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth", "fastmcp"])
async def test_the_stateless_wire_has_no_streams_to_get_and_no_sessions_to_end(
    issuer: Issuer, clock: Clock, way: str
) -> None:
    async with serving(make_app(way, make_latch(issuer, clock))) as client:
        sent = headers("x", token=issuer.token()) | {"mcp-session-id": "x", "last-event-id": "1"}
        for verb in ("GET", "DELETE"):
            assert (await client.request(verb, "/mcp", headers=sent)).status_code == 405


def lists(name: str) -> bool:
    return name != "hidden"


def listing(*names: str, **more: Any) -> bytes:
    tools = [{"name": name, "inputSchema": {}} for name in names]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, **more}}).encode()


def names_in(body: bytes) -> list[str]:
    return [tool["name"] for tool in json.loads(body)["result"]["tools"]]


@pytest.mark.requirement("RS-61")
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_list_in_an_event_is_filtered_however_it_is_cut(ending: bytes, size: int) -> None:
    body = listing("a", "hidden", nextCursor="2", cacheScope="public")
    event = b"id: 7" + ending + b"event: message" + ending + b"data: " + body + ending * 2
    whole = b": ping" + ending * 2 + event + b"data: {}" + ending * 2
    events = EventFilter(lists, stateless=False)
    parts = [whole[i : i + size] for i in range(0, len(whole), size)]
    out = b"".join(events.feed(part, last=part is parts[-1]) for part in parts)
    before, found, after = out.split(ending * 2)[:3]
    assert (before, after) == (b": ping", b"data: {}")
    assert found.startswith(b"id: 7" + ending + b"event: message" + ending + b"data: ")
    data = found.split(b"data: ", 1)[1]
    assert names_in(data) == ["a"]
    assert json.loads(data)["result"] | {"tools": 0} == {
        "tools": 0,
        "nextCursor": "2",
        "cacheScope": "private",
    }


@pytest.mark.requirement("RS-61")
def test_a_list_cannot_hide_in_escapes_or_lines() -> None:
    body = listing("a", "hidden").replace(b'"tools"', b'"t\\u006fols"')
    folded = b"data: " + body.replace(b', "result"', b',\ndata:  "result"')
    for event in (b"data: " + body, folded):
        out = EventFilter(lists, stateless=True).feed(event + b"\n\n", last=True)
        assert names_in(out.split(b"data: ", 1)[1]) == ["a"]


@pytest.mark.requirement("RS-61")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"result": {"tools": "hidden"}}',
        b'{"error": {"tools": []}}',
        b'{"result": {"structuredContent": {"tools": [{"name": "hidden"}]}}}',
        b'{"result": []}',
    ],
)
def test_what_is_no_list_is_left_alone(body: bytes) -> None:
    assert filter_body(body, lists, stateless=True) == body
    event = b"data: " + body + b"\n\n"
    assert EventFilter(lists, stateless=True).feed(event, last=True) == event


@pytest.mark.requirement("RS-61")
def test_every_page_of_a_stateless_list_is_private() -> None:
    filtered = json.loads(filter_body(listing("a"), lists, stateless=True))
    assert filtered["result"]["cacheScope"] == "private"
    assert (
        "cacheScope" not in json.loads(filter_body(listing("a"), lists, stateless=False))["result"]
    )
    odd = b'{"result": {"tools": [1, {"no": "name"}, {"name": "hidden"}, {"name": 7}]}}'
    assert json.loads(filter_body(odd, lists, stateless=False))["result"]["tools"] == [
        {"no": "name"},
        {"name": 7},
    ]
