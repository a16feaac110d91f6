"""What strangers try on the pages, each of which must come to nothing (security rows 34 to 42)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcplatch.records import AuthorizationCode, Grant, Session, User
from mcplatch.store.port import Replace
from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import (
    CALLBACK,
    ISSUER,
    PASSWORD,
    POLICY,
    STATE,
    Page,
    Person,
    Stage,
    app_client,
    authorization_query,
    open_stage,
)

pytestmark = pytest.mark.anyio

EVIL = "https://evil.example/cb"


async def nothing_happened(stage: Stage) -> None:
    assert await stage.all(Grant) == []
    assert await stage.all(AuthorizationCode) == []


# ── forgery ──────────────────────────────────────────────────────────────────────────────────────

FOREIGN: list[dict[str, str]] = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},  # another port of localhost, or a sister domain
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:9001"},
    {"origin": "http://127.0.0.1:9000"},
    {"origin": "https://localhost:9000"},
    {"sec_fetch_site": "cross-site", "origin": ISSUER},
]


@pytest.mark.requirement("AS-147")
@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_form_from_elsewhere_is_refused_whatever_it_knows(
    stage: Stage, ana: Person, headers: dict[str, str]
) -> None:
    consent = await ana.consent()
    page = await ana.decide(consent, **headers)
    assert page.status == 403
    assert "did not come from a page of this server" in page.title
    await nothing_happened(stage)
    assert (await ana.decide(consent)).refresh is not None


@pytest.mark.parametrize("headers", [{"origin": ISSUER}, {"origin": "null"}])
async def test_our_own_pages_pass(ana: Person, headers: dict[str, str]) -> None:
    assert (await ana.decide(await ana.consent(), **headers)).refresh is not None


def _with(page: Page, name: str, value: str | None) -> list[tuple[str, str]]:
    fields = [("csrf", page.form("/consent").controls[0].value), ("decision", "allow")]
    kept = [pair for pair in fields if pair[0] != name]
    return kept if value is None else [*kept, (name, value)]


@pytest.mark.requirement("AS-147")
@pytest.mark.parametrize("token", [None, "", "x", "A" * 43])
async def test_a_form_without_its_token_is_refused(
    stage: Stage, ana: Person, token: str | None
) -> None:
    consent = await ana.consent()
    page = await ana.post(consent.form("/consent").action, _with(consent, "csrf", token))
    assert page.status == 403
    await nothing_happened(stage)


@pytest.mark.requirement("AS-147")
async def test_a_token_serves_one_form_of_one_interaction_of_one_browser(
    stage: Stage, ana: Person
) -> None:
    mallory = Person(stage)
    own = await mallory.sign_in(await mallory.authorize(), "ben")
    theirs = own.form("/consent").controls[0].value
    first = await ana.consent(state="one")
    second = await ana.consent(state="two")
    target = second.form("/consent").action
    others = (
        theirs,
        first.form("/consent").controls[0].value,
        second.form("account").controls[0].value,
    )
    for token in others:
        page = await ana.post(target, [("csrf", token), ("decision", "allow")])
        assert page.status == 403
    await nothing_happened(stage)


@pytest.mark.requirement("AS-147")
async def test_get_never_answers(stage: Stage, ana: Person) -> None:
    consent = await ana.consent()
    fields = "&".join(f"{n}={v}" for n, v in _with(consent, "", None))
    page = await ana.get(f"{consent.form('/consent').action}?{fields}")
    assert page.title == consent.title
    await nothing_happened(stage)


# ── the other browser ────────────────────────────────────────────────────────────────────────────


@pytest.mark.requirement("AS-147")
async def test_an_interaction_belongs_to_the_browser_that_started_it(
    stage: Stage, ana: Person
) -> None:
    """FastMCP CVE-2026-27124: whoever starts it must be who finishes it."""
    mallory = Person(stage)
    consent = await mallory.sign_in(await mallory.authorize(), "ben")
    await ana.consent()  # the victim is signed in
    page = await ana.get(consent.url)
    assert page.status == 403
    assert "another browser" in page.title
    assert "csrf" not in page.html
    posted = await ana.decide(consent)
    assert posted.status == 403
    await nothing_happened(stage)


@pytest.mark.requirement("AS-147")
async def test_a_cookie_of_another_interaction_does_not_open_this_one(
    stage: Stage, ana: Person
) -> None:
    mallory = Person(stage)
    consent = await mallory.sign_in(await mallory.authorize(), "ben")
    await ana.consent()
    interaction_id = consent.url.rpartition("/")[2]
    (own,) = (v for n, v in ana.http.cookies.items() if "-i-" in n)
    ana.http.cookies.set(f"mcplatch-9000-i-{interaction_id[-12:]}", own, domain="localhost.local")
    page = await ana.get(consent.url)
    assert page.status == 410
    assert "csrf" not in page.html


@pytest.mark.requirement("AS-147")
async def test_a_planted_session_is_not_the_one_a_person_gets(stage: Stage, ana: Person) -> None:
    """Session fixation: signing in makes a new session and ends the one that was there."""
    mallory = Person(stage)
    await mallory.sign_in(await mallory.authorize(), "ben")
    planted = mallory.http.cookies["mcplatch-9000-session"]
    ana.http.cookies.set("mcplatch-9000-session", planted, domain="localhost.local")
    page = await ana.authorize(prompt="login")
    assert "Signed in as Ana" in (await ana.sign_in(page)).text
    assert "Signed in as ben" not in (await mallory.get("/account")).text
    sessions = await stage.all(Session)
    assert sorted(s.ended_at is not None for s in sessions) == [False, True]


@pytest.mark.requirement("AS-147")
@pytest.mark.parametrize(
    "value", ["", "x", "\xfc", "a" * 5000, "'; drop table session; --", "\x7f"]
)
async def test_a_made_up_session_opens_nothing(ana: Person, value: str) -> None:
    cookie = f"mcplatch-9000-session={value}".encode("latin-1")
    response = await ana.http.get("/account", headers={b"cookie": cookie})
    assert response.status_code == 200
    assert "<title>Sign in" in response.text


async def test_a_locked_person_is_out_at_once(stage: Stage, ana: Person) -> None:

    consent = await ana.consent()
    person = await stage.only(User, username="ana")
    await stage.store.settle(lambda t: t.apply((Replace(person, replace(person, locked_at=5)),)))
    await ana.decide(consent)
    assert "Sign in" in (await ana.get(consent.url)).title
    assert "is wrong" in (await ana.sign_in(await ana.get(consent.url))).text
    await nothing_happened(stage)


# ── framing, loading, caching ────────────────────────────────────────────────────────────────────


@pytest.mark.requirement("AS-20", "AS-28")
@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/account",
        "/interaction/none",
        "/authorize",
        "/nothing",
        "sign-in",
        "consent",
        "returning",
    ],
)
async def test_every_page_is_unframeable_unstored_and_loads_nothing(
    ana: Person, address: str
) -> None:
    page = await _named(ana, address)
    headers = page.response.headers
    assert "access-control-allow-origin" not in headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == policy["style-src"] == policy["img-src"] == "'self'"
    assert "script-src" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers  # loopback http
    assert "<script" not in page.html
    assert "style=" not in page.html
    assert "onclick" not in page.html
    for address in page.html.split('src="')[1:]:
        assert address.startswith("/static/")


async def _named(ana: Person, address: str) -> Page:
    if address == "sign-in":
        return await ana.authorize()
    if address == "consent":
        return await ana.consent()
    if address == "returning":
        return await ana.decide(await ana.consent())
    return await ana.get(address)


@pytest.mark.requirement("AS-28")
async def test_redirects_between_pages_are_not_stored_either(ana: Person) -> None:

    response = await ana.http.get(f"/authorize?{authorization_query()}")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.requirement("AS-27")
async def test_posts_are_answered_with_303_or_a_page(ana: Person) -> None:
    page = await ana.authorize()
    form = page.form("/password")
    fields = {"csrf": form.controls[0].value, "username": "ana", "password": PASSWORD}
    response = await ana.http.post(form.action, data=fields)
    assert response.status_code == 303
    consent = await ana.get(response.headers["location"])
    switch = consent.form("/another-account")
    response = await ana.http.post(switch.action, data={"csrf": switch.controls[0].value})
    assert response.status_code == 303


async def test_on_https_cookies_and_headers_are_strict(sqlite_path: Path) -> None:
    issuer = "https://auth.example"
    store = SqliteStore(str(sqlite_path))
    stage = await open_stage(store, policy=replace(POLICY, issuer=issuer))
    ana = Person(stage, origin=issuer)
    for page in (await ana.consent(), await ana.get("/account")):
        assert page.response.headers["strict-transport-security"].startswith("max-age=")
    fresh = Person(stage, origin=issuer)
    seen = (await fresh.http.get("/account")).headers.get_list("set-cookie")
    started = await fresh.http.get(f"/authorize?{authorization_query()}")
    seen += started.headers.get_list("set-cookie")
    form = (await fresh.get(started.headers["location"])).form("/password")
    typed = {"csrf": form.controls[0].value, "username": "ana", "password": PASSWORD}
    seen += (await fresh.http.post(form.action, data=typed)).headers.get_list("set-cookie")
    assert len(seen) == 3
    for cookie in seen:
        assert cookie.startswith("__Host-mcplatch-")
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "path=/", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)
    await store.close()


async def test_on_loopback_cookies_are_readable_for_command_line_clients(ana: Person) -> None:

    response = await ana.http.get(f"/authorize?{authorization_query()}")
    (cookie,) = response.headers.get_list("set-cookie")
    assert cookie.startswith("mcplatch-9000-i-")
    assert "secure" not in cookie.lower()
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Max-Age=660" in cookie


# ── redirects ────────────────────────────────────────────────────────────────────────────────────

NO_REDIRECT: list[tuple[dict[str, str | None], str]] = [
    ({"client_id": "nobody"}, "cannot be answered"),
    ({"client_id": None}, "cannot be answered"),
    ({"client_id": "https://127.0.0.1/client.json"}, "cannot be answered"),
    ({"redirect_uri": EVIL}, "has not registered"),
    ({"redirect_uri": "http://127.0.0.1:5000/callback/"}, "has not registered"),
    ({"redirect_uri": "http://127.0.0.1:5000@evil.example/callback"}, "has not registered"),
    ({"redirect_uri": "javascript:alert(1)"}, "has not registered"),
    ({"redirect_uri": "//evil.example"}, "has not registered"),
    ({"state": "x" * 9000}, "cannot be answered"),
]


@pytest.mark.requirement("AS-22")
@pytest.mark.parametrize(("changes", "words"), NO_REDIRECT)
async def test_an_unproven_address_is_never_redirected_to(
    ana: Person, changes: dict[str, str | None], words: str
) -> None:
    page = await ana.authorize(**changes)
    assert page.status == 400
    assert page.location is None
    assert page.refresh is None
    assert words in page.title
    assert 'href="http' not in page.html
    assert 'href="j' not in page.html


@pytest.mark.requirement("AS-22")
async def test_the_page_shows_what_differs(ana: Person) -> None:
    page = await ana.authorize(redirect_uri="http://127.0.0.1:5000/callback/x")
    assert "/callback<mark>/x</mark>" in page.html
    assert "http://127.0.0.1" in page.text


@pytest.mark.requirement("AS-26")
@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "bogus"},
        {"prompt": "none"},
        {"response_type": "token"},
        {"resource": "https://other.example"},
        {"code_challenge": None},
    ],
)
async def test_strangers_cannot_bounce_people_through_us(
    stage: Stage, ana: Person, changes: dict[str, str | None]
) -> None:
    await stage.put(app_client(client_id="evil", redirect_uris=(EVIL,)))
    page = await ana.authorize(client_id="evil", redirect_uri=EVIL, **changes)
    assert page.status == 400
    assert page.location is None
    assert page.refresh is None
    # The person may carry the answer back herself, and the client then gets a proper one.
    link = page.html.partition('class="button full" href="')[2].partition('"')[0]
    assert link.startswith(f"{EVIL}?error=")
    assert f"state={STATE}" in link
    assert "evil.example" in page.text


@pytest.mark.requirement("AS-23", "AS-26")
async def test_a_program_of_ones_own_or_a_known_person_is_told_at_once(
    stage: Stage, ana: Person
) -> None:
    own = await ana.authorize(scope="bogus")
    assert own.location is not None
    assert own.location.startswith(CALLBACK + "?error=invalid_scope")
    await stage.put(app_client(client_id="web", redirect_uris=("https://app.example/cb",)))
    await ana.consent()
    page = await ana.authorize(
        client_id="web", redirect_uri="https://app.example/cb", scope="bogus"
    )
    assert page.answer["error"] == "invalid_scope"
    assert page.answer["state"] == STATE


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)//", "data:text/html,x", "JavaScript:alert(1)"]
)
async def test_even_a_registered_script_is_no_way_back(
    stage: Stage, ana: Person, address: str
) -> None:
    """No registration accepts such an address; a page must not depend on that alone."""
    await stage.put(app_client(client_id="evil", redirect_uris=(address,)))
    for decision in ("allow", "deny"):
        page = await ana.decide(await ana.consent(client_id="evil", redirect_uri=address), decision)
        assert page.refresh is None
        assert 'href="j' not in page.html.lower()
        assert 'href="data' not in page.html
