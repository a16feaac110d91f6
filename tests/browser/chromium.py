"""Starts the machine's Chromium and shows it pages of the gallery without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Route, sync_playwright

from mcplatch.web.render import page, static_file
from tests.browser.gallery import GALLERY, SITE

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ORIGIN = f"https://{SITE.host}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


def show_gallery(context: BrowserContext) -> None:
    """Answer `https://auth.example.com/<name of a page>` from the gallery; nothing else exists."""
    context.route("**/*", _answer)


def _answer(route: Route) -> None:
    path, _, query = route.request.url.removeprefix(ORIGIN).partition("?")
    view = GALLERY.get(path.removeprefix("/"))
    served = static_file(path.removeprefix("/static/"))
    if view is not None:
        served = page(view, SITE, https=True)
    if served is None:
        route.fulfill(status=404, body="")
        return
    body = bytes(served.body)
    if query == "still":
        body = body.replace(b'content="0;url=', b'content="99999;url=')
    route.fulfill(status=200, headers=dict(served.headers.items()), body=body)
