"""A browser without scripts, played by a program: cookies, redirects, forms, meta refresh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import httpx2

from mcplatch.demo.page import Form, Page, read_page

MAX_HOPS = 12
TIMEOUT_SECONDS = 15.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotShown(Exception):
    """The page does not have what the story needs; the message says what was there instead."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What the browser shows: the last address, its status, and the page with its forms."""

    url: str
    status: int
    page: Page

    def form(self, wanted: Callable[[Form], object], what: str) -> Form:
        """The first form that is `wanted`; NotShown when there is none."""
        for form in self.page.forms:
            if wanted(form):
                return form
        words = self.page.text[:200]
        raise NotShown(f"{what} was expected at {self.url} ({self.status}), which says: {words}")


class Browser:
    """One person's browser window, cookies included; to be used with `async with`."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def open(self, url: str) -> Screen:
        """Go to `url` and on, as far as redirects and meta refreshes lead."""
        return await self._shown("GET", url, [], "")

    async def send(
        self,
        screen: Screen,
        form: Form,
        press: str,
        typed: Mapping[str, str] | None = None,
        ticks: Collection[str] = (),
    ) -> Screen:
        """Type, tick boxes by value, press the button that matches `press`, follow where it leads.

        Raises NotShown when the form has no such button, or redirects do not end.
        """
        button = form.button(press)
        if button is None:
            labels = ", ".join(one.label or one.value for one in form.controls if one.label)
            raise NotShown(f"no button “{press}” at {screen.url}, only: {labels}")
        fields = form.sent(typed or {}, button, ticks)
        return await self._shown(form.method, urljoin(screen.url, form.action), fields, screen.url)

    async def _shown(
        self, method: str, url: str, fields: list[tuple[str, str]], referrer: str
    ) -> Screen:
        answer = await self._asked(method, url, fields, referrer)
        for _ in range(MAX_HOPS):
            if answer.status_code in _REDIRECTS and "location" in answer.headers:
                following = urljoin(url, answer.headers["location"])
            else:
                page = read_page(answer.text)
                if not page.refresh:
                    return Screen(url, answer.status_code, page)
                following = urljoin(url, page.refresh)
            url = following
            answer = await self._asked("GET", url, [], "")
        raise NotShown(f"more than {MAX_HOPS} redirects, the last to {url}")

    async def _asked(
        self, method: str, url: str, fields: list[tuple[str, str]], referrer: str
    ) -> httpx2.Response:
        if method.lower() != "post":
            return await self._client.get(
                f"{url.split('?')[0]}?{urlencode(fields)}" if fields else url
            )
        parts = urlsplit(referrer)
        origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        headers = {"origin": origin, "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
        form: dict[str, list[str]] = {}
        for name, value in fields:
            form.setdefault(name, []).append(value)
        return await self._client.post(url, data=form, headers=headers)
