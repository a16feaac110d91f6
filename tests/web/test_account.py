"""A person's own pages: see what was allowed, take it back, sign out (AS-145)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcplatch.authorization_server import token
from mcplatch.authorization_server.decision import Refused
from mcplatch.records import AuditEvent, Client, Grant
from mcplatch.store.port import Replace
from tests.web.stage import CALLBACK, Page, Person, Stage, app_client
from tests.world import VERIFIER, form, grant

pytestmark = pytest.mark.anyio
MAIL = "http://localhost:8002/mcp"


async def account(person: Person, username: str = "ana") -> Page:
    page = await person.get("/account")
    return await person.sign_in(page, username) if "password" in page.html else page


def button_token(page: Page) -> str:
    return next(form for form in page.forms if "account" in form.action).controls[0].value


async def test_the_account_asks_who_it_is_first(ana: Person) -> None:
    page = await ana.get("/account")
    assert page.title == "Sign in · Example Works"
    wrong = await ana.sign_in(page, "ana", "wrong")
    assert "The user name or the password is wrong" in wrong.text
    assert "No app is connected" in (await ana.sign_in(wrong)).text


async def test_a_card_says_what_was_allowed_since_when_and_until_when(ana: Person) -> None:
    await ana.decide(await ana.consent(), ticks=["events:read", "events:delete"], days="1")
    page = await ana.get("/account")
    for words in (
        "Claude Code uses Team Calendar",
        "a program on your computer (127.0.0.1:5000)",
        "See your events",
        "Delete events",
        "a moment ago",
        "never",
        "Disconnect",
        "within 10 minutes at all others",
    ):
        assert words in page.text, words
    assert "Create and edit events" not in page.text
    assert "Disconnect everything" not in page.text


@pytest.mark.requirement("AS-145")
async def test_disconnect_ends_the_grant_and_is_witnessed_once(stage: Stage, ana: Person) -> None:
    code = (await ana.decide(await ana.consent())).answer["code"]
    page = await ana.get("/account")
    given = await stage.only(Grant)
    for _ in range(2):  # a double click
        page = (
            await ana.post(
                "/account/disconnect", {"csrf": button_token(page), "grant_id": given.grant_id}
            )
            if page.forms[1:]
            else page
        )
    ended = await stage.only(Grant)
    assert ended.revoked_because == "person-disconnected"
    assert ended.revoked_at is not None
    event = await stage.only(AuditEvent, kind="grant-revoked")
    assert (event.grant_id, event.user_id, event.address) == (
        given.grant_id,
        "user-ana",
        "203.0.113.7",
    )
    assert "No app is connected" in (await ana.get("/account")).text
    refused = await token.answer(
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
    assert isinstance(refused, Refused)
    assert refused.reason.name == "grant-revoked"


async def test_disconnect_everything(stage: Stage, ana: Person) -> None:
    await ana.decide(await ana.consent())
    await ana.decide(await ana.consent(resource=MAIL, scope="mail:read"))
    page = await ana.get("/account")
    assert "Disconnect everything" in page.text
    done = await ana.post("/account/disconnect", {"csrf": button_token(page), "grant_id": "*"})
    assert "Everything is disconnected" in done.text
    assert [g for g in await stage.all(Grant) if g.revoked_at is None] == []
    assert len(await stage.all(AuditEvent, kind="grant-revoked")) == 2


@pytest.mark.parametrize("grant_id", ["of-ben", "", "nothing", "' or 1=1"])
async def test_nobody_disconnects_what_is_not_theirs(
    stage: Stage, ana: Person, grant_id: str
) -> None:
    await stage.put(grant(grant_id="of-ben", user_id="user-ben", expires_at=4_000_000_000))
    await ana.decide(await ana.consent())
    page = await ana.get("/account")
    assert "of-ben" not in page.html
    done = await ana.post("/account/disconnect", {"csrf": button_token(page), "grant_id": grant_id})
    assert "disconnected already" in done.text
    assert [g.grant_id for g in await stage.all(Grant) if g.revoked_at is not None] == []


@pytest.mark.parametrize("path", ["/account/disconnect", "/sign-out"])
@pytest.mark.parametrize("token_sent", ["", "wrong"])
async def test_forged_posts_change_nothing(
    stage: Stage, ana: Person, path: str, token_sent: str
) -> None:
    await ana.decide(await ana.consent())
    page = await ana.post(path, {"csrf": token_sent, "grant_id": "*"})
    assert page.status == 403
    foreign = await ana.post(
        path,
        {"csrf": button_token(await ana.get("/account")), "grant_id": "*"},
        sec_fetch_site="same-site",
    )
    assert foreign.status == 403
    assert (await stage.only(Grant)).revoked_at is None
    assert "Signed in as Ana" in (await ana.get("/account")).text


async def test_login_forgery_is_refused(stage: Stage, ana: Person) -> None:
    """A stranger's form that signs a person in as the stranger."""
    await ana.get("/account")
    mallory = Person(stage)
    theirs = (await mallory.get("/account")).forms[0].controls[0].value
    fields = {"csrf": theirs, "username": "ben", "password": "correct horse battery staple"}
    assert (await ana.post("/sign-in", fields)).status == 403
    assert "Sign in" in (await ana.get("/account")).title


