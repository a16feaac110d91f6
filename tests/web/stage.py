"""An authorization server in this process, and people with browsers that keep cookies and fill forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from argon2 import PasswordHasher
from starlette.applications import Starlette

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import Policy, Resource, Scope
from mcplatch.passwords import MEMORY_KIB, PASSES
from mcplatch.protocol.pkce import challenge_of
from mcplatch.records import Client, Record, User
from mcplatch.store.port import Put, Store
from mcplatch.web.pages import routes
from tests import world
from tests.outside.html_forms import Form, Reader

ISSUER = "http://localhost:9000"
CALENDAR = "http://localhost:8001/mcp"
MAIL = "http://localhost:8002/mcp"
CALLBACK = "http://127.0.0.1:5000/callback"
PASSWORD = "correct horse battery staple"
STATE = "af0ifjsldkj"
SCOPES = (
    Scope("profile", "Know your user name", baseline=True, tools=("whoami",)),
    Scope("events:read", "See your events", tools=("list_events", "get_event")),
    Scope(
        "events:write",
        "Create and edit events",
        group="change",
        ticked=False,
        tools=("move_event",),
    ),
    Scope("events:delete", "Delete events", group="delete", ticked=True, tools=("delete_event",)),
)
ALL_SCOPES = " ".join(scope.name for scope in SCOPES)
POLICY = Policy(
    issuer=ISSUER,
    resources=(
        Resource(CALENDAR, "Team Calendar", SCOPES),
        Resource(MAIL, "Mail", (Scope("mail:read", "Read your mail"),)),
    ),
    operator="Example Works",
)
_REFRESH = re.compile(r'<meta http-equiv="refresh" content="(\d+);url=([^"]*)">')


@cache
def password_hash(password: str = PASSWORD) -> str:
    """The stored form of a password, made once."""
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1).hash(password)


def app_client(**changes: Any) -> Client:
    """A command-line app that registered itself."""
    usual = {"client_name": "Claude Code", "redirect_uris": ("http://127.0.0.1/callback",)}
    return world.client(**(usual | changes))


def user(username: str = "ana", **changes: Any) -> User:
    """A person with the usual password."""
    whole = User(
        user_id=f"user-{username}",
        username=username,
        name="Ana López" if username == "ana" else "",
        created_at=1,
        password_hash=password_hash(),
    )
    return replace(whole, **changes)


@dataclass(slots=True)
class Stage:
    """A house with its pages."""

    house: House
    app: Starlette

    @property
    def store(self) -> Store:
        return self.house.store

    async def put(self, *records: Record) -> None:
        await self.store.settle(lambda t: t.apply(Put(record) for record in records))

    async def all(self, record: type[Any], **equal: Any) -> list[Any]:
        return await self.store.look(lambda t: t.all(record, **equal))

    async def only(self, record: type[Any], **equal: Any) -> Any:
        (found,) = await self.all(record, **equal)
        return found


async def open_stage(store: Store, *records: Record, policy: Policy = POLICY) -> Stage:
    """The stage with Ana, Ben, one app, and what else a test wants."""
    house = await world.house(store, policy=policy)
    base = urlsplit(policy.issuer).path.rstrip("/")
    stage = Stage(house, Starlette(routes=routes(house, base)))
    given = records or (app_client(),)
    await stage.put(user(), user("ben"), *given)
    return stage


@dataclass(slots=True)
class Page:
    """What a browser shows."""

    response: httpx2.Response
    url: str
    forms: list[Form] = field(default_factory=list)
    text: str = ""

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def title(self) -> str:
        return self.html.partition("<title>")[2].partition("</title>")[0]

    @property
    def location(self) -> str | None:
        return self.response.headers.get("location")

    @property
    def refresh(self) -> str | None:
        found = _REFRESH.search(self.html)
        if found is None:
            return None
        assert found[1] == "0"
        reader = Reader()
        reader.feed(found[0])
        return reader.refresh

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the answer to the client, by meta refresh or by redirect."""
        address = self.refresh or self.location
        assert address is not None, self.html
        return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}

    def form(self, ending: str) -> Form:
        """The form that goes to an address with this ending."""
        return next(form for form in self.forms if form.action.endswith(ending))


