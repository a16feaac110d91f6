"""The person at the client: shown where they are being sent, then waited for (CL-36 to CL-39)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio

from mcplatch.client import browser, surroundings
from mcplatch.client.errors import SignInNeeded, Unreachable, sign_in_command
from mcplatch.client.listener import Listener
from mcplatch.client.talk import Visit
from mcplatch.client.terminal import plain

WAIT_SECONDS = 300.0

Say = Callable[[str], None]


class LoopbackPerson:
    """A browser on this machine, or a terminal to paste into.

    host, port, path: of the redirect URI; port 0 takes any free one (CL-37).
    open_browser: False prints the address instead and takes the pasted answer (CL-38).
    say: shows a line to the person; on the error stream by default, so that results stay clean.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/callback",
        open_browser: bool = True,
        seconds: float = WAIT_SECONDS,
        say: Say | None = None,
    ) -> None:
        self._host, self._port, self._path = host, port, path
        self._open_browser = open_browser
        self._seconds = seconds
        self._say = say or _say_on_stderr
        self._listener: Listener | None = None

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Raises `SignInNeeded` at once when there is neither a terminal nor a $BROWSER to turn
        to.
        """
        if surroundings.has_terminal():
            return
        if not self._open_browser or surroundings.browser_command() is None:
            raise _nobody_here(server_url, scope)

    async def listen(self, preferred: str | None) -> str:
        """Opens the listener, on the port of `preferred` when it can."""
        if self._listener is None:
            self._listener = await self._listener_near(preferred)
        return self._listener.redirect_uri

    async def visit(self, visit: Visit) -> str:
        """Says where this goes, opens it, waits. Raises `SignInNeeded` when nobody comes back."""
        self._announce(visit)
        opened = self._open_browser and browser.can_open() and await browser.open_page(visit.url)
        terminal = surroundings.has_terminal()
        if not opened and not terminal:
            raise _nobody_here(visit.server_url, visit.scope)
        if terminal:
            first = "If no browser opens, open" if opened else "Open"
            self._say(f"{first} this address:\n\n{visit.url}\n")
        try:
            return await self._wait(visit, paste=terminal)
        finally:
            # One listener, one answer: a flow that asks again gets another.
            await self.close()

    async def close(self) -> None:
        """Stops listening."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def _listener_near(self, preferred: str | None) -> Listener:
        wanted = self._port or self._port_of(preferred)
        listener = Listener(host=self._host, port=wanted, path=self._path)
        try:
            await listener.open()
        except Unreachable:
            if self._port:
                raise
            listener = Listener(host=self._host, path=self._path)
            await listener.open()
        return listener

    def _port_of(self, preferred: str | None) -> int:
        parts = urlsplit(preferred or "")
        same = parts.hostname == self._host and parts.path == self._path
        return (parts.port or 0) if same else 0

    def _announce(self, visit: Visit) -> None:
        self._say(f"Server   {plain(visit.server_url)}")
        self._say(f"Sign-in  {plain(visit.issuer)}{' (' + visit.note + ')' if visit.note else ''}")
        self._say(f"Asking   {plain(', '.join(visit.scope)) or 'what the server gives by default'}")

    async def _wait(self, visit: Visit, *, paste: bool) -> str:
        answers: list[str] = []
        listener = self._listener
        assert listener is not None

        async with anyio.create_task_group() as tasks:

            async def from_browser() -> None:
                answers.append(await listener.wait(visit.state))
                tasks.cancel_scope.cancel()

            async def from_terminal() -> None:
                answers.append(await self._pasted(listener.redirect_uri))
                tasks.cancel_scope.cancel()

            tasks.start_soon(from_browser)
            if paste:
                tasks.start_soon(from_terminal)
            with anyio.move_on_after(self._seconds):
                await anyio.sleep_forever()
            tasks.cancel_scope.cancel()
        if not answers:
            raise SignInNeeded(
                f"Nobody came back from the browser within {self._seconds:.0f} seconds.",
                next_step=f"Try again: {sign_in_command(visit.server_url)} --no-browser",
            )
        return answers[0]

    async def _pasted(self, redirect_uri: str) -> str:
        self._say("If that browser is on another machine, paste the address it ends up at here:")
        while True:
            line = (await _read_line()).strip()
            if line.startswith((redirect_uri, "?")):
                return line
            if line:
                self._say(f"That is not it: it begins with {redirect_uri}?")


async def _read_line() -> str:
    if sys.platform != "win32":
        # Waiting for the descriptor can be given up; a thread in read() would eat the next line
        # typed.
        await anyio.wait_readable(sys.stdin.fileno())
        line = sys.stdin.readline()
    else:
        line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    if not line:
        await anyio.sleep_forever()
    return line


def _nobody_here(server_url: str, scope: tuple[str, ...]) -> SignInNeeded:
    return SignInNeeded(
        "Signing in takes a browser or a terminal, and there is neither here.",
        next_step=f"Run this in a terminal: {sign_in_command(server_url, scope)} --no-browser",
        scope=scope,
    )


def _say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
