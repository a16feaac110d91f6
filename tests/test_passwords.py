"""Passwords: Argon2id as OWASP asks, off the loop, bounded, and no faster for people who do not exist."""

from __future__ import annotations

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from mcplatch.passwords import MOST_CHARACTERS, Passwords, PasswordsBusy

pytestmark = pytest.mark.anyio


async def test_a_hash_is_of_the_required_strength_and_unique() -> None:
    passwords = Passwords()
    first, second = await passwords.hash("tr0ub4dor"), await passwords.hash("tr0ub4dor")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert (await passwords.check("tr0ub4dor", first)).right
    assert (await passwords.check("tr0ub4dor", first)).rehashed is None


WRONG = ["", "Tr0ub4dor", "tr0ub4dor ", " tr0ub4dor", "tr0ub4dor\n", "tr0ub4do", "x" * 100_000]


@pytest.mark.parametrize("typed", WRONG)
async def test_near_misses_are_wrong(typed: str) -> None:
    passwords = Passwords()
    assert not (await passwords.check(typed, await passwords.hash("tr0ub4dor"))).right


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$", "$2b$12$" + "x" * 53])
async def test_without_a_usable_hash_nothing_is_right(stored: str | None) -> None:
    for typed in ("", "plain", "x"):
        assert not (await Passwords().check(typed, stored)).right


async def test_the_keyboard_does_not_matter() -> None:
    passwords = Passwords()
    stored = await passwords.hash("pa\u0308ss\ufb01")
    assert (await passwords.check("p\u00e4ssfi", stored)).right


async def test_a_password_longer_than_the_limit_is_not_cut_to_fit() -> None:
    passwords = Passwords()
    stored = await passwords.hash("x" * MOST_CHARACTERS)
    assert (await passwords.check("x" * MOST_CHARACTERS, stored)).right
    assert not (await passwords.check("x" * (MOST_CHARACTERS + 1), stored)).right


async def test_a_weak_hash_is_renewed() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("secret")
    checked = await Passwords().check("secret", weak)
    assert checked.right
    assert checked.rehashed is not None
    assert (await Passwords().check("secret", checked.rehashed)).right
    assert (await Passwords().check("wrong", weak)).rehashed is None


async def test_nobody_takes_as_long_as_somebody() -> None:
    """Medians of CPU-bound work; a missing hash that is not computed would be a thousand times faster."""
    passwords = Passwords()
    stored = await passwords.hash("secret")

    async def median(hash_: str | None) -> float:
        took = []
        for _ in range(9):
            start = time.perf_counter()
            await passwords.check("wrong", hash_)
            took.append(time.perf_counter() - start)
        return sorted(took)[4]

    somebody, nobody = await median(stored), await median(None)
    assert 0.5 < nobody / somebody < 2


async def test_a_flood_is_turned_away_and_the_loop_turns() -> None:
    passwords = Passwords(at_once=1, most_waiting=2)
    checks = [asyncio.ensure_future(passwords.check("x", None)) for _ in range(10)]
    beats = 0
    while not all(check.done() for check in checks):
        await asyncio.sleep(0.001)
        beats += 1
    outcomes = await asyncio.gather(*checks, return_exceptions=True)
    assert sum(isinstance(outcome, PasswordsBusy) for outcome in outcomes) == 7
    assert beats > 5
    assert not (await passwords.check("x", None)).right  # and afterwards there is room again
