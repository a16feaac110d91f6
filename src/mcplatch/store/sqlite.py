"""SQLite: one writer thread, write-ahead log, FULL durability, group commit; readers only read.

Many requests share one fsync: the writer takes everything that waits, commits once and only then
lets the answers go. What fails is undone alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy.dialects import sqlite as dialect

from mcplatch.moment import clock
from mcplatch.store.port import Contended, StoreDown, Transaction
from mcplatch.store.sql import SqlTransaction, Statements

T = TypeVar("T")

MOST_IN_A_COMMIT = 64
MOST_TRIES = 5
BUSY_MILLISECONDS = 5000
A_MOMENT = 0.0002

Now = Callable[[], int]


class _Job:
    """A piece of work that waits for the writer, and where its outcome goes."""

    __slots__ = ("failure", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[Transaction], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.failure: BaseException | None = None

    def deliver(self) -> None:
        if self.future.cancelled():
            return
        if self.failure is not None:
            self.future.set_exception(self.failure)
        else:
            self.future.set_result(self.result)


class SqliteStore:
    """A store in one file (see `port.Store`). `now` is the clock it gives to the work."""

    def __init__(self, path: str, now: Now = clock) -> None:
        self._path = path
        self._now = now
        self._statements = Statements(dialect.dialect(paramstyle="qmark"))
        self._waiting: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        self._jobs: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._readers = threading.local()
        self._open_readers: list[sqlite3.Connection] = []
        self._closed = False
        self._connection = _connect(path, "rw")
        self._thread = threading.Thread(target=self._write, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def settle(self, work: Callable[[Transaction], T]) -> T:
        """See `port.Store.settle`."""
        if self._closed:
            raise StoreDown("the store is closed")
        loop = asyncio.get_running_loop()
        job = _Job(work, loop)
        # Handed over when all that is ready in this turn of the loop has had its say: requests that
        # came together are written together, and the writer is woken once.
        waiting = self._waiting.setdefault(loop, [])
        waiting.append(job)
        if len(waiting) == 1:
            loop.call_soon(self._hand_over, loop)
        # A caller that goes away takes only the answer along: the work is carried out all the same.
        result: T = await job.future
        return result

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """See `port.Store.look`. Runs on the caller's thread: a point query costs less than a
        hop.
        """
        if self._closed:
            raise StoreDown("the store is closed")
        try:
            return work(SqlTransaction(self._reader().execute, self._statements, self._now()))
        except sqlite3.Error as broken:
            raise StoreDown(str(broken)) from broken

    async def close(self) -> None:
        """See `port.Store.close`."""
        if self._closed:
            return
        self._closed = True
        for loop in list(self._waiting):
            self._hand_over(loop)
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        for reader in self._open_readers:
            reader.close()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        if jobs := self._waiting.pop(loop, None):
            self._jobs.put(jobs)

    def _reader(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if found is None:
            found = _connect(self._path, "ro")
            self._readers.connection = found
            self._open_readers.append(found)
        return found

    def _write(self) -> None:
        batch: list[_Job] = []
        while (jobs := self._jobs.get()) is not None:
            crowded = len(batch) + len(jobs) > 2
            batch = jobs
            stopping = self._gather(batch, wait=crowded)
            self._commit_together(batch)
            _deliver(batch)
            if stopping:
                break
        self._connection.close()

    def _gather(self, batch: list[_Job], *, wait: bool) -> bool:
        """Adds what waits already and, in a crowd, what comes within a moment: those who were just
        answered ask again, and one commit for all costs the processor little more than one for each
        half. True when the store is closing.
        """
        try:
            while len(batch) < MOST_IN_A_COMMIT:
                jobs = self._jobs.get(timeout=A_MOMENT) if wait else self._jobs.get_nowait()
                if jobs is None:
                    return True
                batch += jobs
        except Empty:
            pass
        return False

    def _commit_together(self, batch: list[_Job]) -> None:
        """One transaction for all. Nearly always nobody in it fails, so it is first tried without
        savepoints, which cost a copy of every page touched; work may run again, so it does if
        somebody did.
        """
        try:
            if not self._all_at_once(batch):
                self._each_apart(batch)
        except sqlite3.Error as broken:
            self._give_up(batch, broken)

    def _all_at_once(self, batch: list[_Job]) -> bool:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        transaction = SqlTransaction(execute, self._statements, self._now())
        for job in batch:
            _try(job, transaction)
            if job.failure is not None:
                execute("ROLLBACK")
                return False
        execute("COMMIT")
        return True

    def _each_apart(self, batch: list[_Job]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        transaction = SqlTransaction(execute, self._statements, self._now())
        for job in batch:
            _run(job, transaction, execute)
        execute("COMMIT")

    def _give_up(self, batch: list[_Job], broken: sqlite3.Error) -> None:
        """Nothing was written. A connection that cannot even go back is replaced, now or, while the
        file cannot be opened, by the next who try: the writer itself must outlive all trouble.
        """
        for job in batch:
            job.failure = StoreDown(str(broken))
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection.close()
            with suppress(StoreDown):
                self._connection = _connect(self._path, "rw")


def _try(job: _Job, transaction: SqlTransaction) -> None:
    try:
        job.result, job.failure = job.work(transaction), None
    except sqlite3.IntegrityError as twice:
        job.failure = Contended(str(twice))
    except sqlite3.Error:
        raise
    except Exception as raised:  # noqa: BLE001  (it belongs to the caller, whatever it is)
        job.failure = raised


def _run(job: _Job, transaction: SqlTransaction, execute: Callable[[str], Any]) -> None:
    for _ in range(MOST_TRIES):
        execute("SAVEPOINT work")
        _try(job, transaction)
        if job.failure is None:
            execute("RELEASE work")
            return
        execute("ROLLBACK TO work")
        execute("RELEASE work")
        if not isinstance(job.failure, Contended):
            return


def _deliver(batch: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver_all, jobs)
        except RuntimeError:
            continue  # that loop has ended, nobody waits any more


def _deliver_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.deliver()


def _connect(path: str, mode: str) -> sqlite3.Connection:
    """Opens the file; `mode` is "rw" for the one writer and "ro" for readers."""
    try:
        connection = sqlite3.connect(
            f"file:{path}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        if mode == "rw":
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
        else:
            connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as broken:
        raise StoreDown(f"cannot open the database file: {broken}") from broken
    return connection
