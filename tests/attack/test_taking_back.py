"""What was taken away must be gone: for locked people, removed resources, and pages full of old rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcplatch.authorization_server import connected_apps, introspect, register, sessions, token
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.operator import clients, people
from mcplatch.authorization_server.policy import Lifetimes
from mcplatch.moment import Moment
from mcplatch.records import Client, Grant, Record, User
from mcplatch.store.port import Put, Replace, Sweep, Transaction
from mcplatch.store.sqlite import SqliteStore
from tests import world
from tests.web.stage import POLICY, Person, open_stage

pytestmark = pytest.mark.anyio

DAY = 86400


@pytest.fixture
async def house(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[House]:
    """A house in which Ana has allowed client-1 to use Notes, with a live refresh token."""
    store = SqliteStore(str(shutil.copy(sqlite_template, tmp_path / "latch.db")))
    opened = await world.house(store)
    now = await store.look(lambda t: t.now)
    ana = User(user_id="user-1", username="ana", name="", created_at=1)
    records: list[Record] = [
        ana,
        world.client(created_at=now),
        world.grant(created_at=now, expires_at=now + 90 * DAY),
        world.refresh_token(created_at=now, expires_at=now + 30 * DAY),
    ]
    await store.settle(lambda t: t.apply(Put(record) for record in records))
    yield opened
    await store.close()


async def change(house: House, record: type[Record], key: dict[str, str], **to: object) -> None:
    def work(transaction: Transaction) -> int:
        found = transaction.one(record, **key)  # type: ignore[arg-type]
        assert found is not None
        return transaction.apply((Replace(found, replace(found, **to)),))  # type: ignore[arg-type]

    await house.store.settle(work)


async def refresh(house: House, secret: str = "refresh-1") -> bytes | Refused:
    form = world.form(grant_type="refresh_token", refresh_token=secret, client_id="client-1")
    return await token.answer(form, None, house)


async def test_a_refresh_works_at_all(house: House) -> None:
    assert isinstance(await refresh(house), bytes)


async def test_a_locked_person_grants_nothing_any_more(house: House) -> None:
    """Whoever locks an account wants its agents stopped, not only its browsers."""
    await house.store.settle(lambda t: people.lock_user(t, username="ana"))
    assert isinstance(await refresh(house), Refused)


async def test_a_resource_that_is_gone_gets_no_tokens(house: House) -> None:
    mail_only = tuple(r for r in house.policy.resources if r.identifier == world.MAIL)
    house.policy = replace(house.policy, resources=mail_only)
    assert isinstance(await refresh(house), Refused)


async def test_tokens_of_a_blocked_client_are_not_active(house: House) -> None:
    body = await refresh(house)
    assert isinstance(body, bytes)
    access_token = body.split(b'"access_token":"')[1].split(b'"')[0].decode()
    asked = world.form(token=access_token)
    secret = world.basic(world.NOTES, "notes-secret")
    assert await introspect.answer(asked, secret, house) is not None
    await house.store.settle(lambda t: clients.remove_client(t, client_id="client-1"))
    assert await introspect.answer(asked, secret, house) is None


async def signed_in(house: House, *grants: Grant) -> str:
    """Ana's session, after these grants were added."""

    def work(transaction: Transaction) -> str:
        ana = transaction.one(User, user_id="user-1")
        assert ana is not None
        moment = Moment(transaction.now)
        opened = sessions.open_session(
            ana, None, policy=house.policy, moment=moment, address=None, method="password"
        )
        transaction.apply((*opened.changes, *(Put(grant) for grant in grants)))
        return opened.secret

    return await house.store.settle(work)


@pytest.mark.requirement("AS-150")
async def test_what_ran_out_does_not_hide_what_lives(house: House) -> None:
    """Two hundred one-day permissions that are over must not push the live one off the page."""
    now = await house.store.look(lambda t: t.now)
    over = [
        world.grant(grant_id=f"over-{n}", created_at=now + 1, expires_at=now) for n in range(250)
    ]
    secret = await signed_in(house, *over)
    account = await connected_apps.look(secret, house)
    assert account is not None
    assert [grant.grant_id for grant in account.grants] == ["grant-1"]


@pytest.mark.requirement("AS-150")
async def test_disconnecting_everything_leaves_nothing(house: House) -> None:
    """The page says that everything is disconnected; also when it is more than a page can show."""
    now = await house.store.look(lambda t: t.now)
    many = [
        world.grant(grant_id=f"live-{n}", created_at=now + 1, expires_at=now + DAY)
        for n in range(250)
    ]
    secret = await signed_in(house, *many)
    assert await connected_apps.disconnect("*", secret, house, address=None) is not None
    left = await house.store.look(lambda t: t.all(Grant, limit=1000, revoked_at=None))
    assert left == []


async def test_no_permission_outlives_what_the_operator_allows(
    sqlite_template: Path, tmp_path: Path
) -> None:
    store = SqliteStore(str(shutil.copy(sqlite_template, tmp_path / "latch.db")))
    week = replace(POLICY, lifetimes=Lifetimes(refresh_idle=DAY, refresh_absolute=7 * DAY))
    stage = await open_stage(store, policy=week)
    ana = Person(stage)
    await ana.decide(await ana.consent(), days="90")
    given = await stage.only(Grant)
    await store.close()
    assert given.expires_at - given.created_at <= 7 * DAY


@pytest.mark.requirement("AS-87")
async def test_a_client_turned_away_does_not_come_back_when_it_is_swept(house: House) -> None:
    body = json.dumps(
        {"redirect_uris": ["http://127.0.0.1/"], "token_endpoint_auth_method": "none"}
    ).encode()
    made = await register.answer(body, house)
    assert isinstance(made, dict)
    client_id = str(made["client_id"])
    await house.store.settle(lambda t: clients.remove_client(t, client_id=client_id))
    later = await house.store.look(lambda t: t.now) + 365 * DAY
    await house.store.settle(lambda t: t.apply((Sweep(Client, "expires_at", later),)))
    await register.answer(body, house)
    found = await house.store.look(lambda t: t.one(Client, client_id=client_id))
    assert found is not None
    assert found.blocked_at is not None
