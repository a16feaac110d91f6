"""The one door for addresses that a stranger chose: no redirects, no private network, no waiting.

Obeys the client-ID-document draft sections 6.5 and 6.6. A name is resolved once, every answer has
to be public, and the connection goes to the very address that was checked, with the certificate
verified for the name. Checked means before connecting: otherwise we would scan ports for strangers.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from mcplatch.protocol.public_address import is_loopback_address, is_public
from mcplatch.protocol.raw_uri import RawUri, address_in, read_uri
from mcplatch.protocol.redirect_uri import is_loopback
from mcplatch.protocol.refusal import Reason

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_SENTENCE = "The client's metadata document could not be fetched."
_CIMD = "CIMD 4"

FETCH_URL_REFUSED = Reason("fetch-url-refused", "invalid_client", _SENTENCE, _CIMD)
FETCH_ADDRESS_REFUSED = Reason("fetch-address-refused", "invalid_client", _SENTENCE, "CIMD 6.5")
FETCH_NAME_UNKNOWN = Reason("fetch-name-unknown", "invalid_client", _SENTENCE, _CIMD)
FETCH_CERTIFICATE = Reason("fetch-certificate", "invalid_client", _SENTENCE, _CIMD)
FETCH_BROKEN = Reason("fetch-broken", "invalid_client", _SENTENCE, _CIMD)
FETCH_TOO_LARGE = Reason("fetch-too-large", "invalid_client", _SENTENCE, "CIMD 6.6")
FETCH_TOO_SLOW = Reason("fetch-too-slow", "invalid_client", _SENTENCE, _CIMD)
FETCH_TOO_OFTEN = Reason("fetch-too-often", "temporarily_unavailable", _SENTENCE, "CIMD 4.4", 503)

MOST_ADDRESSES = 3
MOST_REMEMBERED = 2048
LOCAL_NAMES = (".local", ".internal", ".localhost", ".lan", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whatever its status; header names in lower case. Redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why there is no answer. `host` may be shown to people; `detail` is for the log."""

    reason: Reason
    host: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What may be fetched, and what it may cost.

    `total_seconds` is for everything from the look-up to the last byte. `loopback_hosts` are
    `host:port` pairs allowed to live on this machine; `ca_file` is trusted beside the public
    authorities. With `proxy` (`http://host:port`) every fetch but those goes through that proxy,
    which then resolves names and decides what may be reached; only configuration turns it on.
    One URL is fetched at most `burst` times in a row and then once every `refill_seconds`.
    `at_once` fetches for strangers run side by side, and `known_at_once` for clients that people
    use already: a flood of the first does not keep out the second.
    """

    body_bytes: int = 5 * 1024
    total_seconds: float = 5.0
    connect_seconds: float = 2.0
    at_once: int = 32
    known_at_once: int = 8
    burst: int = 20
    refill_seconds: float = 3.0
    loopback_hosts: frozenset[str] = frozenset()
    ca_file: Path | None = None
    proxy: str | None = None


class _Lane:
    """Places for fetches that run side by side, and threads for their look-ups.

    Threads of its own: a stranger's slow name server must use up neither those that hash passwords
    nor those of clients that people use already.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self.threads = ThreadPoolExecutor(places, "fetch-resolve")

    def is_full(self) -> bool:
        return self.taken >= self.places

    @contextmanager
    def place(self) -> Iterator[None]:
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def ask_system(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self.threads, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM
        )
        return [str(entry[4][0]) for entry in found]


