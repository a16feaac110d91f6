"""A small HTTP/1.1 client on kept connections: cheap enough not to be what is measured."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

from mcplatch.demo.page import Page, read_page


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; header names in lower case, `set-cookie` apart."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes


@dataclass(slots=True, eq=False)
class Line:
    """One connection to a loopback port, with the cookies of the person who uses it."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"host: localhost:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if self.cookies:
            lines.append("cookie: " + "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        if body or method == "POST":
            lines.append(f"content-length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        answer = await _answer(reader)
        if answer.headers.get("connection", "").lower() == "close":
            await self.close()
        self._remember(answer.cookies)
        return answer

    async def post_form(
        self, path: str, fields: list[tuple[str, str]], headers: dict[str, str] | None = None
    ) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, urlencode(fields).encode(), kind | (headers or {}))

    async def post_json(
        self, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Answer:
        kind = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        return await self.ask("POST", path, body, kind | (headers or {}))

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def forget_cookies(self, part: str) -> None:
        """Drop the cookies whose names contain `part`."""
        self.cookies = {name: value for name, value in self.cookies.items() if part not in name}

    def _remember(self, set_cookies: tuple[str, ...]) -> None:
        for text in set_cookies:
            pair, _, attributes = text.partition(";")
            name, _, value = pair.strip().partition("=")
            gone = not value or "1970" in attributes or "max-age=0" in attributes.lower()
            if gone:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for line in head[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "set-cookie":
            cookies.append(value.strip())
        elif name:
            headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split(" ", 2)[1]), headers, tuple(cookies), body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


async def walk(line: Line, path: str, redirect_uri: str, person: dict[str, str]) -> str:
    """Play the browser from `path` on until the address of the client; returns that address."""
    origin = {"origin": f"http://localhost:{line.port}"}
    here = path
    answer = await line.ask("GET", path)
    for _ in range(12):
        if answer.status in (301, 302, 303, 307, 308):
            target = urljoin(here, answer.headers["location"])
            if target.startswith(redirect_uri):
                return target
            here = _path(target)
            answer = await line.ask("GET", here)
            continue
        if answer.status != 200:
            raise RuntimeError(f"{here} answered {answer.status}: {answer.body[:300]!r}")
        page = read_page(answer.body.decode())
        if page.refresh.startswith(redirect_uri):
            return page.refresh
        here, fields = _filled(page, here, person)
        answer = await line.post_form(here, fields, origin)
    raise RuntimeError(f"no way from {path} to {redirect_uri}; stopped at {here}")


def _filled(page: Page, here: str, person: dict[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """The form a person would send on this page: sign in where a password is asked, else allow."""
    for form in page.forms:
        button = form.button("sign in|log in|allow|approve|continue")
        if form.method == "post" and (form.asks_password or button is not None):
            return _path(urljoin(here, form.action)) if form.action else here, form.sent(
                person, button
            )
    raise RuntimeError(f"no form to send on {here}: {page.text[:200]}")


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
