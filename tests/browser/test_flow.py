"""The real flow in a real Chromium without JavaScript: tabs, back, double clicks, the form-action trap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mcplatch.records import AuthorizationCode, Grant
from tests.browser.chromium import chromium
from tests.browser.live import Live, live
from tests.browser.screenshots import LOOKS
from tests.web.stage import PASSWORD, app_client

pytestmark = pytest.mark.slow
SECONDS = 1000
CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server(tmp_path: Path, sqlite_template: Path) -> Iterator[Live]:
    with live(tmp_path / "live.db", sqlite_template) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(java_script_enabled=False)
    opened.set_default_timeout(10 * SECONDS)
    yield opened
    opened.close()


def sign_in(tab: Page, password: str = PASSWORD, username: str = "ana") -> None:
    tab.get_by_label("User name").fill(username)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()


def answer(server: Live, tab: Page) -> dict[str, str]:
    """What the client was told last, once the browser has got there."""
    expect(tab.get_by_role("heading")).to_have_text("The client has its answer")
    return {name: value for name, (value,) in parse_qs(urlsplit(server.told[-1]).query).items()}


@pytest.mark.requirement("AS-20", "AS-28", "AS-149")
def test_the_whole_way_without_javascript(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    expect(tab).to_have_title("Sign in to allow Claude Code to use Team Calendar · Example Works")
    sign_in(tab, "wrong")
    expect(tab.get_by_role("alert")).to_contain_text("The user name or the password is wrong")
    expect(tab.get_by_label("User name")).to_have_value("ana")
    sign_in(tab)
    expect(tab.get_by_role("heading", level=1)).to_have_text(
        "Allow Claude Code to use Team Calendar?"
    )
    expect(tab.get_by_label("Know your user name")).to_be_disabled()
    expect(tab.get_by_label("See your events")).to_be_checked()
    expect(tab.get_by_label("Create and edit events")).not_to_be_checked()
    expect(tab.get_by_label("Delete events")).not_to_be_checked()
    tab.get_by_label("Create and edit events").check()
    tab.get_by_label("1 day").check()
    tab.get_by_role("button", name="Allow", exact=True).click()
    told = answer(server, tab)
    assert told["iss"] == server.issuer
    (grant,) = server.all(Grant)
    assert grant.scope == ("profile", "events:read", "events:write")
    assert grant.expires_at - grant.created_at == 86400


@pytest.mark.parametrize("hop", ["callback", "hops"])
def test_form_action_does_not_stop_the_way_back(
    server: Live, context: BrowserContext, hop: str
) -> None:
    """Chromium applies form-action to every hop after a post; the way back must not be such a hop."""
    target = server.callback.replace("/callback", f"/{hop}")
    server.put(app_client(client_id="hopper", redirect_uris=(target,)))
    server.callback = target
    tab = context.new_page()
    blocked: list[str] = []
    tab.on("console", lambda message: blocked.append(message.text))
    tab.goto(server.link(client_id="hopper"))
    sign_in(tab)
    tab.get_by_role("button", name="Allow", exact=True).click()
    assert answer(server, tab)["code"]
    assert [text for text in blocked if "Content Security Policy" in text] == []


def test_a_program_link_stays_on_the_page_with_a_link(
    server: Live, context: BrowserContext
) -> None:
    server.put(app_client(client_id="cursor", client_name="Cursor", redirect_uris=(CURSOR,)))
    server.callback = CURSOR
    tab = context.new_page()
    blocked: list[str] = []
    tab.on("console", lambda message: blocked.append(message.text))
    tab.goto(server.link(client_id="cursor"))
    sign_in(tab)
    tab.get_by_role("button", name="Allow", exact=True).click()
    link = tab.get_by_role("link", name="Continue to Cursor")
    expect(link).to_be_visible()
    address = link.get_attribute("href") or ""
    assert address.startswith(f"{CURSOR}?code=")
    assert [text for text in blocked if "Content Security Policy" in text] == []


def test_deny(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    tab.get_by_role("button", name="Deny").click()
    assert answer(server, tab)["error"] == "access_denied"
    assert server.all(Grant) == []


def test_enter_in_the_consent_form_does_not_allow(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    tab.get_by_label("See your events").press("Enter")
    assert answer(server, tab)["error"] == "access_denied"
    assert server.all(Grant) == []


@pytest.mark.requirement("AS-147")
def test_two_tabs(server: Live, context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    first.goto(server.link(state="one"))
    second.goto(server.link(state="two"))
    sign_in(first)
    sign_in(second)
    first.get_by_role("button", name="Allow", exact=True).click()
    assert answer(server, first)["state"] == "one"
    second.get_by_role("button", name="Allow", exact=True).click()
    assert answer(server, second)["state"] == "two"
    assert len(server.all(Grant)) == 2


@pytest.mark.requirement("AS-147")
def test_back_and_reload(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    tab.reload()
    tab.go_back()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Allow Claude Code to use")
    tab.get_by_role("button", name="Allow", exact=True).click()
    code = answer(server, tab)["code"]
    tab.go_back()
    expect(tab.get_by_role("heading", level=1)).to_have_text("This question is already answered")
    tab.reload()
    tab.get_by_role("link", name="Continue to Claude Code").click()
    assert answer(server, tab)["code"] == code
    assert len(server.all(Grant)) == len(server.all(AuthorizationCode)) == 1


@pytest.mark.requirement("AS-147")
def test_a_double_click_reaches_the_client_once_more_or_less(
    server: Live, context: BrowserContext
) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    tab.get_by_role("button", name="Allow", exact=True).dblclick()
    assert answer(server, tab)["code"]
    codes = {parse_qs(urlsplit(path).query)["code"][0] for path in server.told}
    assert len(codes) == len(server.all(AuthorizationCode)) == len(server.all(Grant)) == 1


@pytest.mark.requirement("AS-147")
def test_another_browser_cannot_go_on(server: Live, browser: Browser) -> None:
    mine, theirs = browser.new_context(), browser.new_context()
    tab = mine.new_page()
    tab.goto(server.link())
    sign_in(tab)
    other = theirs.new_page()
    other.goto(tab.url)
    expect(other.get_by_role("heading", level=1)).to_have_text(
        "This page belongs to another browser"
    )
    mine.close()
    theirs.close()


@pytest.mark.requirement("AS-28")
def test_no_page_can_be_framed(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    framed = server.callback.replace("/callback", "/frame")
    frame = f'<iframe src="{server.issuer}/account" width=400 height=300></iframe>'
    context.route(framed, lambda route: route.fulfill(body=frame, content_type="text/html"))
    tab.goto(framed)
    (inner,) = tab.main_frame.child_frames
    assert "Sign in" not in inner.content()


@pytest.mark.requirement("AS-147")
@pytest.mark.parametrize("step", ["consent", "password", "another-account"])
def test_a_form_on_another_port_of_localhost_is_refused(
    server: Live, context: BrowserContext, step: str
) -> None:
    """Another port is the same site: SameSite does not help there, the browser's own word does."""
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    token = tab.locator("input[name=csrf]").first.get_attribute("value")
    action = f"{tab.url}/{step}"
    form = (
        f'<form method=post action="{action}"><input name=csrf value="{token}">'
        "<input name=decision value=allow><input type=submit value=Go></form>"
    )
    elsewhere = server.callback.replace("127.0.0.1", "localhost").replace("/callback", "/forge")
    context.route(elsewhere, lambda route: route.fulfill(body=form, content_type="text/html"))
    tab.goto(elsewhere)
    tab.get_by_role("button", name="Go").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(
        "This did not come from a page of this server"
    )
    assert server.all(Grant) == []


