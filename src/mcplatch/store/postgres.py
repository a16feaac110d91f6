"""PostgreSQL: a few threads, each with one held connection and its prepared statements.

The same work functions run as on SQLite. READ COMMITTED with the deciding row locked first, writes
that compare and set, and the database's clock, so that nodes need not agree on the time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import psycopg
from sqlalchemy.dialects.postgresql import psycopg as dialect

from mcplatch.store.port import Contended, StoreDown, Transaction
from mcplatch.store.sql import SqlTransaction, Statements

T = TypeVar("T")

CONNECTIONS = 8
MOST_TRIES = 5
PREPARE_AFTER = 1
NOW = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint"
OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=10000 -c lock_timeout=5000 "
    "-c idle_in_transaction_session_timeout=15000 -c default_transaction_isolation=read\\ committed"
)
_AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)

Job = tuple[Callable[[Transaction], Any], bool, asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class PostgresStore:
    """A store in a PostgreSQL database (see `port.Store`); any number of nodes may share it."""

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        self._url = url
        self._statements = Statements(dialect.dialect(paramstyle="format"))  # type: ignore[no-untyped-call]
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"postgres-{number}", daemon=True)
            for number in range(connections)
        ]
        for thread in self._threads:
            thread.start()

    async def settle(self, work: Callable[[Transaction], T]) -> T:
        """See `port.Store.settle`."""
        return await self._submit(work, writes=True)

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """See `port.Store.look`."""
        return await self._submit(work, writes=False)

    async def close(self) -> None:
        """See `port.Store.close`."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _submit(self, work: Callable[[Transaction], T], *, writes: bool) -> T:
        if self._closed:
            raise StoreDown("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((work, writes, loop, future))
        # A caller that goes away takes only the answer along: the work is carried out all the same.
        result: T = await future
        return result

    def _serve(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while (job := self._jobs.get()) is not None:
            work, writes, loop, future = job
            result: Any = None
            failure: BaseException | None = None
            try:
                connection = self._begin(connection, writes=writes)
                result = self._run(connection, work, writes=writes)
            except psycopg.Error as broken:
                failure = StoreDown(str(broken))
                failure.__cause__ = broken
            except Exception as raised:  # noqa: BLE001  (it belongs to the caller, whatever it is)
                failure = raised
            try:
                loop.call_soon_threadsafe(_deliver, future, result, failure)
            except RuntimeError:
                continue  # that loop has ended, nobody waits any more
        if connection is not None:
            connection.close()

    def _begin(
        self, connection: psycopg.Connection[Any] | None, *, writes: bool
    ) -> psycopg.Connection[Any]:
        """A connection with an open transaction.

        One that the database dropped while it was idle is only noticed at its next statement;
        nothing has been asked of it yet, so it is replaced and nobody sees it.
        """
        if connection is not None and not connection.closed:
            try:
                connection.execute(_begin(writes=writes))
                return connection
            except psycopg.OperationalError:
                connection.close()
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            prepare_threshold=PREPARE_AFTER,
            options=OPTIONS,
            connect_timeout=5,
        )
        connection.execute(_begin(writes=writes))
        return connection

    def _run(
        self, connection: psycopg.Connection[Any], work: Callable[[Transaction], T], *, writes: bool
    ) -> T:
        for _ in range(MOST_TRIES - 1):
            try:
                return self._once(connection, work, writes=writes)
            except (*_AGAIN, Contended):
                connection.execute(_begin(writes=writes))
        return self._once(connection, work, writes=writes)

    def _once(
        self, connection: psycopg.Connection[Any], work: Callable[[Transaction], T], *, writes: bool
    ) -> T:
        try:
            found = connection.execute(NOW).fetchone()
            now = int(found[0]) if found else 0
            # A transaction that only reads may not lock, and has nothing to lock for.
            transaction = SqlTransaction(connection.execute, self._statements, now, locks=writes)
            result = work(transaction)
            connection.execute("COMMIT")
        except psycopg.errors.IntegrityError as twice:
            connection.execute("ROLLBACK")
            raise Contended(str(twice)) from twice
        except BaseException:
            if not connection.closed:
                connection.execute("ROLLBACK")
            raise
        return result


def _begin(*, writes: bool) -> str:
    return "BEGIN" if writes else "BEGIN READ ONLY"


def _deliver(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
