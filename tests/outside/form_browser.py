"""A browser that plays the person: signs in, consents, delivers the redirect (RFC 6749 4.1)."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from http.cookiejar import DefaultCookiePolicy, LWPCookieJar
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from tests.outside.html_forms import (
    Control,
    Form,
    Reader,
    has_password,
    sent_as_shown,
    signed_in_with,
    wanted_button,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
STEPS = 25
SECONDS_A_REQUEST = 20.0
SECONDS_FOR_LISTENER = 15.0


@dataclass(frozen=True, slots=True)
class Person:
    """Who sits before the browser; `tick` is "as shown", "all", "none", or values and commas."""

    username: str = ""
    password: str = ""
    wrong_first: str = ""
    deny: bool = False
    tick: str = "as shown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the walk ended: `redirect` is what the client would be given, "" when it got stuck."""

    redirect: str
    steps: tuple[str, ...]
    text: str = ""

    def answer(self) -> dict[str, str]:
        """Give the parameters of the authorization response, all single (RFC 6749 4.1.2)."""
        pairs = parse_qs(urlsplit(self.redirect).query, keep_blank_values=True)
        repeated = [name for name, values in pairs.items() if len(values) > 1]
        assert not repeated, f"repeated in the redirect: {repeated}"
        return {name: values[0] for name, values in pairs.items()}


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    headers: Mapping[str, str]
    body: str


class Stay(HTTPRedirectHandler):
    """Leaves every redirect to the walk, which has to see each of them."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Browser:
    """One cookie jar; kept in the file `jar` between runs where given, as people's browsers do."""

    def __init__(self, jar: Path | None = None) -> None:
        # Browsers send Secure cookies over plain http to loopback; cookielib has to be told.
        self.jar = LWPCookieJar(jar, policy=DefaultCookiePolicy(secure_protocols=("http", "https")))
        if jar is not None and jar.exists():
            self.jar.load(ignore_discard=True)
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar), Stay())
        self._keep = jar is not None

    def fetch(self, url: str, form: list[tuple[str, str]] | None = None, origin: str = "") -> Page:
        """Send one request as a browser would and answer with the page, whatever its status."""
        headers = {
            "accept": "text/html,*/*;q=0.8",
            "user-agent": "form-browser",
            "accept-language": "en",
        }
        data = None if form is None else urlencode(form).encode()
        if origin:
            headers |= {
                "origin": origin,
                "sec-fetch-site": "same-origin",
                "sec-fetch-mode": "navigate",
            }
        request = Request(url, data=data, headers=headers)
        try:
            with self._opener.open(request, timeout=SECONDS_A_REQUEST) as answer:
                status, sent, body = answer.status, answer.headers, answer.read()
        except HTTPError as answer:
            with answer:
                status, sent, body = answer.code, answer.headers, answer.read()
        if self._keep:
            self.jar.save(ignore_discard=True)
        lower = {name.lower(): value for name, value in sent.items()}
        return Page(url, status, lower, body.decode("utf-8", "replace"))


def read_page(page: Page) -> Reader:
    reader = Reader()
    if "html" in page.headers.get("content-type", ""):
        reader.feed(page.body)
        reader.close()
    return reader


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_delivery(target: str, start: str) -> bool:
    """Tell whether `target` is the redirect URI: as asked for, or elsewhere and with an answer."""
    asked = parse_qs(urlsplit(start).query).get("redirect_uri", [""])[0]
    if asked and target.split("?")[0] == asked.split("?")[0]:
        return True
    answered = parse_qs(urlsplit(target).query).keys() & {"code", "error"}
    return bool(answered) and origin_of(target) != origin_of(start)


def next_address(page: Page, reader: Reader) -> str:
    """Give where the page sends the browser by itself, "" when it waits for a person."""
    if 300 <= page.status < 400 and "location" in page.headers:
        return urljoin(page.url, page.headers["location"])
    return urljoin(page.url, reader.refresh) if reader.refresh else ""


def submit(
    browser: Browser, page: Page, form: Form, button: Control | None, pairs: list[tuple[str, str]]
) -> Page:
    action = form.action if button is None or button.action is None else button.action
    target = urljoin(page.url, action) if action else page.url
    if button is not None and button.name:
        pairs = [*pairs, (button.name, button.value)]
    if form.method == "post":
        return browser.fetch(target, pairs, origin_of(page.url))
    return browser.fetch(target.split("?")[0] + "?" + urlencode(pairs))


