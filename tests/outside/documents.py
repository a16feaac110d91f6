"""Client metadata documents on a loopback HTTPS site with its own authority, good ones and hostile ones."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Served:
    """What the site answers at one path."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    location: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """The running site: its origin, the authority to trust, and what it was asked for."""

    origin: str
    authority: Path
    asked: list[str]

    @property
    def host(self) -> str:
        return self.origin.removeprefix("https://")


def document(url: str, **changes: Any) -> dict[str, Any]:
    """A document as the command line clients of today publish it: loopback without a port."""
    common = {
        "client_id": url,
        "client_name": "Documented",
        "client_uri": url.rpartition("/")[0],
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    return {**common, **changes}


def pages_of(origin: str) -> dict[str, Served]:
    """Name what is served where; all but `good` and `script` must be refused."""

    def at(name: str, **changes: Any) -> Served:
        return Served(json.dumps(document(f"{origin}/{name}", **changes)).encode())

    good = document(f"{origin}/good")
    return {
        "good": at("good"),
        "script": at("script", client_name="<script>alert(1)</script>"),
        "another-id": at("another-id", client_id=f"{origin}/good"),
        "secret": at("secret", client_secret="s3cr3t", token_endpoint_auth_method="none"),
        "symmetric": at("symmetric", token_endpoint_auth_method="client_secret_basic"),
        "no-redirects": at("no-redirects", redirect_uris=[]),
        "html": Served(b"<!doctype html><p>not a document", content_type="text/html"),
        "broken": Served(b'{"client_id": '),
        "big": Served(json.dumps({**good, "padding": "x" * 6_000_000}).encode()),
        "gone": Served(b"{}", status=404),
        "moved": Served(b"", status=302, location=f"{origin}/good"),
    }


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Serve the documents on a free port of loopback."""
    authority = folder / "authority.pem"
    chain = folder / "site.pem"
    make_certificates(authority, chain)
    asked: list[str] = []
    pages: dict[str, Served] = {}

    class Answers(BaseHTTPRequestHandler):
        """Gives the page of the path, or 404."""

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            asked.append(self.path)
            page = pages.get(self.path.strip("/"), Served(b"{}", 404))
            self.send_response(page.status)
            self.send_header("content-type", page.content_type)
            self.send_header("content-length", str(len(page.body)))
            if page.location:
                self.send_header("location", page.location)
            self.end_headers()
            self.wfile.write(page.body)

    class Quiet(ThreadingHTTPServer):
        """Says nothing of clients that hang up in the middle of six megabytes."""

        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return

    with Quiet(("127.0.0.1", 0), Answers) as server:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        origin = f"https://localhost:{server.server_port}"
        pages |= pages_of(origin)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Site(origin, authority, asked)
        server.shutdown()


def make_certificates(authority: Path, chain: Path) -> None:
    """Write an authority, and a key and certificate for localhost that it signed."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("outside authority", root_key.public_key(), "outside authority", root_key)
    leaf = certificate("localhost", key.public_key(), "outside authority", root_key)
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    written = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain.write_bytes(written + leaf.public_bytes(serialization.Encoding.PEM))


def certificate(
    subject: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    is_authority = subject == issuer
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