class Fetch:
    """The open door; `get` never raises for anything the other side does. Close it with `close`."""

    def __init__(self, rules: FetchRules, *, issuer: str, resolve: Resolve | None = None) -> None:
        """Raises ValueError if hosts on loopback are allowed but `issuer` is not there itself."""
        if rules.loopback_hosts and not is_loopback(issuer):
            raise ValueError("hosts on loopback are only allowed for an issuer on loopback")
        self._rules = rules
        self._resolve = resolve
        self._strangers = _Lane(rules.at_once)
        self._known = _Lane(rules.known_at_once)
        # Made at the first fetch: reading every authority there is takes longer than all the rest.
        self._tls: ssl.SSLContext | None = None
        if rules.ca_file is not None:
            self._trusted()
        self._settled_at: OrderedDict[str, float] = OrderedDict()
        self._fresh_until: OrderedDict[str, float] = OrderedDict()

    def _trusted(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx2.create_ssl_context(trust_env=False)
            if self._rules.ca_file is not None:
                self._tls.load_verify_locations(cafile=self._rules.ca_file)
        return self._tls

    def close(self) -> None:
        """Stops waiting for look-ups still under way."""
        for lane in (self._strangers, self._known):
            lane.threads.shutdown(wait=False, cancel_futures=True)

    async def get(
        self, url: str, *, accept: str = "application/json", known: bool = False
    ) -> Fetched | FetchFailed:
        """The answer to one GET of `url`, or why there is none. The content type is not checked.

        `known` is for a URL that somebody relies on already (see `FetchRules`).
        """
        lane = self._known if known else self._strangers
        uri = read_uri(url)
        if uri is None or uri.scheme != "https":
            return FetchFailed(FETCH_URL_REFUSED, "" if uri is None else uri.host)
        if lane.is_full() or self._is_too_often(url):
            return FetchFailed(FETCH_TOO_OFTEN, uri.host)
        try:
            with lane.place():
                async with asyncio.timeout(self._rules.total_seconds):
                    return await self._get(uri, accept, lane)
        except TimeoutError:
            return FetchFailed(FETCH_TOO_SLOW, uri.host)

    def is_fresh(self, url: str) -> bool:
        """Whether what `url` last answered may still be used without asking (see `keep_fresh`)."""
        return self._fresh_until.get(url, 0.0) > asyncio.get_running_loop().time()

    def keep_fresh(self, url: str, seconds: int) -> None:
        """Notes that the caller took the answer of `url` and may use it for `seconds`.

        Only for good answers: one that was refused is asked for again the next time.
        """
        self._fresh_until.pop(url, None)
        if seconds > 0:
            _remember(self._fresh_until, url, asyncio.get_running_loop().time() + seconds)

    async def _get(self, uri: RawUri, accept: str, lane: _Lane) -> Fetched | FetchFailed:
        local = f"{uri.host}:{uri.port}" in self._rules.loopback_hosts
        if self._rules.proxy is not None and not local:
            if not _is_name_of_the_internet(uri.host):
                return FetchFailed(FETCH_ADDRESS_REFUSED, uri.host)
            return await self._ask(uri, uri.host, accept, self._rules.proxy)
        addresses = await self._addresses(uri, lane)
        if not addresses:
            return FetchFailed(FETCH_NAME_UNKNOWN, uri.host)
        allowed = is_loopback_address if local else is_public
        if not all(allowed(address) for address in addresses):
            return FetchFailed(FETCH_ADDRESS_REFUSED, uri.host, " ".join(addresses)[:200])
        found: Fetched | FetchFailed = FetchFailed(FETCH_BROKEN, uri.host)
        for address in addresses[:MOST_ADDRESSES]:
            found = await self._ask(uri, address, accept, None)
            if not isinstance(found, FetchFailed) or found.reason is not FETCH_BROKEN:
                break
        return found

    async def _addresses(self, uri: RawUri, lane: _Lane) -> Sequence[str]:
        literal = address_in(uri.host)
        if literal is not None:
            return [str(literal)]
        try:
            resolve = self._resolve or lane.ask_system
            return list(dict.fromkeys(await resolve(uri.host, uri.port)))
        except (OSError, UnicodeError):
            return []

    async def _ask(
        self, uri: RawUri, address: str, accept: str, proxy: str | None
    ) -> Fetched | FetchFailed:
        opened: list[Any] = []

        async def note(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                opened.append(info["return_value"])

        request = httpx2.Request(
            "GET",
            f"https://{f'[{address}]' if ':' in address else address}:{uri.port}/",
            headers=_headers(uri, accept),
            extensions={
                "sni_hostname": uri.host.strip("[]"),
                "target": uri.target.encode("ascii"),
                "timeout": {"connect": self._rules.connect_seconds},
                "trace": note,
            },
        )
        try:
            async with httpx2.AsyncHTTPTransport(
                verify=self._trusted(), trust_env=False, proxy=proxy
            ) as transport:
                response = await transport.handle_async_request(request)
                return await self._read(uri, response)
        except (httpx2.TransportError, OSError) as error:
            reason = FETCH_CERTIFICATE if _is_about_certificate(error) else FETCH_BROKEN
            return FetchFailed(reason, uri.host, type(error).__name__)
        finally:
            # A deadline that strikes in the TLS handshake would otherwise leave the socket open.
            for stream in opened:
                await stream.aclose()

    async def _read(self, uri: RawUri, response: httpx2.Response) -> Fetched | FetchFailed:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = bytearray()
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > self._rules.body_bytes:
                    return FetchFailed(FETCH_TOO_LARGE, uri.host)
        finally:
            await response.aclose()
        return Fetched(response.status_code, headers, bytes(body))

    def _is_too_often(self, url: str) -> bool:
        now = asyncio.get_running_loop().time()
        settled = max(self._settled_at.pop(url, now), now)
        often = settled - now > (self._rules.burst - 1) * self._rules.refill_seconds
        refilled = settled if often else settled + self._rules.refill_seconds
        _remember(self._settled_at, url, refilled)
        return often


def _remember(memory: OrderedDict[str, float], url: str, until: float) -> None:
    memory[url] = until
    if len(memory) > MOST_REMEMBERED:
        memory.popitem(last=False)


def _headers(uri: RawUri, accept: str) -> dict[str, str]:
    return {
        "Host": uri.host if uri.port == 443 else f"{uri.host}:{uri.port}",
        "Accept": accept,
        "Accept-Encoding": "identity",
        "User-Agent": "mcplatch",
        "Connection": "close",
    }


def _is_name_of_the_internet(host: str) -> bool:
    literal = address_in(host)
    if literal is not None:
        return is_public(str(literal))
    return "." in host and not host.endswith(LOCAL_NAMES)


def _is_about_certificate(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
