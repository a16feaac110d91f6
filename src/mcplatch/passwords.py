"""The door of passwords: Argon2id at a bounded pace, for people and for nobody alike (RFC 9106)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

# OWASP's first recommendation: 19 MiB, two passes, one lane; about 26 ms.
MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
AT_ONCE: Final = 4
MOST_WAITING: Final = 64
MOST_CHARACTERS: Final = 1000

T = TypeVar("T")


class PasswordsBusy(Exception):
    """More people are signing in than can be served; nothing was looked at, try again shortly."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and a new hash to store when the old one is weak."""

    right: bool
    rehashed: str | None = None


def normal_form(password: str) -> str:
    """One spelling for what a person typed, whatever the keyboard (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and checks passwords outside the event loop.

    At most `at_once` run together (each takes 19 MiB) and at most `most_waiting` wait; beyond that
    `PasswordsBusy` is raised, so that a flood of sign-ins can take neither memory nor the loop.
    """

    def __init__(self, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID
        )
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._inside = 0
        self._nobody = self._hasher.hash("")

    async def hash(self, password: str) -> str:
        """The Argon2id hash to store for a new password, in its own text form."""
        return await self._run(self._hasher.hash, normal_form(password))

    async def check(self, password: str, stored: str | None) -> Checked:
        """Compare a password with a stored hash; None stands for a person who does not exist.

        The time taken tells nothing apart: without a hash the same work is done on a made-up one.
        Raises `PasswordsBusy`.
        """
        return await self._run(self._check, password, stored)

    def _check(self, password: str, stored: str | None) -> Checked:
        fits = len(password) <= MOST_CHARACTERS
        typed = normal_form(password[:MOST_CHARACTERS])
        try:
            same = self._hasher.verify(stored or self._nobody, typed)
        except (VerificationError, InvalidHashError):
            return Checked(False)
        if not stored or not fits:
            return Checked(False)
        stale = self._hasher.check_needs_rehash(stored)
        return Checked(same, self._hasher.hash(typed) if stale else None)

    async def _run(self, work: Callable[..., T], *given: str | None) -> T:
        if self._inside >= self._most:
            raise PasswordsBusy
        self._inside += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *given)
        finally:
            self._inside -= 1
