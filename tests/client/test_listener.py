"""The loopback listener, from the outside: what it answers, and that it is gone afterwards."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import pytest

from mcplatch.client.errors import Unreachable
from mcplatch.client.listener import Listener

pytestmark = pytest.mark.anyio

STATE = "s" * 43


@asynccontextmanager
async def waiting(**how: object) -> AsyncIterator[tuple[Listener, list[str]]]:
    """A listener that waits for STATE; the list holds what it answers."""
    listener, answers = Listener(**how), []  # type: ignore[arg-type]
    await listener.open()
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            answers.append(await listener.wait(STATE))

        tasks.start_soon(wait)
        await anyio.sleep(0)
        yield listener, answers
        tasks.cancel_scope.cancel()
    await listener.close()


async def ask(listener: Listener, raw: str, address: str = "127.0.0.1") -> str:
    async with await anyio.connect_tcp(address, listener.port) as stream:
        await stream.send(raw.encode())
        answer = b""
        with anyio.fail_after(3):
            try:
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return answer.decode()


def get(listener: Listener, target: str, *, host: str | None = None, method: str = "GET") -> str:
    host = urlsplit(listener.redirect_uri).netloc if host is None else host
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def is_open(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        return one.connect_ex((address, port)) == 0


@pytest.mark.requirement("CL-36")
async def test_one_valid_answer_and_the_port_is_shut() -> None:
    async with waiting() as (listener, answers):
        target = f"/callback?code=c0de&state={STATE}"
        page = await ask(listener, get(listener, target))
        assert page.startswith("HTTP/1.1 200")
        with anyio.fail_after(2):
            while not answers:
                await anyio.sleep(0.01)
        assert answers == [f"http://127.0.0.1:{listener.port}{target}"]
        assert not is_open(listener.port)


@pytest.mark.requirement("CL-36")
async def test_the_page_holds_nothing_of_the_answer_and_locks_the_browser_in() -> None:
    async with waiting() as (listener, _):
        hostile = "%3Cscript%3Ealert(1)%3C/script%3E"
        target = f"/callback?error={hostile}&error_description={hostile}&state={STATE}"
        page = await ask(listener, get(listener, target))
        head, _, body = page.partition("\r\n\r\n")
        assert "script" not in body.lower()
        assert STATE not in page
        assert "Not signed in" in body
        assert "default-src 'none'" in head
        assert "Referrer-Policy: no-referrer" in head
        assert "Cache-Control: no-store" in head


@pytest.mark.requirement("CL-36")
@pytest.mark.parametrize(
    ("target", "host", "method", "status"),
    [
        ("/callback?code=c&state=wrong", None, "GET", 400),
        ("/callback?code=c", None, "GET", 400),
        ("/callback", None, "GET", 400),
        (f"/callback?code=c&state={STATE}", "evil.example", "GET", 421),
        (f"/callback?code=c&state={STATE}", "127.0.0.1", "GET", 421),
        (f"/callback?code=c&state={STATE}", "", "GET", 421),
        (f"/callback?code=c&state={STATE}", None, "POST", 405),
        (f"/callback?code=c&state={STATE}", None, "HEAD", 405),
        (f"/other?code=c&state={STATE}", None, "GET", 404),
        (f"/callback/?code=c&state={STATE}", None, "GET", 404),
        (f"http://evil.example/callback?state={STATE}", None, "GET", 404),
        (f"//evil.example/callback?state={STATE}", None, "GET", 404),
        ("//[", None, "GET", 404),
        ("/favicon.ico", None, "GET", 404),
    ],
)
async def test_what_does_not_belong_here_changes_nothing(
    target: str, host: str | None, method: str, status: int
) -> None:
    async with waiting() as (listener, answers):
        page = await ask(listener, get(listener, target, host=host, method=method))
        assert page.startswith(f"HTTP/1.1 {status} ")
        assert not answers
        assert is_open(listener.port)


@pytest.mark.requirement("CL-36")
async def test_two_hosts_are_none() -> None:
    async with waiting() as (listener, answers):
        netloc = urlsplit(listener.redirect_uri).netloc
        raw = f"GET /callback?state={STATE} HTTP/1.1\r\nHost: {netloc}\r\nHost: evil\r\n\r\n"
        assert (await ask(listener, raw)).startswith("HTTP/1.1 421")
        assert not answers


@pytest.mark.parametrize("raw", ["\r\n\r\n", "GET\r\n\r\n", "\x00\xff\r\n\r\n", "GET / \r\n\r\n"])
async def test_what_is_no_request_is_no_crash(raw: str) -> None:
    async with waiting() as (listener, answers):
        await ask(listener, raw)
        assert not answers
        assert is_open(listener.port)


async def test_a_head_without_end_is_cut_off() -> None:
    async with waiting() as (listener, answers):
        assert await ask(listener, "GET /callback HTTP/1.1\r\n" + "X: y\r\n" * 5000) == ""
        assert not answers


async def test_silent_connections_do_not_keep_the_person_out() -> None:
    async with waiting() as (listener, answers):
        silent = [await anyio.connect_tcp("127.0.0.1", listener.port) for _ in range(8)]
        page = await ask(listener, get(listener, f"/callback?code=c&state={STATE}"))
        assert page.startswith("HTTP/1.1 200")
        for stream in silent:
            await stream.aclose()
        with anyio.fail_after(2):
            while not answers:
                await anyio.sleep(0.01)


@pytest.mark.requirement("CL-36", "CL-37")
@pytest.mark.parametrize(
    ("host", "authority"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")],
)
async def test_it_listens_on_loopback_only_under_the_name_it_was_given(
    host: str, authority: str
) -> None:
    try:
        async with waiting(host=host, path="/oauth/callback") as (listener, _):
            assert listener.redirect_uri == f"http://{authority}:{listener.port}/oauth/callback"
            outward = _own_address()
            if outward is not None:
                assert not is_open(listener.port, outward)
            assert is_open(listener.port, "::1" if host == "::1" else "127.0.0.1")
    except Unreachable:
        assert host == "::1", "only IPv6 may be missing on a machine"


@pytest.mark.requirement("CL-37")
async def test_a_fixed_port_is_taken_or_said_to_be_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unreachable) as caught:
            await Listener(port=port).open()
        assert "--callback-port" in caught.value.next_step
    listener = Listener(port=port)
    await listener.open()
    assert listener.port == port
    await listener.close()
    await listener.close()
    assert not is_open(port)


async def test_half_of_localhost_is_not_enough() -> None:
    """What another program holds on the other address would be its to answer."""
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with other, pytest.raises(Unreachable):
        await Listener(host="localhost", port=other.getsockname()[1]).open()


def _own_address() -> str | None:
    """An address of this machine that others could reach, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address
