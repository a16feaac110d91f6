"""From an app's link to its answer, as a browser goes (OAuth 2.1 section 4.1)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mcplatch.authorization_server import token
from mcplatch.moment import name_of
from mcplatch.records import (
    AuditEvent,
    AuthorizationCode,
    Client,
    Grant,
    Interaction,
    Session,
)
from mcplatch.store.port import Replace, Store
from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import (
    CALENDAR,
    CALLBACK,
    ISSUER,
    POLICY,
    STATE,
    Person,
    Stage,
    app_client,
    authorization_query,
    open_stage,
)
from tests.world import VERIFIER, form

pytestmark = pytest.mark.anyio
DAY = 86400


@pytest.mark.requirement("AS-20", "AS-25", "AS-30", "AS-145", "AS-149")
async def test_the_whole_way(stage: Stage, ana: Person) -> None:
    asked = await ana.authorize()
    assert asked.title == "Sign in to allow Claude Code to use Team Calendar · Example Works"
    consent = await ana.sign_in(asked)
    assert consent.title == "Allow Claude Code to use Team Calendar? · Example Works"
    returning = await ana.decide(consent)
    assert (returning.status, returning.location) == (200, None)
    assert returning.refresh is not None
    assert returning.refresh.startswith(CALLBACK + "?code=")
    assert (returning.answer["state"], returning.answer["iss"]) == (STATE, ISSUER)

    grant = await stage.only(Grant)
    assert grant.scope == ("profile", "events:read")
    assert (grant.user_id, grant.client_id, grant.resource) == ("user-ana", "client-1", CALENDAR)
    assert grant.expires_at - grant.created_at == 30 * DAY
    exchanged = await token.answer(
        form(
            grant_type="authorization_code",
            code=returning.answer["code"],
            code_verifier=VERIFIER,
            client_id="client-1",
            redirect_uri=CALLBACK,
        ),
        None,
        stage.house,
    )
    assert isinstance(exchanged, bytes)
    assert b'"scope":"profile events:read"' in exchanged.replace(b'": "', b'":"')


@pytest.mark.requirement("AS-146")
async def test_the_consent_page_says_what_matters(ana: Person) -> None:
    page = await ana.consent()
    for words in (
        "Signed in as Ana López (ana)",
        "Registered itself, not checked",
        "You have not allowed it before",
        CALENDAR,
        "a program on this computer",
        "127.0.0.1:5000",
        "Did you just start this yourself?",
        "Can read",
        "See your events",
        "list_events",
        "Can change",
        "Can delete, or cannot be undone",
        "delete_event",
        "client-1",
        CALLBACK,
    ):
        assert words in page.text, words


TICKS = [
    # decision, ticks (None: as shown), what is granted
    ("allow", None, ("profile", "events:read")),
    ("allow", ["events:write"], ("profile", "events:write")),
    ("allow", ["events:read", "events:delete"], ("profile", "events:read", "events:delete")),
    ("allow", [], ("profile",)),
    ("allow", ["admin", "mail:read", ""], ("profile",)),
    ("read-only", ["events:read", "events:write", "events:delete"], ("profile", "events:read")),
    ("read-only", ["events:delete"], ("profile",)),
]


@pytest.mark.requirement("AS-149")
@pytest.mark.parametrize(("decision", "ticks", "granted"), TICKS)
async def test_granted_is_what_was_ticked(
    stage: Stage, ana: Person, decision: str, ticks: list[str] | None, granted: tuple[str, ...]
) -> None:
    await ana.decide(await ana.consent(), decision, ticks=ticks)
    assert (await stage.only(Grant)).scope == granted


@pytest.mark.requirement("AS-149")
async def test_a_scope_that_was_not_asked_for_cannot_be_ticked(stage: Stage, ana: Person) -> None:
    page = await ana.consent(scope="events:read")
    await ana.decide(page, ticks=["events:read", "events:write", "events:delete"])
    assert (await stage.only(Grant)).scope == ("profile", "events:read")


@pytest.mark.parametrize(("days", "kept"), [("1", 1), ("30", 30), ("90", 90)])
async def test_access_ends_when_the_person_said(
    stage: Stage, ana: Person, days: str, kept: int
) -> None:
    await ana.decide(await ana.consent(), days=days)
    grant = await stage.only(Grant)
    assert grant.expires_at - grant.created_at == kept * DAY


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"days": "3650"}, "Choose how long"),
        ({"days": "-1"}, "Choose how long"),
        ({"decision": "perhaps"}, "Choose Allow or Deny"),
    ],
)
async def test_an_answer_that_is_none_shows_the_question_again(
    stage: Stage, ana: Person, fields: dict[str, str], words: str
) -> None:
    page = await ana.consent()
    sent = {"csrf": page.form("/consent").controls[0].value, "decision": "allow"} | fields
    again = await ana.post(page.form("/consent").action, sent)
    assert again.status == 200
    assert words in again.text
    assert again.title.startswith("Error: ")
    assert await stage.all(Grant) == []
    assert (await ana.decide(again)).refresh is not None


async def test_nothing_ticked_is_not_an_answer(ana: Person, stage: Stage) -> None:
    page = await ana.consent(resource="http://localhost:8002/mcp", scope="mail:read")
    again = await ana.decide(page, ticks=[])
    assert "Tick at least one thing, or choose Deny" in again.text
    assert await stage.all(Grant) == []


@pytest.mark.requirement("AS-23", "AS-25")
async def test_deny_is_told_to_the_client(stage: Stage, ana: Person) -> None:
    page = await ana.decide(await ana.consent(), "deny")
    assert page.status == 200
    assert "You denied access" in page.text
    assert page.answer["error"] == "access_denied"
    assert (page.answer["state"], page.answer["iss"]) == (STATE, ISSUER)
    assert await stage.all(Grant) == []
    assert await stage.all(AuthorizationCode) == []
    event = await stage.only(AuditEvent, kind="consent")
    assert (event.outcome, event.user_id, event.client_id) == ("refused", "user-ana", "client-1")
    # The page offers to think again: the same request, a new question.
    again = await ana.get(_again(page.html))
    assert "Allow Claude Code to use Team Calendar?" in again.text
    assert (await ana.decide(again)).answer["state"] == STATE


def _again(html: str) -> str:
    link = html.partition('<a href="/authorize?')[2].partition('"')[0].replace("&amp;", "&")
    return f"/authorize?{link}"


@pytest.mark.requirement("AS-145")
async def test_a_person_is_asked_every_time(ana: Person) -> None:
    await ana.decide(await ana.consent())
    again = await ana.authorize()
    assert "Allow Claude Code to use Team Calendar?" in again.text
    assert "You last allowed it a moment ago" in again.text
    assert "new this time" in again.text  # writing was not ticked the first time


@pytest.mark.requirement("AS-145")
async def test_the_same_name_at_another_address_is_pointed_out(stage: Stage, ana: Person) -> None:
    await stage.put(
        app_client(client_id="client-9", redirect_uris=("https://evil.example/cb",)),
    )
    await ana.decide(await ana.consent())
    page = await ana.consent(client_id="client-9", redirect_uri="https://evil.example/cb")
    assert "This may not be the Claude Code you know" in page.text
    assert "evil.example" in page.text
    usual = await ana.authorize()
    assert "This may not be" not in usual.text


PROMPTS = [
    # prompt, signed in before, what is shown or told
    ("none", False, "login_required"),
    ("none", True, "consent_required"),
    ("login", True, "Sign in to allow"),
    ("login consent", True, "Sign in to allow"),
    ("consent", True, "Allow Claude Code to use"),
    ("select_account", True, "Use another account"),
    ("consent", False, "Sign in to allow"),
]


@pytest.mark.requirement("AS-29")
@pytest.mark.parametrize(("prompt", "before", "outcome"), PROMPTS)
async def test_prompt(ana: Person, prompt: str, before: bool, outcome: str) -> None:
    if before:
        await ana.consent()
    page = await ana.authorize(prompt=prompt)
    if outcome.endswith("_required"):
        assert page.answer["error"] == outcome
        assert (page.answer["state"], page.answer["iss"]) == (STATE, ISSUER)
    else:
        assert outcome in page.text


@pytest.mark.requirement("AS-29")
async def test_prompt_login_is_content_with_a_sign_in_for_this_request_only(ana: Person) -> None:
    await ana.consent()
    page = await ana.authorize(prompt="login")
    consent = await ana.sign_in(page)
    assert "Allow Claude Code" in consent.title
    assert "Sign in to allow" in (await ana.authorize(prompt="login")).title


@pytest.mark.requirement("AS-31")
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_a_long_state_comes_back_byte_for_byte(ana: Person, decision: str) -> None:
    state = "%2F+/=&;?#ü\u202e\"'<>" + "x" * 2100
    page = await ana.decide(await ana.consent(state=state), decision)
    assert page.answer["state"] == state


@pytest.mark.requirement("AS-147")
async def test_two_tabs_do_not_disturb_each_other(stage: Stage, ana: Person) -> None:
    first = await ana.authorize(state="one")
    second = await ana.authorize(state="two")
    first = await ana.sign_in(first)
    second = await ana.sign_in(second)  # its sign-in form was already open
    assert (await ana.decide(first)).answer["state"] == "one"
    assert (await ana.decide(second)).answer["state"] == "two"
    assert len(await stage.all(Grant)) == 2


@pytest.mark.requirement("AS-147")
async def test_two_tabs_opened_at_the_same_moment(ana: Person) -> None:
    pages = await asyncio.gather(*(ana.authorize(state=str(n)) for n in range(4)))
    for number, page in enumerate(pages):
        consent = await ana.sign_in(page) if number == 0 else await ana.get(page.url)
        assert (await ana.decide(consent)).answer["state"] == str(number)


@pytest.mark.requirement("AS-147")
async def test_a_fetch_before_the_browser_changes_nothing(stage: Stage, ana: Person) -> None:
    client_library = Person(stage)  # no cookies are shared
    answer = await client_library.http.get(f"/authorize?{authorization_query()}")
    assert answer.status_code == 303
    assert (await ana.decide(await ana.consent())).answer["code"]


@pytest.mark.requirement("AS-147")
async def test_reload_and_back(ana: Person) -> None:
    signing_in = await ana.authorize()
    assert (await ana.get(signing_in.url)).title == signing_in.title
    consent = await ana.sign_in(signing_in)
    assert (await ana.get(consent.url)).title == consent.title
    assert (await ana.get(f"{consent.url}/password")).title == consent.title
    returning = await ana.decide(consent)
    back = await ana.get(consent.url)
    assert "already answered" in back.title
    assert returning.refresh is not None
    assert f'href="{returning.refresh.replace("&", "&amp;")}"' in back.html


@pytest.mark.requirement("AS-147", "AS-30")
async def test_a_double_click_gets_the_same_answer(store: Store) -> None:
    """On both databases: two posts at once, one grant, one code, and both pages lead on with it."""
    stage = await open_stage(store)
    ana = Person(stage)
    consent = await ana.consent()
    pages = await asyncio.gather(*(ana.decide(consent) for _ in range(3)))
    assert len({page.answer["code"] for page in pages}) == 1
    assert len(await stage.all(Grant)) == len(await stage.all(AuthorizationCode)) == 1
    assert len(await stage.all(AuditEvent, kind="consent")) == 1


@pytest.mark.requirement("AS-147")
async def test_allow_and_deny_at_once_are_one_answer(store: Store) -> None:
    stage = await open_stage(store)
    ana = Person(stage)
    for _ in range(4):
        consent = await ana.consent()
        before = len(await stage.all(Grant))
        pages = await asyncio.gather(*(ana.decide(consent, d) for d in ("allow", "deny", "allow")))
        interaction_id = consent.url.rpartition("/")[2]
        pending = await stage.only(Interaction, interaction_id=interaction_id)
        made = len(await stage.all(Grant)) - before
        assert made == (0 if pending.denied_at else 1)
        told = {frozenset(page.answer) for page in pages if page.refresh}
        assert len(told) == 1


@pytest.mark.requirement("AS-147")
async def test_a_double_deny_gets_the_same_answer(stage: Stage, ana: Person) -> None:
    consent = await ana.consent()
    for _ in range(2):
        assert (await ana.decide(consent, "deny")).answer["error"] == "access_denied"
    closed = await ana.decide(consent, "allow")
    assert "already answered" in closed.title
    assert "You denied access to Claude Code" in closed.text
    assert await stage.all(Grant) == []


@pytest.mark.requirement("AS-147")
async def test_a_late_deny_does_not_pretend(stage: Stage, ana: Person) -> None:
    """Allowed, then signed in afresh in another tab, then Deny on the page of before."""
    consent = await ana.consent()
    await ana.decide(consent)
    await ana.sign_in(await ana.authorize(prompt="login"))
    page = await ana.decide(consent, "deny")
    assert "You allowed Claude Code" in page.text
    assert page.refresh is None
    assert (await stage.only(Grant)).revoked_at is None


@pytest.mark.requirement("AS-147", "AS-30")
async def test_once_the_code_is_spent_the_page_leads_nowhere(stage: Stage, ana: Person) -> None:
    consent = await ana.consent()
    code = (await ana.decide(consent)).answer["code"]
    await token.answer(
        form(
            grant_type="authorization_code",
            code=code,
            code_verifier=VERIFIER,
            client_id="client-1",
            redirect_uri=CALLBACK,
        ),
        None,
        stage.house,
    )
    again = await ana.decide(consent)
    assert again.refresh is None
    assert code not in again.html
    assert "already answered" in again.title


@pytest.mark.requirement("AS-30", "AS-132")
async def test_only_digests_of_secrets_are_kept(stage: Stage, ana: Person) -> None:
    page = await ana.decide(await ana.consent())
    secrets = [page.answer["code"], *ana.http.cookies.values()]
    kept = repr([await stage.all(r) for r in (Interaction, Session, AuthorizationCode, AuditEvent)])
    assert [secret for secret in secrets if secret in kept] == []
    assert (await stage.only(AuthorizationCode)).code_hash == name_of(page.answer["code"])


async def test_an_interaction_that_ran_out(stage: Stage, ana: Person) -> None:

    consent = await ana.consent()
    pending = await stage.only(Interaction)
    over = replace(pending, expires_at=int(time.time()) - 1)
    await stage.store.settle(lambda t: t.apply((Replace(pending, over),)))
    for page in (await ana.get(consent.url), await ana.decide(consent)):
        if page.status == 303:
            page = await ana.get(page.location or "")
        assert page.status == 410
        assert "run out" in page.title
    assert await stage.all(Grant) == []


async def test_a_client_that_changed_while_the_person_decided(stage: Stage, ana: Person) -> None:

    consent = await ana.consent()
    client = await stage.only(Client)
    await stage.store.settle(
        lambda t: t.apply((Replace(client, replace(client, digest="another")),))
    )
    page = await ana.decide(consent)
    assert page.status == 400
    assert "changed while it was waiting" in page.title
    assert await stage.all(Grant) == []


async def test_use_another_account(stage: Stage, ana: Person) -> None:
    consent = await ana.consent()
    switch = consent.form("/another-account")
    asked = await ana.post(switch.action, {"csrf": switch.controls[0].value})
    assert "Sign in to allow" in asked.title
    as_ben = await ana.sign_in(asked, "ben")
    assert "Signed in as ben" in as_ben.text
    # The page that was shown to Ana is no answer of Ben's.
    stale = await ana.decide(consent)
    assert stale.status == 403
    assert await stage.all(Grant) == []
    await ana.decide(as_ben)
    assert (await stage.only(Grant)).user_id == "user-ben"


async def test_a_request_may_come_by_post(ana: Person) -> None:
    pairs = [(n, v) for n, (v,) in parse_qs(authorization_query()).items()]
    page = await ana.post(
        "/authorize", pairs, sec_fetch_site="cross-site", origin="https://app.example"
    )
    assert "Sign in to allow Claude Code" in page.title


async def test_private_scheme_target(stage: Stage, ana: Person) -> None:
    address = "cursor://anysphere.cursor-mcp/oauth/callback"
    await stage.put(app_client(client_id="cursor", redirect_uris=(address,)))
    page = await ana.decide(await ana.consent(client_id="cursor", redirect_uri=address))
    assert page.refresh is not None
    assert page.refresh.startswith(address + "?code=")
    assert urlsplit(page.refresh).scheme == "cursor"


@pytest.mark.parametrize("ending", ["", "/"])
async def test_an_issuer_with_a_path(sqlite_path: Path, ending: str) -> None:
    issuer = f"{ISSUER}/auth/tenant{ending}"
    store = SqliteStore(str(sqlite_path))
    stage = await open_stage(store, policy=replace(POLICY, issuer=issuer))
    ana = Person(stage, base="/auth/tenant")
    consent = await ana.consent()
    assert urlsplit(consent.url).path.startswith("/auth/tenant/interaction/")
    for part in consent.html.split('href="')[1:] + consent.html.split('src="')[1:]:
        assert part.startswith("/auth/tenant/")
    style = consent.html.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert (await ana.http.get(style)).headers["content-type"].startswith("text/css")
    assert (await ana.decide(consent)).answer["iss"] == issuer
    assert "Claude Code" in (await ana.get("/auth/tenant/account")).text
    for home in ("/auth/tenant", "/auth/tenant/"):
        assert "asks you first" in (await ana.get(home)).text
    assert (await ana.get("/account")).status == 404
    await store.close()
