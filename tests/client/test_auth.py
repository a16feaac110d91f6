"""The httpx2 auth: tokens go where they belong, are renewed before anybody is bothered, once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import Denied, LatchError, SignInNeeded, Unreachable
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.step_up import StepUp
from mcplatch.client.wallet import Wallet
from tests.client.table import ISSUER, PRM, SERVER
from tests.client.test_tokens import HELD
from tests.client.town import Clicker, Town, now

pytestmark = pytest.mark.anyio

TOKEN = f"{ISSUER}/token"


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)


def auth_for(town: Town, wallet: Wallet, **how: Any) -> LatchAuth:
    return LatchAuth(
        SignInRequest(SERVER), wallet, person=Clicker(town), open_http=town.open_http, **how
    )


def client(town: Town, auth: LatchAuth, **how: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=town, auth=auth, **how)


def signed_in(town: Town, wallet: Wallet, *, scope: str = "basic", expires_in: int = 600) -> None:
    """As after a sign-in in an earlier run."""
    answer = town.issue(scope).json()
    wallet.keep(
        replace(
            HELD,
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            scope=tuple(scope.split()),
            obtained_at=now() - 600 + expires_in,
            expires_at=now() + expires_in,
        )
    )


async def test_the_first_request_signs_in_and_goes_out_again_whole(wallet: Wallet) -> None:
    town = Town()
    async with client(town, auth_for(town, wallet)) as http:
        answer = await http.post(SERVER, json={"id": 1})
        assert answer.text == 'at-1 {"id":1}'
        assert (await http.post(SERVER, json={"id": 2})).status_code == 200
    assert len(town.visits) == 1
    assert len(town.asked(PRM)) == 1
    held = wallet.find(SERVER)
    assert held is not None
    assert held.access_token == "at-1"


@pytest.mark.requirement("CL-50")
async def test_the_token_is_on_every_request_and_in_no_address(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet)) as http:
        for method in ("GET", "POST", "DELETE"):
            await http.request(method, SERVER)
    assert [r.headers["authorization"] for r in town.asked(SERVER)] == ["Bearer at-1"] * 3
    assert not any("at-1" in str(request.url) for request in town.seen)


@pytest.mark.requirement("CL-50")
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/mcp",
        "http://notes.example/mcp",
        "https://notes.example:8443/mcp",
        "https://notes.example.evil.example/",
    ],
)
async def test_the_token_does_not_follow_a_redirect_elsewhere(wallet: Wallet, target: str) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet), follow_redirects=True) as http:
        await http.get(SERVER, headers={"location": target})
    assert str(town.seen[-1].url) == target
    assert "authorization" not in town.seen[-1].headers


@pytest.mark.requirement("CL-50")
async def test_what_somebody_else_refuses_leads_to_no_sign_in(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet), follow_redirects=True) as http:
        answer = await http.get(SERVER, headers={"location": "https://evil.example/mcp"})
    assert answer.status_code == 401
    assert (town.visits, town.refreshed) == ([], 0)
    assert not [request for request in town.seen if request.url.path.endswith("/prm")]


@pytest.mark.requirement("CL-50")
async def test_a_client_shared_with_other_servers_gives_them_nothing(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get("https://evil.example/mcp")).status_code == 401
    assert town.bearers("evil.example") == []
    assert not town.visits


@pytest.mark.requirement("CL-53", "E6")
async def test_e6_a_restart_refreshes_before_it_sends_and_before_it_asks_anybody(
    wallet: Wallet,
) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    town.access.clear()
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).text.startswith("at-2")
    assert town.bearers("notes.example") == ["Bearer at-2"]
    assert not town.visits


@pytest.mark.requirement("CL-24", "CL-53", "E7")
async def test_e7_a_refresh_token_only_ever_reaches_its_issuer(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    async with client(town, auth_for(town, wallet)) as http:
        await http.get(SERVER)
    told = [str(r.url) for r in town.seen if b"refresh_token" in r.content]
    assert told == [TOKEN]


@pytest.mark.requirement("CL-53")
async def test_a_token_refused_in_spite_of_its_date_is_refreshed_once(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    town.access.clear()
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).text.startswith("at-2")
    assert (town.refreshed, len(town.visits)) == (1, 0)


@pytest.mark.requirement("E20")
async def test_e20_requests_do_not_wait_for_each_other(wallet: Wallet) -> None:
    town = Town(slow=0.4)
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet)) as http:
        before = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(http.get, SERVER)
        assert time.monotonic() - before < 0.8


@pytest.mark.requirement("CL-54")
@pytest.mark.parametrize("expires_in", [-100, 600])
async def test_many_tasks_refresh_once(wallet: Wallet, expires_in: int) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=expires_in)
    town.access.clear()
    answers: list[int] = []
    shared, another = auth_for(town, wallet), auth_for(town, wallet)

    async def ask(auth: LatchAuth) -> None:
        async with client(town, auth) as http:
            answers.append((await http.get(SERVER)).status_code)

    async with anyio.create_task_group() as tasks:
        for auth in [shared, another] * 10:
            tasks.start_soon(ask, auth)
    assert answers == [200] * 20
    assert town.refreshed == 1


async def test_many_tasks_open_one_browser(wallet: Wallet) -> None:
    town = Town()
    auth = auth_for(town, wallet)
    async with client(town, auth) as http, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(http.get, SERVER)
    assert len(town.visits) == 1


@pytest.mark.requirement("CL-55")
async def test_a_grant_that_is_gone_leads_to_a_sign_in(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    town.refreshes.clear()
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).status_code == 200
    assert len(town.visits) == 1


@pytest.mark.requirement("CL-54", "CL-55")
async def test_a_grant_somebody_else_has_renewed_without_the_lock_is_not_gone(
    wallet: Wallet,
) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    town.refreshes.clear()
    town.meanwhile = lambda: signed_in(town, wallet)
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).text.startswith("at-2")
    assert len(town.asked(SERVER)) == 1
    assert not town.visits


@pytest.mark.requirement("CL-55")
async def test_nobody_is_asked_where_nobody_may_be(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    town.refreshes.clear()
    auth = auth_for(town, wallet, interactive=False)
    async with client(town, auth) as http:
        with pytest.raises(SignInNeeded) as caught:
            await http.get(SERVER)
    assert "mcplatch login" in caught.value.next_step
    assert not town.visits
    assert wallet.find(SERVER) is None


@pytest.mark.requirement("CL-55")
@pytest.mark.parametrize("status", [500, 503, 429])
async def test_trouble_at_the_token_endpoint_keeps_the_tokens(wallet: Wallet, status: int) -> None:
    town = Town(sick=status)
    signed_in(town, wallet, expires_in=-100)
    async with client(town, auth_for(town, wallet)) as http:
        with pytest.raises(Unreachable):
            await http.get(SERVER)
        assert wallet.find(SERVER) is not None
        town.sick = 0
        assert (await http.get(SERVER)).status_code == 200
    assert not town.visits


@pytest.mark.requirement("CL-10")
async def test_a_token_endpoint_that_is_gone_is_looked_for_anew(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet, expires_in=-100)
    held = wallet.find(SERVER)
    assert held is not None
    wallet.keep(replace(held, token_endpoint=f"{ISSUER}/old-token"))
    town.access.clear()
    async with client(town, auth_for(town, wallet, interactive=False)) as http:
        with pytest.raises(LatchError):
            await http.get(SERVER)
    assert wallet.find(SERVER) is not None
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).status_code == 200
    assert len(town.visits) == 1


async def test_trouble_is_no_reason_to_stop_while_the_token_lives(wallet: Wallet) -> None:
    town = Town(sick=503)
    signed_in(town, wallet, expires_in=10)
    async with client(town, auth_for(town, wallet)) as http:
        assert (await http.get(SERVER)).status_code == 200


@pytest.mark.requirement("CL-53")
async def test_new_tokens_are_stored_although_the_caller_has_left(wallet: Wallet) -> None:
    town = Town(late=0.3)
    signed_in(town, wallet, expires_in=-100)
    async with client(town, auth_for(town, wallet)) as http:
        with anyio.move_on_after(0.15):
            await http.get(SERVER)
    assert town.refreshed == 1
    held = wallet.find(SERVER)
    assert held is not None
    assert held.refresh_token in town.refreshes


async def test_what_another_program_stores_is_used(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet)) as http:
        await http.get(SERVER)
        signed_in(town, Wallet(wallet.directory, find_keyring=lambda: None))
        assert (await http.get(SERVER)).text.startswith("at-2")


@pytest.mark.requirement("CL-56")
async def test_more_access_is_a_question_then_a_new_authorization_then_a_retry(
    wallet: Wallet,
) -> None:
    town, asked = Town(), []
    signed_in(town, wallet)

    async def ask(step: StepUp) -> bool:
        asked.append((step, len(town.visits)))
        return True

    async with client(town, auth_for(town, wallet, on_step_up=ask)) as http:
        answer = await http.post(SERVER, headers={"need": "admin"}, json={})
    assert answer.status_code == 200
    assert asked == [(StepUp(("admin",), ("basic", "admin")), 0)]
    assert town.visits[0].scope == ("basic", "admin")
    assert town.refreshed == 0
    held = wallet.find(SERVER)
    assert held is not None
    assert held.scope == ("basic", "admin")


@pytest.mark.requirement("CL-56")
async def test_a_declined_question_opens_nothing(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet, on_step_up=lambda _: False)) as http:
        with pytest.raises(Denied) as caught:
            await http.post(SERVER, headers={"need": "admin"})
    assert caught.value.error == "insufficient_scope"
    assert not town.visits


@pytest.mark.requirement("CL-56")
async def test_a_server_that_never_has_enough_is_given_up(wallet: Wallet) -> None:
    town = Town(grants="basic")
    signed_in(town, wallet)
    auth = auth_for(town, wallet)
    async with client(town, auth) as http:
        for _ in range(6):
            with pytest.raises(Denied):
                await http.post(SERVER, headers={"need": "admin"})
        assert len(town.visits) == 3
        assert (await http.get(SERVER)).status_code == 200


@pytest.mark.requirement("CL-56")
async def test_without_a_person_more_access_is_an_error_that_says_how(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    async with client(town, auth_for(town, wallet, interactive=False)) as http:
        with pytest.raises(SignInNeeded) as caught:
            await http.post(SERVER, headers={"need": "admin"})
    assert caught.value.missing == ("admin",)
    assert "--scope 'basic admin'" in caught.value.next_step


async def test_a_caller_may_have_the_refusal_instead_of_an_exception(wallet: Wallet) -> None:
    town = Town()
    auth = auth_for(town, wallet, interactive=False, raises=False)
    async with client(town, auth) as http:
        assert (await http.get(SERVER)).status_code == 401
    assert isinstance(auth.trouble, SignInNeeded)


async def test_signing_out_revokes_and_forgets(wallet: Wallet) -> None:
    town = Town()
    signed_in(town, wallet)
    auth = auth_for(town, wallet)
    assert await auth.account.log_out() == ("refresh_token", "access_token")
    assert await auth.account.log_out() is None
    assert wallet.find(SERVER) is None


@pytest.mark.requirement("CL-57")
async def test_no_log_line_holds_a_token(wallet: Wallet, caplog: pytest.LogCaptureFixture) -> None:
    town = Town()
    caplog.set_level("DEBUG")
    signed_in(town, wallet, expires_in=-100)
    async with client(town, auth_for(town, wallet)) as http:
        await http.post(SERVER, headers={"need": "admin"})
    for text in ("at-1", "at-2", "rt-1", "rt-2", "code basic"):
        assert text not in caplog.text


# -- without a loop ------------------------------------------------------------------------------------


def test_the_same_without_coroutines(tmp_path: Path) -> None:
    town, wallet = Town(), Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)
    with httpx2.Client(transport=town, auth=auth_for(town, wallet)) as http:
        assert http.post(SERVER, json={}).text == "at-1 {}"
        assert http.post(SERVER, headers={"need": "admin"}).status_code == 200
        town.access.clear()
        assert http.get(SERVER).status_code == 200
    assert (len(town.visits), town.refreshed) == (2, 1)


def test_errors_without_coroutines(tmp_path: Path) -> None:
    town, wallet = Town(), Wallet(tmp_path, find_keyring=lambda: None)
    auth = auth_for(town, wallet, interactive=False)
    with httpx2.Client(transport=town, auth=auth) as http, pytest.raises(LatchError):
        http.get(SERVER)