async def test_sign_out_ends_the_session_and_not_the_apps(stage: Stage, ana: Person) -> None:
    await ana.decide(await ana.consent())
    page = await ana.get("/account")
    secret = ana.http.cookies["mcplatch-9000-session"]
    out = await ana.post("/sign-out", {"csrf": button_token(page)})
    assert "You are signed out" in out.title
    assert "mcplatch-9000-session" not in ana.http.cookies
    thief = Person(stage)
    response = await thief.http.get(
        "/account", headers={"cookie": f"mcplatch-9000-session={secret}"}
    )
    assert "<title>Sign in" in response.text
    assert (await stage.only(Grant)).revoked_at is None
    assert (await stage.only(AuditEvent, kind="sign-out")).user_id == "user-ana"


async def test_what_ran_out_or_lost_its_server_is_shown_honestly(stage: Stage, ana: Person) -> None:
    await stage.put(
        grant(grant_id="over", user_id="user-ana", client_name="Overdue", expires_at=5),
        grant(
            grant_id="gone",
            user_id="user-ana",
            client_name="Orphan",
            resource="https://gone.example/mcp",
            scope=("strange:thing",),
            expires_at=4_000_000_000,
        ),
    )
    page = await account(ana)
    assert "Overdue" not in page.text
    assert "Orphan uses https://gone.example/mcp" in page.text
    assert "strange:thing" in page.text
    assert "cannot be undone" in page.text


async def test_home_says_what_this_is(ana: Person) -> None:
    assert "Apps and agents that want to use MCP servers" in (await ana.get("/")).text
    await ana.consent()
    assert "Signed in as Ana López (ana)" in (await ana.get("/")).text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/account/disconnect"])
async def test_addresses_of_forms_lead_to_the_account(ana: Person, path: str) -> None:
    assert (await ana.get(path)).title == "Sign in · Example Works"


@pytest.mark.requirement("AS-145")
async def test_a_published_client_is_shown_by_its_host(stage: Stage, ana: Person) -> None:
    """AS-72 as the page sees it: the document was read by the clients' own door before."""
    await ana.consent()
    client = await stage.only(Client)
    document = app_client(
        client_id="https://wayfarer.example/client.json",
        kind="document",
        client_name="Wayfarer",
        redirect_uris=("https://app.wayfarer.example/cb",),
    )
    await stage.store.settle(
        lambda t: t.apply((Replace(client, replace(client, kind="registered")),))
    )
    known = await ana.authorize()
    assert "Added by the administrator of this server" in known.text
    from mcplatch.web.wording import client_origin, target_of

    assert client_origin(document)[0] == "wayfarer.example"
    assert target_of(document.redirect_uris[0]) == ("web", "app.wayfarer.example")
