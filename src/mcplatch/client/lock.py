"""One at a time, across tasks, threads and processes: a lock on a file (CL-54).

It is tried again and again instead of waited for, so that a coroutine never holds up its loop and
nothing is bound to one loop. The operating system lets go of it when its holder dies.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

from mcplatch.client.errors import Unreachable

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


@asynccontextmanager
async def holding(path: Path, *, seconds: float) -> AsyncIterator[None]:
    """Holds the lock at `path` while the block runs. Raises `Unreachable` after `seconds` of
    waiting.
    """
    descriptor = _open(path)
    try:
        deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise _held_too_long(path, seconds)
            await anyio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def holding_here(path: Path, *, seconds: float) -> Iterator[None]:
    """The same for a moment's work that is not a coroutine."""
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + seconds
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise _held_too_long(path, seconds)
            time.sleep(FIRST_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _held_too_long(path: Path, seconds: float) -> Unreachable:
    return Unreachable(
        f"Another program has been working on this sign-in for {seconds:.0f} seconds.",
        next_step=f"Wait for it or end it; the lock is {path}.",
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        return False
else:
    import fcntl

    def _take(descriptor: int) -> bool:
        # flock belongs to the open file, not to the process: threads exclude each other too.
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
