"""Hostile names, forms, addresses and breakdowns: a page, plain text, nothing half done (AS-148)."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from mcplatch.passwords import PasswordsBusy
from mcplatch.store.port import StoreDown
from mcplatch.web.front import guarded, open_front
from tests.web.stage import (
    Person,
    Stage,
    app_client,
)

pytestmark = pytest.mark.anyio


XSS = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
BIDI = "evil\u202etxt.exe\u2066\x07\u200b\x00 zalgo" + "Z\u0301\u0302\u0303\u0304\u0305"


@pytest.mark.requirement("AS-148", "AS-74")
@pytest.mark.parametrize("name", [XSS, BIDI, "x" * 10_000, "", "\u202e", "{{ site }}{% raw %}"])
async def test_a_hostile_name_is_only_text(stage: Stage, ana: Person, name: str) -> None:
    await stage.put(app_client(client_id="evil", client_name=name))
    page = await ana.authorize(client_id="evil")
    consent = await ana.sign_in(page)
    denied = await ana.decide(consent, "deny")
    allowed = await ana.decide(await ana.authorize(client_id="evil"))
    account = await ana.get("/account")
    for shown in (page, consent, denied, allowed, account):
        assert shown.status == 200
        assert "<script" not in shown.html
        assert "<img src=x" not in shown.html
        assert not set("\u202e\u2066\u200b\x07\x00").intersection(shown.html)
        assert len(shown.title) < 250
        assert "http" not in "".join(part[:5] for part in shown.html.split('<img src="')[1:])


@pytest.mark.requirement("AS-148")
@pytest.mark.parametrize(
    "where", ["scope", "state", "username", "redirect_uri", "client_id", "resource"]
)
async def test_whatever_is_reflected_is_escaped(ana: Person, where: str) -> None:
    if where == "username":
        page = await ana.sign_in(await ana.authorize(), XSS, "wrong")
        assert "&lt;script&gt;" in page.html
    else:
        page = await ana.authorize(**{where: XSS})
    assert "<script" not in page.html
    assert "<img src=x" not in page.html


BODIES = [
    (b"csrf=%ff", "application/x-www-form-urlencoded", (400, 403)),
    (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", (400, 403)),
    (b"csrf=a%00", "application/x-www-form-urlencoded", (400, 403)),
    (b"{}", "application/json", (415,)),
    (b"", "", (415,)),
    (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", (413,)),
    (b"&".join(b"a%d=1" % n for n in range(70)), "application/x-www-form-urlencoded", (413,)),
    (b"--x\r\n", "multipart/form-data; boundary=x", (415,)),
]


@pytest.mark.parametrize("step", ["password", "consent", "another-account"])
@pytest.mark.parametrize(("body", "kind", "statuses"), BODIES)
async def test_a_malformed_form_is_a_page(
    ana: Person, step: str, body: bytes, kind: str, statuses: tuple[int, ...]
) -> None:
    consent = await ana.consent()
    headers = {"content-type": kind} if kind else {}
    response = await ana.http.post(f"{consent.url}/{step}", content=body, headers=headers)
    assert response.status_code in statuses
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.requirement("AS-21")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=a&state=b", 400),
        ("client_id=%ff", 400),
        ("client_id=a%00b", 400),
        ("%", 400),
        ("", 400),
        ("&".join(f"a{n}=1" for n in range(70)), 413),
    ],
)
async def test_a_malformed_request_is_a_page(ana: Person, query: str, status: int) -> None:
    page = await ana.get(f"/authorize?{query}")
    assert page.status == status
    assert page.location is None
    assert page.response.headers["content-type"].startswith("text/html")


@pytest.mark.requirement("AS-21")
async def test_unknown_parameters_are_ignored(ana: Person) -> None:
    assert "Sign in to allow" in (await ana.authorize(foo="1", login_hint="x")).title


@pytest.mark.parametrize(
    "address",
    [
        "/interaction/" + "x" * 3000,
        "/interaction/%00",
        "/interaction/..%2f",
        "/static/..%2fviews.py",
    ],
)
async def test_odd_addresses_lead_nowhere(ana: Person, address: str) -> None:
    assert (await ana.get(address)).status in (404, 410)


async def test_a_breakdown_is_a_page_with_a_reference(stage: Stage, ana: Person) -> None:
    stage.house.store = _Broken()  # type: ignore[assignment]
    page = await ana.get("/account")
    assert page.status == 500
    assert "something went wrong here" in page.title
    assert "secret detail" not in page.html
    assert "Traceback" not in page.html
    assert len(page.html.partition('tabindex="0">')[2].partition("<")[0]) == 12


async def test_a_database_that_is_away_is_said_so(stage: Stage, ana: Person) -> None:
    stage.house.store = _Down()  # type: ignore[assignment]
    page = await ana.authorize()
    assert page.status == 503
    assert page.response.headers["retry-after"] == "2"
    assert "busier" in page.text or "try again" in page.text.lower()


async def test_too_many_sign_ins_at_once_is_said_so(stage: Stage) -> None:
    async def busy(_request: object, _front: object) -> Response:
        raise PasswordsBusy

    front = open_front(stage.house, "")
    response = await guarded(busy, front)(Request({"type": "http", "path": "/", "headers": []}))
    assert response.status_code == 503
    assert b"busier than it can be" in bytes(response.body)


class _Broken:
    async def look(self, _work: object) -> None:
        raise RuntimeError("secret detail")

    settle = look


class _Down:
    async def look(self, _work: object) -> None:

        raise StoreDown("away")

    settle = look
