"""The outbound door against real TLS servers: what it takes, and when it stops."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence

import pytest

from mcplatch import fetch as door
from mcplatch.fetch import Fetched
from tests.fetch.stage import (
    Answer,
    Authority,
    failed,
    fetching,
    get_local,
    http,
    listening,
    resolving,
)

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("AS-61")
async def test_a_document_comes_back_with_its_headers(authority: Authority) -> None:
    answer = http(b"{}", "Content-Type: application/json", "Cache-Control: max-age=60")
    found = await get_local(authority, answer)
    assert isinstance(found, Fetched), found
    assert (found.status, found.body) == (200, b"{}")
    assert found.headers["content-type"] == "application/json"
    assert found.headers["cache-control"] == "max-age=60"


@pytest.mark.requirement("AS-61")
async def test_the_request_line_is_the_url_as_written(authority: Authority) -> None:
    async with (
        listening(authority.server("docs.example"), http(b"{}")) as listener,
        fetching(
            resolve=resolving("127.0.0.1"),
            ca_file=authority.file,
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
        ) as fetch,
    ):
        await fetch.get(f"https://docs.example:{listener.port}/a%2Fb//c?x=%7e&y='")
        head = listener.heads[0].decode().lower()
    assert head.startswith("get /a%2fb//c?x=%7e&y=' http/1.1\r\n")
    assert f"\r\nhost: docs.example:{listener.port}\r\n" in head
    assert "\r\naccept: application/json\r\n" in head
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "cookie" not in head
    assert "authorization" not in head


@pytest.mark.requirement("AS-61")
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(b"gone", status="404 Not Found"), 404),
        (http(b"<html>", "Content-Type: text/html"), 200),
        (http(b"", "Location: https://169.254.169.254/", status="301 Moved Permanently"), 301),
        (http(b"", "Location: /other", status="307 Temporary Redirect"), 307),
        (http(b"oops", status="500 Internal Server Error"), 500),
    ],
)
async def test_what_is_no_document_is_given_back_as_it_is(
    authority: Authority, answer: bytes, status: int
) -> None:
    """Among them redirects: the caller sees the status and nobody follows."""
    found = await get_local(authority, answer)
    assert isinstance(found, Fetched), found
    assert found.status == status


@pytest.mark.requirement("AS-61")
async def test_redirects_are_not_followed(authority: Authority) -> None:
    async with listening(authority.server("docs.example"), http(b"secret")) as inner:
        moved = http(b"", f"Location: https://docs.example:{inner.port}/", status="302 Found")
        await get_local(authority, moved)
        assert inner.connections == 0


@pytest.mark.requirement("AS-61")
@pytest.mark.parametrize("size", [5 * 1024 + 1, 100_000, 6_000_000])
async def test_large_bodies_are_cut_off(authority: Authority, size: int) -> None:
    failed(await get_local(authority, http(b"x" * size)), door.FETCH_TOO_LARGE)


async def test_a_body_of_exactly_the_limit_is_taken(authority: Authority) -> None:
    found = await get_local(authority, http(b"x" * 5120))
    assert isinstance(found, Fetched)
    assert len(found.body) == 5120


@pytest.mark.requirement("AS-61")
async def test_an_endless_chunked_body_is_cut_off(authority: Authority) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    failed(await get_local(authority, answer), door.FETCH_TOO_LARGE)


async def _slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def _slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    for _ in range(5000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.requirement("AS-61")
@pytest.mark.parametrize("answer", [_slow_head, _slow_body, _silent])
async def test_slow_answers_end_at_the_deadline(authority: Authority, answer: Answer) -> None:
    """Each byte arrives in time; only the clock on the wall can end it."""
    begun = time.monotonic()
    found = await get_local(authority, answer, total_seconds=0.4)
    failed(found, door.FETCH_TOO_SLOW)
    assert time.monotonic() - begun < 1.5


async def test_slow_name_servers_and_silent_ports_end_at_the_deadline() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    async with fetching(resolve=never, total_seconds=0.2) as fetch:
        failed(await fetch.get("https://docs.example/c"), door.FETCH_TOO_SLOW)
    quiet = socket.socket()
    quiet.bind(("127.0.0.1", 0))
    quiet.listen(0)
    at = f"docs.example:{quiet.getsockname()[1]}"
    async with fetching(
        resolve=resolving("127.0.0.1"), total_seconds=0.2, loopback_hosts=frozenset({at})
    ) as fetch:
        failed(await fetch.get(f"https://{at}/c"), door.FETCH_TOO_SLOW)
    quiet.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n",
    ],
)
async def test_broken_answers_are_values(authority: Authority, answer: bytes) -> None:
    failed(await get_local(authority, answer), door.FETCH_BROKEN)


async def test_a_compressed_answer_is_not_unpacked(authority: Authority) -> None:
    found = await get_local(authority, http(b"\x1f\x8b\x08bomb", "Content-Encoding: gzip"))
    assert isinstance(found, Fetched)
    assert found.body == b"\x1f\x8b\x08bomb"


@pytest.mark.requirement("AS-62")
async def test_the_certificate_must_be_for_the_name(authority: Authority) -> None:
    async with (
        listening(authority.server("other.example"), http(b"{}")) as listener,
        fetching(
            resolve=resolving("127.0.0.1"),
            ca_file=authority.file,
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
        ) as fetch,
    ):
        found = await fetch.get(f"https://docs.example:{listener.port}/c")
        failed(found, door.FETCH_CERTIFICATE)
        assert listener.heads == []


@pytest.mark.requirement("AS-62")
async def test_the_certificate_must_be_trusted(authority: Authority) -> None:
    async with (
        listening(authority.server("docs.example"), http(b"{}")) as listener,
        fetching(
            resolve=resolving("127.0.0.1"),
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
        ) as fetch,
    ):
        found = await fetch.get(f"https://docs.example:{listener.port}/c")
        failed(found, door.FETCH_CERTIFICATE)


async def test_a_server_without_tls_is_broken(authority: Authority) -> None:
    async with (
        listening(None, http(b"{}")) as listener,
        fetching(
            resolve=resolving("127.0.0.1"),
            connect_seconds=0.2,
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
        ) as fetch,
    ):
        failed(await fetch.get(f"https://docs.example:{listener.port}/c"), door.FETCH_BROKEN)


async def test_literal_addresses_on_loopback(authority: Authority) -> None:
    async with (
        listening(authority.server("127.0.0.1"), http(b"{}")) as listener,
        fetching(
            ca_file=authority.file, loopback_hosts=frozenset({f"127.0.0.1:{listener.port}"})
        ) as fetch,
    ):
        assert isinstance(await fetch.get(f"https://127.0.0.1:{listener.port}/c"), Fetched)


async def test_the_next_address_is_tried_when_one_does_not_answer(authority: Authority) -> None:
    async with (
        listening(authority.server("docs.example"), http(b"{}")) as listener,
        fetching(
            resolve=resolving("127.0.0.9", "127.0.0.1"),
            ca_file=authority.file,
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
        ) as fetch,
    ):
        assert isinstance(await fetch.get(f"https://docs.example:{listener.port}/c"), Fetched)
