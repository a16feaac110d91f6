"""Where everything is remembered: SQLite or PostgreSQL behind one port (`store.port`)."""

from __future__ import annotations

from mcplatch.store.port import Store


def open_store(url: str) -> Store:
    """Opens (and first creates or upgrades) the database at `url`.

    `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…`. Raises `StoreDown`,
    `SchemaNewer`, and `ValueError` for any other address.
    """
    from mcplatch.store.migrate import migrate

    if url.startswith("sqlite:///") and ":memory:" not in url:
        migrate(url)
        from mcplatch.store.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    if url.startswith("postgresql://"):
        migrate(url)
        from mcplatch.store.postgres import PostgresStore

        return PostgresStore(url)
    raise ValueError("the database address must start with sqlite:/// or postgresql://")
