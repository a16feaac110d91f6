"""Passwords are guessed slowly, names not at all, and honest people come in (security row 42)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcplatch.authorization_server.authorize import REQUESTS_TOO_MANY
from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import PASSWORD, POLICY, Person, Stage, open_stage, user

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("nobody", PASSWORD),
        ("locked", PASSWORD),
        ("", ""),
        ("ana", ""),
        ("nopass", PASSWORD),
        ("ANA", PASSWORD),
    ],
)
async def test_a_wrong_name_looks_like_a_wrong_password(
    stage: Stage, username: str, password: str
) -> None:
    await stage.put(user("locked", locked_at=5), user("nopass", password_hash=None))
    known, other = Person(stage), Person(stage)
    wrong = await known.sign_in(await known.authorize(), "ana", "wrong")
    page = await other.sign_in(await other.authorize(), username, password)
    assert (page.status, page.title) == (wrong.status, wrong.title) == (200, wrong.title)
    assert page.text == wrong.text
    assert "The user name or the password is wrong" in page.text
    assert {*page.response.headers} == {*wrong.response.headers}


async def test_after_a_wrong_password_the_right_one_goes_on(ana: Person) -> None:
    """What the demonstration lacked: the page comes back, says what is wrong, and works."""
    wrong = await ana.sign_in(await ana.authorize(), "ana", "wrong")
    assert 'value="ana"' in wrong.html
    assert "wrong" in wrong.title.lower() + wrong.text
    assert "Allow Claude Code" in (await ana.sign_in(wrong)).title


async def test_blanks_around_a_name_are_a_slip(ana: Person) -> None:
    assert "Allow" in (await ana.sign_in(await ana.authorize(), "  ana ")).title


async def test_guessing_gets_slower_and_says_how_long(stage: Stage, ana: Person) -> None:
    page = await ana.authorize()
    for _ in range(9):
        page = await ana.sign_in(page, "ana", "wrong")
        assert page.status == 200
    for password in ("wrong", PASSWORD):  # right or wrong, it is not looked at
        page = await ana.sign_in(page, "ana", password)
        assert page.status == 429
        assert "Too many wrong passwords" in page.text
        assert "Try again in 1 second." in page.text
        assert page.response.headers["retry-after"] == "1"
    elsewhere = Person(stage, address="198.51.100.9")
    assert "Allow" in (await elsewhere.sign_in(await elsewhere.authorize())).title


async def test_an_unknown_name_is_slowed_down_alike(ana: Person) -> None:
    page = await ana.authorize()
    for _ in range(9):
        page = await ana.sign_in(page, "nobody", "wrong")
    assert (await ana.sign_in(page, "nobody", "wrong")).status == 429


async def test_many_honest_sign_ins_pass(stage: Stage) -> None:
    """One pass over the clients people have: 31 sign-ins of one account from one address."""
    for number in range(31):
        ana = Person(stage)
        page = await ana.authorize()
        if number % 3 == 0:
            page = await ana.sign_in(page, "ana", "wrong")
        assert "Allow" in (await ana.sign_in(page)).title


async def test_too_many_requests_from_one_address_are_not_the_app_s_fault(
    sqlite_path: Path,
) -> None:
    store = SqliteStore(str(sqlite_path))
    limit = replace(POLICY.authorizations_per_address, times=2)
    stage = await open_stage(store, policy=replace(POLICY, authorizations_per_address=limit))
    pages = [await Person(stage).authorize() for _ in range(4)]
    assert [page.status for page in pages] == [200, 200, 429, 429]
    assert "cannot be answered right now" in pages[3].title
    assert REQUESTS_TOO_MANY.sentence in pages[3].text
    assert "author must fix" not in pages[3].text
    elsewhere = Person(stage, address="198.51.100.9")
    assert (await elsewhere.authorize()).status == 200
    await store.close()
