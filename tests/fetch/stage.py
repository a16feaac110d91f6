"""A certificate authority and TLS servers on loopback that play the other side of a fetch."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcplatch import fetch as door
from mcplatch.fetch import Fetch, Fetched, FetchFailed, FetchRules
from mcplatch.protocol.refusal import Reason

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
