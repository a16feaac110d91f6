"""The client's own requests against servers that are slow, huge, wandering or gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream

from mcplatch.client import http
from mcplatch.client.drive import Nobody, drive
from mcplatch.client.errors import Unreachable
from mcplatch.client.talk import Get, Post, Reply, Request, Talk

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def server(answer: Callable[[bytes], list[bytes]], pause: float = 0) -> AsyncIterator[str]:
    """A server that sends `answer(request)` piece by piece."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                request = await stream.receive()
                for piece in answer(request):
                    await stream.send(piece)
                    await anyio.sleep(pause)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.listeners[0].extra(SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


async def sent(request: Get | Post) -> Reply:
    async with http.open_client() as client:
        return await http.send(client, request)


async def test_an_answer_is_handed_over_with_its_headers() -> None:
    raw = b"HTTP/1.1 401 No\r\nWWW-Authenticate: a\r\nwww-authenticate: b\r\nContent-Length: 0\r\n\r\n"
    async with server(lambda _: [raw]) as url:
        reply = await sent(Get(url))
    assert (reply.status, reply.all("www-authenticate")) == (401, ["a", "b"])


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    async with server(lambda _: [head] + [chunk] * 1000) as url:
        with pytest.raises(Unreachable, match="KB"):
            await sent(Get(url))


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_kept() -> None:
    import gzip

    bomb = gzip.compress(b"\0" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with server(lambda _: [head.encode(), bomb]) as url:
        with pytest.raises(Unreachable):
            await sent(Get(url))


@pytest.mark.parametrize("piece", [b"HTTP/1.1 200 OK\r\nX-A: ", b"H"])
async def test_an_answer_that_drips_is_given_up(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS_IN_ALL", 0.3)
    async with server(lambda _: [piece] + [b"y"] * 100, pause=0.05) as url:
        with anyio.fail_after(3):
            with pytest.raises(Unreachable):
                await sent(Get(url))


async def test_what_is_only_knocked_at_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    async with server(lambda _: [head] + [b": keep alive\n\n"] * 1000, pause=0.05) as url:
        with anyio.fail_after(3):
            assert (await sent(Get(url, head_only=True))).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_trouble(raw: bytes) -> None:
    async with server(lambda _: [raw] if raw else []) as url:
        with pytest.raises(Unreachable):
            await sent(Get(url))


async def test_nobody_there_is_trouble() -> None:
    with pytest.raises(Unreachable) as caught:
        await sent(Get("http://127.0.0.1:1/"))
    assert caught.value.next_step


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_document_may_move_within_its_origin() -> None:
    async with server(lambda r: [OK if b"GET /there" in r else redirect("/there")]) as url:
        assert (await sent(Get(f"{url}/here"))).status == 200


@pytest.mark.requirement("CL-8")
@pytest.mark.parametrize("to", ["http://127.0.0.1:1/", "https://127.0.0.1/", "file:///etc/passwd"])
async def test_a_document_does_not_lead_elsewhere(to: str) -> None:
    async with server(lambda _: [redirect(to)]) as url:
        assert (await sent(Get(f"{url}/here"))).status == 302


async def test_a_circle_ends() -> None:
    async with server(lambda _: [redirect("/again")]) as url:
        assert (await sent(Get(url))).status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_form_is_not_carried_anywhere(status: int) -> None:
    seen: list[bytes] = []

    def answer(request: bytes) -> list[bytes]:
        seen.append(request)
        return [redirect("/there", status)]

    async with server(answer) as url:
        reply = await sent(Post(f"{url}/token", b"code=c0de"))
    assert reply.status == status
    assert len(seen) == 1


async def test_trouble_is_raised_where_the_flow_waits_and_may_be_caught_there() -> None:
    def flow() -> Talk[str]:
        try:
            yield Get("http://127.0.0.1:1/")
        except Unreachable:
            return "went on"
        return "no"

    assert await drive(flow(), Nobody()) == "went on"


async def test_a_flow_is_closed_when_it_is_left() -> None:
    closed: list[bool] = []

    def flow() -> Talk[None]:
        try:
            request: Request = Get("http://127.0.0.1:1/")
            yield request
        finally:
            closed.append(True)

    with pytest.raises(Unreachable):
        await drive(flow(), Nobody())
    assert closed == [True]


def test_the_client_carries_nothing_of_its_own() -> None:
    client: httpx2.AsyncClient = http.open_client()
    assert not client.cookies
    assert "authorization" not in client.headers
    assert client.follow_redirects is False
