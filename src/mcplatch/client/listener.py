"""Waits on the loopback interface for the browser to come back (RFC 8252 sections 7.3 and 8.3,
CL-36).

One path, one valid answer, then it is gone. What does not belong to this sign-in is answered and
ignored.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
from base64 import b64encode
from contextlib import suppress
from urllib.parse import parse_qs

import anyio
from anyio.abc import Listener as SocketListener
from anyio.abc import SocketAttribute, SocketStream

from mcplatch.client.errors import Unreachable

MOST_HEAD_BYTES = 16 * 1024
SECONDS_FOR_A_REQUEST = 5.0
MOST_AT_ONCE = 16

_ADDRESSES = {"127.0.0.1": ("127.0.0.1",), "::1": ("::1",), "localhost": ("127.0.0.1", "::1")}

_STYLE = (
    ":root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;"
    "margin:20vh auto 0;padding:0 1rem}h1{font-size:1.5rem}"
)
_CSP = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES = {
    "received": (200, "You can close this window", "The program that opened it has the answer."),
    "refused": (
        200,
        "Not signed in",
        "The sign-in was not completed. The program that opened this window says why.",
    ),
    "stray": (
        400,
        "This page is out of date",
        "It belongs to another sign-in. Start again from the program.",
    ),
    "missing": (404, "Nothing here", "This address only waits for one sign-in."),
    "method": (405, "Not like this", "This address only waits for a browser to come back."),
    "host": (421, "Nothing here", "This address is not known by that name."),
}


class Listener:
    """A listening socket and the redirect URI that leads to it.

    host is "127.0.0.1", "::1" or "localhost", and what the redirect URI says; `localhost` listens
    on both addresses, because browsers differ in which one they try. Nothing else is ever bound.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, path: str = "/callback") -> None:
        self.host = host
        self.path = path
        self.port = port
        self._sockets: list[SocketListener[SocketStream]] = []
        self._answer: str | None = None
        self._answered = anyio.Event()
        self._busy = anyio.Semaphore(MOST_AT_ONCE)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI, once open."""
        return f"http://{self._authority()}{self.path}"

    async def open(self) -> None:
        """Binds. Raises `Unreachable` when the port is taken."""
        wanted = self.port
        for last in (False, False, True):
            try:
                for address in _ADDRESSES[self.host]:
                    await self._bind(address)
                return
            except OSError as taken:
                await self.close()
                if wanted or last:
                    raise Unreachable(
                        f"Port {self.port} of this machine is taken.",
                        next_step="Pass another --callback-port, or none to take any free one.",
                    ) from taken
                self.port = 0

    async def wait(self, state: str) -> str:
        """The URL the browser came back to for the request with `state`; then stops listening."""
        async with anyio.create_task_group() as tasks:
            for socket in self._sockets:
                tasks.start_soon(self._serve, socket, state)
            await self._answered.wait()
            # The page goes out before the door shuts.
            await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        await self.close()
        return str(self._answer)

    async def close(self) -> None:
        """Stops listening; harmless when it has already."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            await socket.aclose()

    async def _bind(self, address: str) -> None:
        try:
            socket = await anyio.create_tcp_listener(local_host=address, local_port=self.port)
        except OSError as trouble:
            # A machine without IPv6 still has a localhost. A port that somebody else holds there
            # would be theirs to answer.
            if address == "::1" and self._sockets and trouble.errno != errno.EADDRINUSE:
                return
            raise
        self._sockets += socket.listeners
        self.port = socket.listeners[0].extra(SocketAttribute.local_port)

    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def _serve(self, socket: SocketListener[SocketStream], state: str) -> None:
        async def connection(stream: SocketStream) -> None:
            async with stream, self._busy:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError, TimeoutError):
                    with anyio.fail_after(SECONDS_FOR_A_REQUEST):
                        await self._converse(stream, state)

        await socket.serve(connection)

    async def _converse(self, stream: SocketStream, state: str) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive(4096)
            if len(head) > MOST_HEAD_BYTES:
                return
        page, target = self._judge(head, state)
        await stream.send(_response(page))
        if page in ("received", "refused") and self._answer is None:
            self._answer = f"http://{self._authority()}{target}"
            self._answered.set()

    def _judge(self, head: bytes, state: str) -> tuple[str, str]:
        """Which page a request gets, and its target."""
        lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target = rest.rpartition(" ")[0]
        hosts = [
            line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:")
        ]
        if [host.lower() for host in hosts] != [self._authority().lower()]:
            return "host", target
        path, _, text = target.partition("?")
        if path != self.path:
            return "missing", target
        if method != "GET":
            return "method", target
        query = parse_qs(text, keep_blank_values=True)
        if not hmac.compare_digest(query.get("state", [""])[0].encode(), state.encode()):
            return "stray", target
        return ("refused" if "error" in query else "received"), target


def _response(page: str) -> bytes:
    status, title, text = _PAGES[page]
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<main><h1>{title}</h1><p>{text}</p></main></html>"
    ).encode()
    head = (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Content-Security-Policy: {_CSP}\r\n"
        "Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
