"""A small town of servers behind httpx2's transport door: an MCP server, its authorization server, and
somebody else's. Each keeps books, so that a test can say who saw what."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import anyio
import httpx2

from mcplatch.client.talk import Visit
from tests.client.table import ISSUER, META, PRM, SERVER, metadata, resource


@dataclass
class Town(httpx2.AsyncBaseTransport, httpx2.BaseTransport):
    """SERVER gives 200 to a good token with the scope in the `need` header of the request.

    lifetime: seconds of an access token. slow: how long the MCP server takes. sick: what the token
    endpoint answers instead, as long as it is set. late: how long its answers travel. meanwhile: what
    happens before it says that a grant is gone.
    """

    lifetime: int = 600
    slow: float = 0.0
    sick: int = 0
    late: float = 0.0
    meanwhile: Callable[[], object] = bool
    rotating: bool = True
    grants: str | None = None
    seen: list[httpx2.Request] = field(default_factory=list)
    access: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refreshes: dict[str, str] = field(default_factory=dict)
    refreshed: int = 0
    visits: list[Visit] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        # Real networks let others run between a request and its answer.
        await anyio.sleep(self.slow if str(request.url) == SERVER else 0.002)
        answer = self._answer(request)
        await anyio.sleep(self.late if str(request.url) == f"{ISSUER}/token" else 0)
        return answer

    def open_http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=self)

    # -- the books ------------------------------------------------------------------------------------

    def asked(self, url: str) -> list[httpx2.Request]:
        return [request for request in self.seen if str(request.url).partition("?")[0] == url]

    def bearers(self, host: str) -> list[str]:
        """Every Authorization header that reached `host`."""
        return [
            request.headers["authorization"]
            for request in self.seen
            if request.url.host == host and "authorization" in request.headers
        ]

    # -- the servers ----------------------------------------------------------------------------------

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        url = str(request.url).partition("?")[0]
        if url == SERVER:
            return self._serve(request)
        if url == PRM:
            return httpx2.Response(200, json=resource())
        if url == META:
            return httpx2.Response(200, json=metadata())
        if url == f"{ISSUER}/register":
            return httpx2.Response(201, json={"client_id": "c-1"})
        if url == f"{ISSUER}/token":
            return self._token(parse_qs(request.content.decode()))
        if url == f"{ISSUER}/revoke":
            return httpx2.Response(200)
        if request.url.host == "evil.example":
            challenge = f'Bearer error="invalid_token", resource_metadata="{url}/prm"'
            return httpx2.Response(401, headers={"www-authenticate": challenge})
        return httpx2.Response(404)

    def _serve(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        scopes = self.access.get(token)
        if scopes is None:
            error = 'error="invalid_token", ' if token else ""
            challenge = f'Bearer {error}resource_metadata="{PRM}", scope="basic"'
            return httpx2.Response(401, headers={"www-authenticate": challenge})
        need = request.headers.get("need", "basic")
        if need not in scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{need}"'
            return httpx2.Response(403, headers={"www-authenticate": challenge})
        if "location" in request.headers:
            return httpx2.Response(302, headers={"location": request.headers["location"]})
        return httpx2.Response(200, text=f"{token} {request.content.decode()}")

    def _token(self, form: dict[str, list[str]]) -> httpx2.Response:
        if self.sick:
            return httpx2.Response(self.sick)
        if form["grant_type"] == ["authorization_code"]:
            return self.issue(form["code"][0].removeprefix("code").strip())
        self.refreshed += 1
        held = form["refresh_token"][0]
        scope = self.refreshes.get(held)
        if scope is None:
            self.meanwhile()
            return httpx2.Response(400, json={"error": "invalid_grant"})
        if self.rotating:
            del self.refreshes[held]
        return self.issue(scope)

    def issue(self, scope: str) -> httpx2.Response:
        number = next(self.numbers)
        self.access[f"at-{number}"] = tuple(scope.split())
        self.refreshes[f"rt-{number}"] = scope
        answer = {
            "access_token": f"at-{number}",
            "refresh_token": f"rt-{number}",
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "scope": scope,
        }
        return httpx2.Response(200, content=json.dumps(answer))


@dataclass
class Clicker:
    """The person of a town: allows whatever is asked, or what `town.grants` says."""

    town: Town

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Always there."""

    async def listen(self, preferred: str | None) -> str:
        return preferred or "http://127.0.0.1:4000/callback"

    async def visit(self, visit: Visit) -> str:
        self.town.visits.append(visit)
        await anyio.sleep(0.02)
        asked = dict(parse_qsl(urlsplit(visit.url).query))
        scope = self.town.grants if self.town.grants is not None else asked.get("scope", "")
        answer = {"code": f"code {scope}", "state": asked["state"], "iss": ISSUER}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    async def close(self) -> None:
        """Nothing to close."""


def now() -> int:
    return int(time.time())
