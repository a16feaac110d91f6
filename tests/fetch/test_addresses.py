"""Where the outbound door goes: public addresses that were checked, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcplatch import fetch as door
from mcplatch.fetch import Fetch, FetchRules
from tests.fetch.stage import Authority, Listener, failed, fetching, listening, resolving

pytestmark = pytest.mark.anyio

_dialled: list[object] = []
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "socket.connect":
        _dialled.append(arguments[1][:2])
        raise OSError(101, "no network in this test")


@pytest.fixture
def dialled() -> Iterator[list[object]]:
    """Every address anything tries to connect to; none of the attempts gets out."""
    global _watching
    _dialled.clear()
    if not hasattr(sys, "_mcplatch_watch"):
        sys.addaudithook(_watch)
        sys._mcplatch_watch = True  # type: ignore[attr-defined]
    _watching = True
    yield _dialled
    _watching = False


@pytest.mark.requirement("AS-62")
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.8"],
        ["100.64.3.2"],
        ["::1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::"],
        ["fd00:ec2::254"],
        ["fe80::1%2"],
        ["93.184.216.34", "10.0.0.8"],
        ["2606:4700::1111", "::1"],
        ["nonsense"],
    ],
)
async def test_every_answer_must_be_public(addresses: list[str], dialled: list[object]) -> None:
    async with fetching(resolve=resolving(*addresses)) as fetch:
        failed(await fetch.get("https://docs.example/c"), door.FETCH_ADDRESS_REFUSED)
    assert dialled == []


@pytest.mark.requirement("AS-62")
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/c",
        "https://[::1]/c",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1:8443/c",
        "https://[fd00:ec2::254]/c",
        "https://[2002:7f00:1::]/c",
        "https://0.0.0.0/c",
    ],
)
async def test_literal_addresses_must_be_public(url: str, dialled: list[object]) -> None:
    async with fetching() as fetch:
        failed(await fetch.get(url), door.FETCH_ADDRESS_REFUSED)
    assert dialled == []


@pytest.mark.requirement("AS-60", "AS-62")
@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example/c",
        "https://127.1/c",
        "https://2130706433/c",
        "https://0x7f000001/c",
        "https://0177.0.0.1/c",
        "https://[::ffff:127.0.0.1]/c",
        "https://user@docs.example/c",
        "https://docs.example/../c",
        "https://docs.example/c#x",
        "file:///etc/passwd",
        "ftp://docs.example/c",
        "https://docs.example/c\r\nX: y",
        "https://docs。example/c",
        "",
    ],
)
async def test_other_urls_are_not_even_looked_up(url: str, dialled: list[object]) -> None:
    asked: list[str] = []
    async with fetching(resolve=resolving("127.0.0.1", asked=asked)) as fetch:
        failed(await fetch.get(url), door.FETCH_URL_REFUSED)
    assert (asked, dialled) == ([], [])


@pytest.mark.requirement("AS-62")
async def test_the_checked_address_is_the_one_dialled(dialled: list[object]) -> None:
    """A name that answers differently the second time gets no second question."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    async with fetching(resolve=rebinding) as fetch:
        failed(await fetch.get("https://docs.example/c"), door.FETCH_BROKEN)
    assert dialled == [("93.184.216.34", 443)]


