"""The outbound door against real TLS servers on loopback: where it goes, what it takes, when it stops."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcplatch import fetch as door
from mcplatch.fetch import Fetch, Fetched, FetchFailed, FetchRules
from mcplatch.protocol.refusal import Reason

pytestmark = pytest.mark.anyio

ISSUER = "http://localhost:9000"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Authority:
    """A certificate authority that lives for one test run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._build(name, name, self.key, None, authority=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _build(
        self, subject: Any, issuer: Any, key: Any, names: Any, *, authority: bool
    ) -> x509.Certificate:
        today = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=1))
            .not_valid_after(today + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, *hosts: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        certificate = self._build(subject, self.certificate.subject, key, names, authority=False)
        file = self.folder / f"{hosts[0]}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


class Listener:
    """A TLS server on loopback and the request heads it has seen."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.heads: list[bytes] = []


@asynccontextmanager
async def listening(
    context: ssl.SSLContext | None, answer: Answer | bytes
) -> AsyncIterator[Listener]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        writers.append(writer)
        try:
            listener.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    listener = Listener(server.sockets[0].getsockname()[1])
    try:
        yield listener
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def resolving(*addresses: str, asked: list[str] | None = None) -> door.Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return addresses

    return resolve


@asynccontextmanager
async def fetching(
    *, resolve: door.Resolve | None = None, issuer: str = ISSUER, **rules: Any
) -> AsyncIterator[Fetch]:
    fetch = Fetch(FetchRules(**rules), issuer=issuer, resolve=resolve)
    try:
        yield fetch
    finally:
        fetch.close()


async def get_local(
    authority: Authority, answer: Answer | bytes, path: str = "/client.json", **rules: Any
) -> Fetched | FetchFailed:
    async with (
        listening(authority.server("docs.example"), answer) as listener,
        fetching(
            resolve=resolving("127.0.0.1"),
            ca_file=authority.file,
            loopback_hosts=frozenset({f"docs.example:{listener.port}"}),
            **rules,
        ) as fetch,
    ):
        return await fetch.get(f"https://docs.example:{listener.port}{path}")


def failed(found: Fetched | FetchFailed, reason: Reason) -> None:
    assert isinstance(found, FetchFailed), found
    assert found.reason is reason, found


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