class Person:
    """Somebody at a browser: cookies of its own, forms filled as a browser would."""

    def __init__(
        self, stage: Stage, *, address: str = "203.0.113.7", origin: str = ISSUER, base: str = ""
    ) -> None:
        self.origin, self.base = origin, base
        transport = httpx2.ASGITransport(app=stage.app, client=(address, 40000))
        self.http = httpx2.AsyncClient(transport=transport, base_url=origin)

    async def get(self, address: str, **headers: str) -> Page:
        """One GET; redirects within the server are followed."""
        response = await self.http.get(self._absolute(address), headers=headers)
        if response.status_code == 303 and response.headers["location"].startswith("/"):
            return await self.get(response.headers["location"])
        return _page(response)

    async def post(
        self, address: str, fields: Iterable[tuple[str, str]] | dict[str, str], **headers: str
    ) -> Page:
        """One form post; a redirect within the server is followed by GET."""
        pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            "origin": "null",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.post(
            self._absolute(address), content=urlencode(pairs).encode(), headers=sent
        )
        if response.status_code == 303 and response.headers["location"].startswith("/"):
            return await self.get(response.headers["location"])
        return _page(response)

    async def authorize(self, **changes: str | None) -> Page:
        """Follow an app's link to the authorization endpoint."""
        return await self.get(f"{self.base}/authorize?{authorization_query(**changes)}")

    async def sign_in(
        self, page: Page, username: str = "ana", password: str = PASSWORD, **headers: str
    ) -> Page:
        """Fill in the sign-in form of a page."""
        form = next(f for f in page.forms if any(c.kind == "password" for c in f.controls))
        fields = dict(_fields(form)) | {"username": username, "password": password}
        return await self.post(form.action, fields, **headers)

    async def decide(
        self,
        page: Page,
        decision: str = "allow",
        *,
        ticks: Iterable[str] | None = None,
        days: str | None = None,
        **headers: str,
    ) -> Page:
        """Press a button of the consent page; `ticks` replaces the boxes as they are shown."""
        form = page.form("/consent")
        fields = list(_fields(form))
        if ticks is not None:
            fields = [pair for pair in fields if pair[0] != "scope"]
            fields += [("scope", tick) for tick in ticks]
        if days is not None:
            fields = [pair for pair in fields if pair[0] != "days"] + [("days", days)]
        return await self.post(form.action, [*fields, ("decision", decision)], **headers)

    async def consent(self, **changes: str | None) -> Page:
        """From the app's link to the consent page."""
        page = await self.authorize(**changes)
        return await self.sign_in(page) if "password" in page.html else page

    def _absolute(self, address: str) -> str:
        return address if "://" in address else self.origin + address


def authorization_query(**changes: str | None) -> str:
    """A correct request with some parameters changed, or left out where None."""
    usual: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": CALLBACK,
        "scope": ALL_SCOPES,
        "resource": CALENDAR,
        "state": STATE,
        "code_challenge": challenge_of(world.VERIFIER),
        "code_challenge_method": "S256",
    }
    return urlencode(
        [(name, value) for name, value in (usual | changes).items() if value is not None]
    )


def _page(response: httpx2.Response) -> Page:
    if not response.headers.get("content-type", "").startswith("text/html"):
        return Page(response, str(response.url))
    reader = Reader()
    reader.feed(response.text)
    return Page(response, str(response.url), reader.forms, " ".join(reader.text))


def _fields(form: Form) -> Iterable[tuple[str, str]]:
    for control in form.controls:
        if control.kind in ("checkbox", "radio") and not control.checked:
            continue
        if control.name and control.kind not in ("submit", "password"):
            yield control.name, control.value
