"""Brings a database to this version's schema: under a lock, forward only, and never past a newer
one.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mcplatch.store.port import SchemaNewer, StoreDown

HEAD = "0001"
POSTGRES_LOCK = 0x6D63706C61746368  # any number, the same for every node


def migrate(url: str) -> None:
    """Creates or upgrades the schema at `url`. Raises `SchemaNewer`, `StoreDown`."""
    try:
        if url.startswith("sqlite:///"):
            _migrate_sqlite(url.removeprefix("sqlite:///"))
        else:
            _migrate_postgres(url)
    except sa.exc.DBAPIError as broken:
        raise StoreDown(f"cannot prepare the database: {broken.orig}") from broken


def _migrate_sqlite(path: str) -> None:
    if _sqlite_version(path) == HEAD:
        return
    # Created here so that nobody else on the machine can read it, whatever the umask says.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        _upgrade(connection)
        connection.commit()


def _sqlite_version(path: str) -> str | None:
    if not Path(path).exists():
        return None
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    except sqlite3.Error:
        return None
    finally:
        connection.close()


def _migrate_postgres(url: str) -> None:
    engine = sa.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRES_LOCK})
        _upgrade(connection)


def _upgrade(connection: Any) -> None:
    # Imported here: it costs a fifth of a second that a start on a current schema need not pay.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", "mcplatch.store:migrations")
    settings.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise SchemaNewer(
            f"the database has schema {current}, this version knows up to {HEAD}: "
            "run the newer mcplatch that made it"
        )
    if current != HEAD:
        command.upgrade(settings, HEAD)
