"""The person of the story when it plays itself: mistypes the password once, signs in, allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from mcplatch.client.listener import Listener
from mcplatch.client.talk import Visit
from mcplatch.demo.account import Account
from mcplatch.demo.browser import Browser, NotShown, Screen
from mcplatch.demo.page import Form

ACCOUNT_PATH = "/account"
WRONG = "certainly not the password"


class ScriptedPerson:
    """A `Person` for the client's flows (client/drive.py), with a browser window of its own.

    `expects` is called with what a page must show and whether it did.
    """

    def __init__(self, account: Account, expects: Callable[[str, bool], None]) -> None:
        self._account = account
        self._expects = expects
        self._browser = Browser()
        self._listener: Listener | None = None

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Always there."""

    async def listen(self, preferred: str | None) -> str:
        """The redirect URI that the browser will come back to, the preferred one if it is free."""
        if self._listener is None:
            self._listener = Listener(port=urlsplit(preferred or "").port or 0)
            await self._listener.open()
        return self._listener.redirect_uri

    async def visit(self, visit: Visit) -> str:
        """Sign in if a password is asked, tick everything, allow; NotShown if a page lacks that."""
        assert self._listener is not None
        # The client answers the browser only while it waits for it.
        browsing = asyncio.create_task(self._allow(visit))
        waiting = asyncio.create_task(self._listener.wait(visit.state))
        try:
            await browsing
            return await waiting
        finally:
            browsing.cancel()
            waiting.cancel()

    async def close(self) -> None:
        """Stops listening; the browser window stays open, signed in."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def take_back(self, issuer: str) -> None:
        """Disconnect every app on the page of connected apps; NotShown when that fails."""
        screen = await self._browser.open(issuer + ACCOUNT_PATH)
        while True:
            buttons = [form for form in screen.page.forms if form.button("^disconnect")]
            if not buttons:
                return
            screen = await self._browser.send(screen, buttons[0], "^disconnect")
            if screen.status >= 400:
                raise NotShown(f"{screen.url} answered {screen.status}: {screen.page.text[:200]}")

    async def leave(self) -> None:
        """Closes the browser."""
        await self._browser.__aexit__(None, None, None)

    async def _allow(self, visit: Visit) -> None:
        screen = await self._browser.open(visit.url)
        if any(form.asks_password for form in screen.page.forms):
            screen = await self._signed_in(screen)
        consent = screen.form(lambda form: form.button("^allow"), "a question to allow or deny")
        self._expects("the consent page names the MCP server", visit.server_url in screen.page.text)
        screen = await self._browser.send(screen, consent, "^allow", ticks=visit.scope)
        self._expects("the browser came back to the client", screen.status == 200)

    async def _signed_in(self, screen: Screen) -> Screen:
        typed = {"username": self._account.username, "password": WRONG}
        screen = await self._browser.send(screen, _asking(screen), "sign in", typed)
        self._expects("a wrong password is told on the page", "password" in screen.page.text)
        typed["password"] = self._account.password
        return await self._browser.send(screen, _asking(screen), "sign in", typed)


def _asking(screen: Screen) -> Form:
    return screen.form(lambda form: form.asks_password, "a form that asks for the password")
