"""The store's contract, the same on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mcplatch.moment import name_of
from mcplatch.records import (
    AccessToken,
    AuditEvent,
    AuthorizationCode,
    Client,
    Deployment,
    RefreshToken,
    Session,
    User,
)
from mcplatch.store import open_store
from mcplatch.store.migrate import migrate
from mcplatch.store.port import (
    Contended,
    Forget,
    Put,
    Replace,
    SchemaNewer,
    Store,
    StoreDown,
    Sweep,
    Transaction,
)
from mcplatch.store.sql import Statements
from mcplatch.store.sqlite import SqliteStore
from mcplatch.store.tables import METADATA, SHAPES
from tests.world import client, code, refresh_token

pytestmark = pytest.mark.anyio

ADA = User(user_id="u1", username="ada", name="Ada ü", created_at=1)


async def test_what_is_put_is_found_again(store: Store) -> None:
    robot = client(redirect_uris=("http://127.0.0.1/a", "https://app.example/b"), scope=())
    token = refresh_token(sealed=b"\x00\xff")
    await store.settle(lambda t: t.apply((Put(ADA), Put(robot), Put(token))))
    assert await store.look(lambda t: t.one(User, username="ada")) == ADA
    assert await store.look(lambda t: t.one(Client, client_id="client-1")) == robot
    assert await store.look(lambda t: t.all(type(token), grant_id="grant-1")) == [token]
    assert await store.look(lambda t: t.one(User, username="ada", locked_at=None)) == ADA
    assert await store.look(lambda t: t.one(User, username="bob")) is None


async def test_replace_compares_what_it_changes(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(ADA),)))
    locked = replace(ADA, locked_at=5)
    await store.settle(lambda t: t.apply((Replace(ADA, locked),)))
    with pytest.raises(Contended):
        await store.settle(lambda t: t.apply((Replace(ADA, replace(ADA, locked_at=6)),)))
    assert await store.look(lambda t: t.one(User, user_id="u1")) == locked
    renamed = replace(locked, name="Lovelace")
    await store.settle(lambda t: t.apply((Replace(locked, renamed), Replace(renamed, renamed))))
    assert await store.look(lambda t: t.one(User, user_id="u1")) == renamed


async def test_an_exception_undoes_everything_and_comes_out(store: Store) -> None:
    def breaks(transaction: Transaction) -> None:
        transaction.apply((Put(ADA),))
        raise LookupError("on purpose")

    good = replace(ADA, user_id="u2", username="bob")
    outcomes = await asyncio.gather(
        store.settle(breaks),
        store.settle(lambda t: t.apply((Put(good),))),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], LookupError)
    assert outcomes[1] == 1
    assert await store.look(lambda t: t.all(User)) == [good]


async def test_the_same_key_twice_is_contention(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(ADA),)))
    with pytest.raises(Contended):
        await store.settle(lambda t: t.apply((Put(ADA),)))
    with pytest.raises(Contended):
        await store.settle(lambda t: t.apply((Put(replace(ADA, user_id="u2")),)))


@pytest.mark.requirement("AS-30")
async def test_one_of_twenty_racers_wins(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(code()),)))

    def spend(transaction: Transaction) -> int:
        found = transaction.one(AuthorizationCode, lock=True, grant_id="grant-1")
        if found is None or found.spent_at is not None:
            return 0
        return transaction.apply((Replace(found, replace(found, spent_at=transaction.now)),))

    outcomes = await asyncio.gather(*(store.settle(spend) for _ in range(20)))
    assert sorted(outcomes) == [0] * 19 + [1]


async def test_without_the_lock_compare_and_set_still_lets_one_win(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(code()),)))
    seen = await store.look(lambda t: t.one(AuthorizationCode, grant_id="grant-1"))
    assert seen is not None

    def spend(at: int) -> Callable[[Transaction], int]:
        return lambda t: t.apply((Replace(seen, replace(seen, spent_at=at)),))

    spends = [store.settle(spend(at)) for at in range(1, 11)]
    outcomes = await asyncio.gather(*spends, return_exceptions=True)
    assert sorted(str(type(o).__name__) for o in outcomes) == ["Contended"] * 9 + ["int"]


async def test_newest_first_and_a_limit(store: Store) -> None:
    events = [Put(AuditEvent(at=at, kind="k", outcome="done")) for at in range(5)]
    await store.settle(lambda t: t.apply(events))
    found = await store.look(lambda t: t.all(AuditEvent, limit=2, newest="event_id"))
    assert [event.at for event in found] == [4, 3]
    assert all(event.event_id for event in found)


async def test_sweep_takes_a_piece_of_what_is_old(store: Store) -> None:
    codes = [Put(code(code_hash=str(n), expires_at=n)) for n in range(10)]
    await store.settle(lambda t: t.apply(codes))
    old = Sweep(AuthorizationCode, "expires_at", before=8, limit=5)
    assert await store.settle(lambda t: t.apply((old,))) == 5
    assert await store.settle(lambda t: t.apply((old,))) == 3
    left = await store.look(lambda t: t.all(AuthorizationCode))
    assert sorted(found.expires_at for found in left) == [8, 9]


async def test_forget(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(ADA),)))
    assert await store.settle(lambda t: t.apply((Forget(ADA),))) == 1
    assert await store.settle(lambda t: t.apply((Forget(ADA),))) == 0


async def test_look_cannot_write(store: Store) -> None:
    with pytest.raises(StoreDown):
        await store.look(lambda t: t.apply((Put(ADA),)))
    assert await store.look(lambda t: t.all(User)) == []


async def test_look_may_run_what_locks_when_it_settles(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(ADA),)))
    assert await store.look(lambda t: t.one(User, lock=True, user_id="u1")) == ADA


async def test_a_caller_that_goes_away_changes_nothing_for_the_others(store: Store) -> None:
    task = asyncio.create_task(store.settle(lambda t: t.apply((Put(ADA),))))
    await asyncio.sleep(0)
    task.cancel()
    other = Deployment(name="a", value="b")
    await store.settle(lambda t: t.apply((Put(other),)))
    assert await store.look(lambda t: t.one(Deployment, name="a")) == other


async def test_what_was_settled_survives_closing(database_url: str) -> None:
    first = open_store(database_url)
    await first.settle(lambda t: t.apply((Put(ADA),)))
    await first.close()
    with pytest.raises(StoreDown):
        await first.settle(lambda t: t.now)
    second = open_store(database_url)
    assert await second.look(lambda t: t.one(User, user_id="u1")) == ADA
    await second.close()


def test_migrations_make_exactly_the_records_tables(database_url: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    inspector = sa.inspect(engine)
    for shape in SHAPES.values():
        columns = {c["name"]: c["nullable"] for c in inspector.get_columns(shape.table.name)}
        assert columns == {c.name: bool(c.nullable) for c in shape.table.columns}
        indexes = {index["name"] for index in inspector.get_indexes(shape.table.name)}
        assert {index.name for index in shape.table.indexes} <= indexes
    assert set(METADATA.tables) | {"alembic_version"} == set(inspector.get_table_names())
    engine.dispose()


def test_a_newer_schema_is_refused(database_url: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(SchemaNewer, match="9999"):
        migrate(database_url)


def test_a_database_file_is_for_its_owner_only(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path / 'new.db'}")
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


def test_an_address_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite"):
        open_store("mysql://x")


def test_a_database_that_is_not_there_is_a_breakdown() -> None:
    with pytest.raises(StoreDown):
        open_store("postgresql://nobody@127.0.0.1:1/none")


async def test_an_empty_column_may_be_the_whole_question(store: Store) -> None:
    await store.settle(lambda t: t.apply((Put(ADA),)))
    assert await store.settle(lambda t: t.one(User, locked_at=None)) == ADA
    assert await store.settle(lambda t: t.one(User, username=None, lock=True)) is None


@pytest.mark.parametrize(
    "token", ["", "\x00" * 20, "\x00abc", "ü" * 20, "0" * 14 + "\x00", "0' --"]
)
async def test_whatever_a_stranger_sends_as_a_token_is_merely_unknown(
    store: Store, token: str
) -> None:
    assert await store.look(lambda t: t.one(Session, session_hash=name_of(token))) is None


def test_the_order_of_columns_is_of_one_record_only() -> None:
    statements, columns = Statements(sa.dialects.sqlite.dialect()), ("created_at", "resource")
    assert statements.ordered(SHAPES[AccessToken], columns) == ("resource", "created_at")
    assert statements.ordered(SHAPES[RefreshToken], columns) == ("created_at",)


class _Disk:
    """A connection whose file fails for as long as `fails`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.fails = connection, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, text: str, *values: Any) -> Any:
        if self.fails and text in ("COMMIT", "ROLLBACK"):
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(text, *values)


async def test_the_writer_outlives_a_disk_that_goes_and_comes_back(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    store = SqliteStore(str(path))
    store._connection = disk = _Disk(store._connection)  # type: ignore[assignment]
    disk.fails = True
    away = path.rename(path.with_suffix(".away"))
    async with asyncio.timeout(10):
        for _ in range(2):
            with pytest.raises(StoreDown):
                await store.settle(lambda t: t.apply((Put(ADA),)))
        away.rename(path)
        with pytest.raises(StoreDown):  # whoever asks first finds the file again for the others
            await store.settle(lambda t: t.now)
        assert await store.settle(lambda t: t.apply((Put(ADA),))) == 1
        await store.close()