def test_connected_apps(server: Live, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(server.link())
    sign_in(tab)
    tab.get_by_role("button", name="Allow reading only").click()
    answer(server, tab)
    tab.goto(f"{server.issuer}/account")
    expect(tab.get_by_role("heading", level=2)).to_contain_text("Claude Code uses Team Calendar")
    tab.get_by_role("button", name="Disconnect Claude Code from Team Calendar").click()
    expect(tab.get_by_role("status")).to_contain_text("Claude Code is disconnected")
    assert [grant.revoked_because for grant in server.all(Grant)] == ["person-disconnected"]
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("You are signed out")
    tab.get_by_role("link", name="Sign in again").click()
    sign_in(tab)
    expect(tab.get_by_text("No app is connected")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
def test_the_keyboard_is_enough(server: Live, browser: Browser, look: str) -> None:
    settings: dict[str, Any] = LOOKS[look]
    context = browser.new_context(java_script_enabled=False, **settings)
    tab = context.new_page()
    tab.goto(server.link())
    expect(tab.get_by_label("User name")).to_be_focused()
    tab.keyboard.type("ana")
    tab.keyboard.press("Tab")
    tab.keyboard.type(PASSWORD)
    tab.keyboard.press("Enter")
    allow = tab.get_by_role("button", name="Allow", exact=True)
    expect(allow).to_be_visible()
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.locator("button[value=allow]:focus").count():
            break
    outline = tab.screenshot()
    tab.keyboard.press("Enter")
    assert outline
    assert answer(server, tab)["code"]
    context.close()