@dataclass(slots=True)
class Walk:
    """One visit: what was asked for, what has been tried, what was seen."""

    browser: Browser
    person: Person
    start: str
    passwords: list[str]
    steps: list[str]

    def answer(self, page: Page, reader: Reader) -> Page | None:
        """Do what the person does with this page; None when there is nothing a person could do."""
        sign_in = next((form for form in reader.forms if has_password(form)), None)
        if sign_in is not None:
            if not self.passwords:
                return None
            button = next((c for c in sign_in.controls if c.kind == "submit"), None)
            pairs = signed_in_with(sign_in, self.person.username, self.passwords.pop(0))
            self.steps.append(f"sign in at {page.url.split('?')[0]}")
            return submit(self.browser, page, sign_in, button, pairs)
        for form in reader.forms:
            button = wanted_button(form, deny=self.person.deny)
            if button is not None:
                pairs = list(sent_as_shown(form, self.person.tick))
                self.steps.append(
                    f"press {' '.join(button.label.split())!r} at {page.url.split('?')[0]}"
                )
                return submit(self.browser, page, form, button, pairs)
        return None


def visit(start: str, person: Person, browser: Browser | None = None) -> Outcome:
    """Walk from the authorization URL to the redirect URI, which is not fetched (RFC 6749 4.1)."""
    passwords = [p for p in (person.wrong_first, person.password) if p]
    walk = Walk(browser or Browser(), person, start, passwords, [])
    page: Page | None = walk.browser.fetch(start)
    text = ""
    for _ in range(STEPS):
        if page is None:
            break
        walk.steps.append(f"{page.status} {page.url.split('?')[0]}")
        reader = read_page(page)
        text = " | ".join(reader.text) or page.body[:500]
        target = next_address(page, reader)
        if target and is_delivery(target, start):
            return Outcome(target, tuple(walk.steps), text)
        page = walk.browser.fetch(target) if target else walk.answer(page, reader)
    return Outcome("", tuple(walk.steps), text)


def deliver(redirect: str) -> int:
    """Give the redirect to the client's listener on loopback, waiting while it comes up."""
    if urlsplit(redirect).hostname not in LOOPBACK:
        raise ValueError("a redirect is only delivered on loopback")
    deadline = time.monotonic() + SECONDS_FOR_LISTENER
    while True:
        try:
            return Browser().fetch(redirect).status
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def person_from(environ: Mapping[str, str]) -> Person:
    return Person(
        username=environ.get("FORM_BROWSER_USERNAME", ""),
        password=environ.get("FORM_BROWSER_PASSWORD", ""),
        wrong_first=environ.get("FORM_BROWSER_WRONG_FIRST", ""),
        deny=environ.get("FORM_BROWSER_DENY", "") == "1",
        tick=environ.get("FORM_BROWSER_TICK", "as shown"),
    )


def write_down(entry: dict[str, object]) -> None:
    line = json.dumps(entry)
    log = os.environ.get("FORM_BROWSER_LOG")
    if log is None:
        print(line)
        return
    with open(log, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def browse(url: str, *, hand_over: bool) -> int:
    jar = os.environ.get("FORM_BROWSER_JAR")
    try:
        outcome = visit(url, person_from(os.environ), Browser(Path(jar) if jar else None))
        status = deliver(outcome.redirect) if outcome.redirect and hand_over else 0
    except (OSError, ValueError) as trouble:
        write_down({"url": url, "trouble": repr(trouble)})
        return 1
    seen = {"url": url, "steps": outcome.steps, "redirect": outcome.redirect, "listener": status}
    write_down(seen if outcome.redirect else {**seen, "stuck": outcome.text[:2000]})
    return 0 if outcome.redirect else 1


def main() -> int:
    """Act as `$BROWSER`: return at once and walk in the background, unless told `--wait`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument(
        "--wait", action="store_true", help="walk in the foreground; exit 1 when stuck"
    )
    parser.add_argument("--keep", action="store_true", help="do not deliver the redirect")
    given = parser.parse_args()
    # Some clients wait for the program they start before they listen for its answer.
    if not given.wait and os.fork() > 0:
        return 0
    if not given.wait:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
    return browse(given.url, hand_over=not given.keep)


if __name__ == "__main__":
    sys.exit(main())