async def test_the_environment_names_no_proxy(
    monkeypatch: pytest.MonkeyPatch, dialled: list[object]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with fetching(resolve=resolving("93.184.216.34")) as fetch:
        await fetch.get("https://docs.example/c")
    assert dialled == [("93.184.216.34", 443)]


@pytest.mark.requirement("AS-62")
async def test_loopback_only_as_listed_and_only_loopback(
    authority: Authority, dialled: list[object]
) -> None:
    listed = frozenset({"docs.example:8443"})
    async with fetching(resolve=resolving("127.0.0.1"), loopback_hosts=listed) as fetch:
        failed(await fetch.get("https://docs.example:8444/c"), door.FETCH_ADDRESS_REFUSED)
        failed(await fetch.get("https://docs.example/c"), door.FETCH_ADDRESS_REFUSED)
        failed(await fetch.get("https://other.example:8443/c"), door.FETCH_ADDRESS_REFUSED)
    async with fetching(resolve=resolving("10.0.0.1"), loopback_hosts=listed) as fetch:
        failed(await fetch.get("https://docs.example:8443/c"), door.FETCH_ADDRESS_REFUSED)
    assert dialled == []


@pytest.mark.requirement("AS-62")
@pytest.mark.parametrize("issuer", ["https://auth.example", "https://127.0.0.1.evil.example", ""])
def test_loopback_hosts_need_an_issuer_on_loopback(issuer: str) -> None:
    rules = FetchRules(loopback_hosts=frozenset({"localhost:8443"}))
    with pytest.raises(ValueError, match="loopback"):
        Fetch(rules, issuer=issuer)
    Fetch(FetchRules(), issuer=issuer).close()


async def test_an_unknown_name_is_a_value() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "unknown")

    async with fetching(resolve=unknown) as fetch:
        failed(await fetch.get("https://docs.example/c"), door.FETCH_NAME_UNKNOWN)


async def test_the_systems_resolver_is_asked_by_default(dialled: list[object]) -> None:
    async with fetching() as fetch:
        failed(await fetch.get("https://localhost/c"), door.FETCH_ADDRESS_REFUSED)
    assert dialled == []


@pytest.mark.requirement("AS-65")
async def test_one_url_is_not_hammered() -> None:
    asked: list[str] = []
    async with fetching(
        resolve=resolving("10.0.0.1", asked=asked), burst=3, refill_seconds=0.2
    ) as fetch:
        for _ in range(3):
            failed(await fetch.get("https://a.example/c"), door.FETCH_ADDRESS_REFUSED)
        failed(await fetch.get("https://a.example/c"), door.FETCH_TOO_OFTEN)
        failed(await fetch.get("https://b.example/c"), door.FETCH_ADDRESS_REFUSED)
        assert asked.count("a.example") == 3
        await asyncio.sleep(0.25)
        failed(await fetch.get("https://a.example/c"), door.FETCH_ADDRESS_REFUSED)


async def test_only_so_many_at_once(authority: Authority) -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(0.1)
        return ["10.0.0.1"]

    async with fetching(resolve=slow, at_once=2) as fetch:
        found = await asyncio.gather(*(fetch.get(f"https://{name}.example/c") for name in "abc"))
        failed(found[2], door.FETCH_TOO_OFTEN)
        failed(await fetch.get("https://d.example/c"), door.FETCH_ADDRESS_REFUSED)


@pytest.mark.requirement("AS-62")
async def test_a_flood_of_strangers_leaves_room_for_who_is_known() -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(0.2 if host.startswith("slow") else 0)
        return ["10.0.0.1"]

    async with fetching(resolve=slow, at_once=3, known_at_once=1) as fetch:
        flood = asyncio.gather(*(fetch.get(f"https://slow{n}.example/c") for n in range(9)))
        await asyncio.sleep(0.05)
        failed(await fetch.get("https://claude.example/c"), door.FETCH_TOO_OFTEN)
        known = await fetch.get("https://claude.example/c", known=True)
        failed(known, door.FETCH_ADDRESS_REFUSED)
        await flood


@asynccontextmanager
async def proxying() -> AsyncIterator[Listener]:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with listening(None, refuse) as listener:
        yield listener


async def test_a_configured_proxy_gets_the_name() -> None:
    async with (
        proxying() as listener,
        fetching(proxy=f"http://127.0.0.1:{listener.port}", resolve=resolving()) as fetch,
    ):
        failed(await fetch.get("https://docs.example/c"), door.FETCH_BROKEN)
        assert listener.heads[0].startswith(b"CONNECT docs.example:443 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url",
    ["https://localhost/c", "https://127.0.0.1/c", "https://db.internal/c", "https://intranet/c"],
)
async def test_a_proxy_is_not_asked_for_local_names(url: str) -> None:
    async with (
        proxying() as listener,
        fetching(proxy=f"http://127.0.0.1:{listener.port}", resolve=resolving()) as fetch,
    ):
        failed(await fetch.get(url), door.FETCH_ADDRESS_REFUSED)
        assert listener.connections == 0
