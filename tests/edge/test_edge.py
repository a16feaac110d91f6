"""The edge, spoken to over a real socket by peers that are slow, ambiguous or too many."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import pytest

from mcplatch.config import Listen
from mcplatch.web.edge import EdgeLimits
from mcplatch.web.serving import listening, running

pytestmark = pytest.mark.anyio

SHORT = EdgeLimits(
    head_seconds=0.6, body_seconds=0.6, idle_seconds=1, head_bytes=4096, connections=3
)


async def echo(scope, receive, send):
    """Answers with how many bytes of body arrived; /stream says a word every 0.1 s for a second."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/boom":
        raise RuntimeError("secret-in-exception")
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10):
            await send({"type": "http.response.body", "body": b"word", "more_body": True})
            await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"end"})
        return
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size, more = size + len(event["body"]), event["more_body"]
    body = b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
async def port():
    listener = listening(Listen("127.0.0.1", 0))
    async with running(echo, listener, limits=SHORT):
        yield listener.getsockname()[1]


async def ask(
    port: int, *pieces: bytes, pause: float = 0.0, within: float = 5
) -> tuple[bytes, float]:
    """Sends the pieces with pauses between; everything that came back until the close, and how long it took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)

    sending = asyncio.create_task(send())
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), within)
    sending.cancel()
    writer.close()
    return answer, time.monotonic() - began


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


async def test_an_ordinary_request_is_answered(port):
    answer, _ = await ask(port, HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n3")
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize(
    ("pieces", "answered"),
    [
        ([b"G", b"E", b"T", b" ", b"/", b" ", b"H", b"T", b"T", b"P"], 408),
        ([b"GET / HTTP/1.1\r\nHost: a\r\n", *[b"X-%d: y\r\n" % n for n in range(30)]], 408),
        ([HEAD + b"Content-Length: 50\r\n\r\n", *[b"x"] * 30], 408),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 30], 408),
        ([b"\r\n"] * 30, None),
        ([b""], None),
    ],
    ids=["request line", "headers", "body", "chunks", "line ends only", "silence"],
)
async def test_a_byte_now_and_then_gains_no_time(pieces, answered, port):
    answer, took = await ask(port, *pieces, pause=0.1)
    assert (status(answer) if answer else None) == answered
    assert 0.5 < took < 2.5


async def test_a_second_request_has_its_own_deadline(port):
    first = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer, took = await ask(port, first, b"GET /", *[b"a"] * 30, pause=0.1)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"HTTP/1.1 408" in answer
    assert took < 2.5


async def test_line_ends_after_an_answer_do_not_keep_the_connection(port):
    first = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer, took = await ask(port, first, *[b"\r\n"] * 30, pause=0.1)
    assert status(answer) == 200
    assert took < 2.5


async def test_an_idle_connection_is_closed(port):
    answer, took = await ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(answer) == 200
    assert 0.8 < took < 4


async def test_a_stream_outlives_the_deadlines(port):
    answer, _ = await ask(port, b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\r\n")
    assert answer.endswith(b"3\r\nend\r\n0\r\n\r\n")


async def test_a_slow_second_request_does_not_cut_the_first_ones_stream(port):
    answer, _ = await ask(port, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HT", pause=0.1)
    assert answer.endswith(b"3\r\nend\r\n0\r\n\r\n")
    assert b"408" not in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Host: b\r\n",
        b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n",
        b"X: a\x00b\r\n",
        b"X : a\r\n",
        b"no colon\r\n",
        b"\xff\xfe: a\r\n",
    ],
)
async def test_a_request_with_two_meanings_is_refused_and_closed(head, port):
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    answer, _ = await ask(port, HEAD + head + b"\r\n" + smuggled)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"get / http/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_not_a_request_is_answered_400(raw, port):
    answer, _ = await ask(port, raw)
    assert status(answer) == 400


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5000 + b"\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: aaaaaaaaaa\r\n" * 400 + b"\r\n"],
        [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", *[b"a" * 1000] * 7],
    ],
    ids=["address", "one header", "many headers", "never ending"],
)
async def test_a_head_that_is_too_large_is_refused(pieces, port):
    answer, _ = await ask(port, *pieces, pause=0.01)
    assert status(answer) == 431


async def test_a_large_body_is_no_large_head(port):
    answer, _ = await ask(
        port, HEAD + b"Connection: close\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000
    )
    assert answer.endswith(b"\r\n\r\n200000")


@pytest.mark.parametrize(
    ("pieces", "size"),
    [
        ([b"Content-Length: 3\r\n\r\nabcGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"], 3),
        ([b"Content-Length: 3\r\n\r\n", b"a", b"b", b"cd"], 3),
        ([b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"], 3),
        ([b"Content-Length: 0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"], 0),
        ([b"\r\n", b"\x00\x01binary"], 0),
    ],
)  # fmt: skip
async def test_an_offer_to_upgrade_is_answered_in_plain_http_and_closed(pieces, size, port):
    offer = HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    answer, _ = await ask(port, offer + pieces[0], *pieces[1:], pause=0.02)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.endswith(b"\r\n\r\n%d" % size)
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize(
    ("body", "answered"),
    [([b"Content-Length: 9\r\n\r\na"], 408), ([b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"], 400)],
)
async def test_the_body_of_such_a_request_has_the_same_rules(body, answered, port):
    offer = HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    answer, _ = await ask(port, offer + body[0])
    assert status(answer) == answered


async def test_connections_over_the_cap_are_turned_away_and_the_others_live(port):
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    answer, _ = await ask(port, b"")
    assert status(answer) == 503
    reader, writer = held[0]
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.05)
    answer, _ = await ask(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status(answer) == 200


async def test_pipelined_requests_are_answered_in_order(port):
    two = (
        HEAD
        + b"Content-Length: 1\r\n\r\na"
        + HEAD
        + b"Connection: close\r\nContent-Length: 2\r\n\r\nab"
    )
    answer, _ = await ask(port, two)
    assert [part[-1:] for part in answer.split(b"HTTP/1.1 200")[1:]] == [b"1", b"2"]


async def test_the_access_log_has_no_query_no_header_and_no_line_break(caplog, port):
    caplog.set_level(logging.INFO)
    await ask(
        port,
        b"GET /callback%0Afake?code=hunter2&state=s HTTP/1.1\r\nHost: a\r\n"
        b"Authorization: Bearer hunter2\r\nConnection: close\r\n\r\n",
    )
    lines = [record.getMessage() for record in caplog.records if record.name == "mcplatch.access"]
    assert len(lines) == 1
    assert "GET /callback%0Afake 200" in lines[0]
    assert "hunter2" not in caplog.text
    assert "\n" not in lines[0]


async def test_an_exception_is_a_500_without_its_text(port):
    answer, _ = await ask(port, b"GET /boom HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status(answer) == 500
    assert b"secret-in-exception" not in answer


async def test_an_application_that_cannot_start_is_told():
    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="did not start"):
        async with running(broken, listening(Listen("127.0.0.1", 0))):
            pass


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ((), b"203.0.113.9", "127.0.0.1"),
        (("10.0.0.0/8",), b"203.0.113.9", "127.0.0.1"),
        (("127.0.0.1",), b"203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), b"198.51.100.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
    ],
)
async def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    trusted, forwarded, seen, caplog
):
    caplog.set_level(logging.INFO, "mcplatch.access")
    listener = listening(Listen("127.0.0.1", 0))
    async with running(echo, listener, trusted_proxies=trusted):
        head = (
            b"GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: " + forwarded
        )
        await ask(listener.getsockname()[1], head + b"\r\n\r\n")
    (line,) = [record.getMessage() for record in caplog.records if "/here" in record.getMessage()]
    assert line.startswith(f"{seen} GET /here")
