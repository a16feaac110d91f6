"""One round of every operation on one authorization server, each on fresh material.

A round registers clients, signs its person in where a page asks for it (not measured), runs the
whole flow for each client, then exchanges, refreshes, introspects and revokes what a second,
unmeasured round of authorizations made ready.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from bench.machine import Server
from bench.peers import CONCURRENCY, Peer
from bench.wire import Answer, Line, walk

CALLBACK = "http://127.0.0.1:33418/callback"
Item = TypeVar("Item")
Made = TypeVar("Made")
Samples = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Held:
    """What a client holds between two operations."""

    client_id: str
    code: str = ""
    verifier: str = ""
    access_token: str = ""
    refresh_token: str = ""


@dataclass(slots=True)
class Bed:
    """One running server with its endpoints, its connections and what was measured so far."""

    peer: Peer
    server: Server
    paths: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    samples: Samples = field(default_factory=dict)
    rounds: int = 0

    async def discover(self) -> None:
        self.lines = [Line(self.server.port) for _ in range(CONCURRENCY)]
        answer = await self.lines[0].ask("GET", self.peer.discovery)
        for name, value in json.loads(answer.body).items():
            if isinstance(value, str) and value.startswith("http"):
                self.paths[name] = urlsplit(value).path

    async def connect_anew(self) -> None:
        """Fresh connections: servers close those that were idle while the others had their turn."""
        for line in self.lines:
            await line.close()
            await self.fetch(line, self.peer.discovery)

    async def timed(
        self,
        operation: str,
        items: Iterable[Item],
        do: Callable[[Line, Item], Awaitable[Made]],
    ) -> list[Made]:
        """Run `do` for each item, 16 at a time; note the server's CPU milliseconds per item."""
        waiting = list(items)
        before = self.server.cpu()
        made = await self.spread(waiting, do)
        spent = self.server.cpu() - before
        self.samples.setdefault(operation, []).append(spent / len(waiting) * 1000)
        return made

    async def spread(
        self, items: Iterable[Item], do: Callable[[Line, Item], Awaitable[Made]]
    ) -> list[Made]:
        left = iter(list(items))

        async def work(line: Line) -> list[Made]:
            return [await do(line, item) for item in left]

        return [one for part in await asyncio.gather(*map(work, self.lines)) for one in part]

    # ── the operations ──────────────────────────────────────────────────────────────────────

    async def fetch(self, line: Line, path: str) -> None:
        expect(await line.ask("GET", path), 200)

    async def register(self, line: Line, number: int) -> Held:
        body = {
            "client_name": f"bench {number} {secrets.token_urlsafe(6)}",
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": self.peer.scope,
            "application_type": "native",
        }
        path = self.paths["registration_endpoint"]
        answer = expect(await line.post_json(path, json.dumps(body).encode()), 201, 200)
        return Held(json.loads(answer.body)["client_id"])

    async def authorize(self, line: Line, held: Held) -> Held:
        if self.peer.passing:
            line.forget_cookies(self.peer.passing)
        verifier = secrets.token_urlsafe(32)
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": held.client_id,
            "redirect_uri": CALLBACK,
            "scope": self.peer.scope,
            "state": secrets.token_urlsafe(12),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self.peer.resource:
            asked["resource"] = self.peer.resource
        path = f"{self.paths['authorization_endpoint']}?{urlencode(asked)}"
        back = parse_qs(urlsplit(await walk(line, path, CALLBACK, self._person(line))).query)
        if "code" not in back or back["state"] != [asked["state"]]:
            raise RuntimeError(f"{self.peer.name}: no code came back: {back}")
        return Held(held.client_id, back["code"][0], verifier)

    def _person(self, line: Line) -> dict[str, str]:
        number = self.rounds * CONCURRENCY + self.lines.index(line)
        return {name: value.format(number) for name, value in self.peer.person}

    async def exchange(self, line: Line, held: Held) -> Held:
        return await self._token(
            line,
            held,
            grant_type="authorization_code",
            code=held.code,
            redirect_uri=CALLBACK,
            code_verifier=held.verifier,
        )

    async def refresh(self, line: Line, held: Held) -> Held:
        return await self._token(
            line, held, grant_type="refresh_token", refresh_token=held.refresh_token
        )

    async def flow(self, line: Line, held: Held) -> Held:
        return await self.exchange(line, await self.authorize(line, held))

    async def introspect(self, line: Line, held: Held) -> None:
        answer = await line.post_form(
            self.paths.get("introspection_endpoint", "/introspect"),
            [("token", held.access_token)],
            self.peer.introspection_headers if self.peer.asker else None,
        )
        if json.loads(expect(answer, 200).body)["active"] is not True:
            raise RuntimeError(f"{self.peer.name}: a fresh token is not active: {answer.body!r}")

    async def revoke(self, line: Line, held: Held) -> None:
        fields = [("token", held.refresh_token), ("client_id", held.client_id)]
        if self.peer.name.startswith("fastmcp"):
            fields.append(("client_secret", ""))  # the SDK's parser insists on the field
        expect(await line.post_form(self.paths["revocation_endpoint"], fields), 200)

    async def _token(self, line: Line, held: Held, **fields: str) -> Held:
        if self.peer.resource:
            fields["resource"] = self.peer.resource
        form = [*fields.items(), ("client_id", held.client_id)]
        answer = expect(await line.post_form(self.paths["token_endpoint"], form), 200)
        given = json.loads(answer.body)
        return Held(
            held.client_id,
            access_token=given["access_token"],
            refresh_token=given.get("refresh_token", ""),
        )


async def one_round(bed: Bed, count: int) -> None:
    """Every operation `count` times (documents twice as often) on one server."""
    await bed.connect_anew()
    documents = [bed.peer.discovery] * (2 * count)
    await bed.timed("metadata", documents, bed.fetch)
    if "jwks_uri" in bed.paths:
        await bed.timed("JWKS", [bed.paths["jwks_uri"]] * (2 * count), bed.fetch)
    clients = await bed.timed("register", range(count), bed.register)
    await _sign_in(bed, clients[0])
    flown = await bed.timed("signed-in flow", clients, bed.flow)
    ready = await bed.spread(clients, bed.authorize)
    held = await bed.timed("code exchange", ready, bed.exchange)
    if "introspection_endpoint" in bed.paths or not bed.peer.refreshes:
        await bed.timed("introspect", held, bed.introspect)
    if bed.peer.refreshes:
        held = await bed.timed("refresh", held, bed.refresh)
    if "revocation_endpoint" in bed.paths:
        await bed.timed("revoke", held, bed.revoke)
        await bed.spread(flown, bed.revoke)  # so that nobody's list of clients grows without end


async def _sign_in(bed: Bed, held: Held) -> None:
    """Each connection is the browser of somebody who has not been here before, and signs them in.

    One person allows a few dozen clients in a round; nobody gathers hundreds of them.
    """
    bed.rounds += 1
    if bed.peer.person:
        for line in bed.lines:
            line.cookies.clear()
            await bed.authorize(line, held)


def expect(answer: Answer, *statuses: int) -> Answer:
    if answer.status not in statuses:
        raise RuntimeError(f"answered {answer.status}, not {statuses}: {answer.body[:300]!r}")
    return answer


@asynccontextmanager
async def ready(beds: list[Bed]) -> AsyncIterator[list[Bed]]:
    try:
        for bed in beds:
            await bed.discover()
        yield beds
    finally:
        for bed in beds:
            for line in bed.lines:
                await line.close()
            bed.server.stop()
