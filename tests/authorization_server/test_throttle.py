"""Guessing gets slower, honest people are not kept out, and nothing tells a name from no name."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcplatch.authorization_server.login import password, throttle
from mcplatch.authorization_server.login.password import Place, Request, SignedInNow, Wait, Wrong
from mcplatch.passwords import Passwords
from mcplatch.records import AuditEvent, Bucket, Session, User
from mcplatch.store.port import Forget, Put, Replace, Store
from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import PASSWORD, user
from tests.world import NOW, house

HERE = Place(None, "203.0.113.7")


class Tries:
    """The counts of one name at one address, kept as the store would, at a clock that is set."""

    def __init__(self) -> None:
        self.now = NOW
        self.buckets: dict[str, Bucket] = {}

    def counts(self) -> tuple[throttle.Count, ...]:
        return tuple(
            throttle.Count(
                limit,
                limit.name,
                self.buckets.get(f"{limit.name}:failures"),
                self.buckets.get(f"{limit.name}:wait"),
            )
            for limit in (throttle.PAIR, throttle.ADDRESS, throttle.ACCOUNT)
        )

    def apply(self, changes: tuple[object, ...]) -> None:
        for change in changes:
            match change:
                case Put(Bucket() as bucket) | Replace(_, Bucket() as bucket):
                    self.buckets[bucket.key] = bucket
                case Forget(Bucket(key=key)):
                    self.buckets.pop(key, None)

    def fail(self) -> int:
        """One wrong try, as soon as it is allowed; how long it had to wait."""
        waited = throttle.seconds_to_wait(self.counts(), self.now)
        self.now += waited
        assert throttle.seconds_to_wait(self.counts(), self.now) == 0
        self.apply(throttle.charge(self.counts(), self.now))
        return waited

    def succeed(self) -> None:
        self.apply(throttle.charge(self.counts(), self.now))
        self.apply(throttle.give_back(self.counts()))


def test_the_delay_doubles_up_to_its_limit() -> None:
    tries = Tries()
    waits = [tries.fail() for _ in range(24)]
    assert waits[:13] == [0] * 9 + [1, 2, 4, 8]
    assert max(waits) == throttle.PAIR.longest_delay
    assert sorted(waits) == waits


def test_a_day_of_guessing_is_few_guesses() -> None:
    tries = Tries()
    guesses = 0
    while tries.now < NOW + 86400:
        tries.fail()
        guesses += 1
    assert guesses < 130


def test_failures_are_forgotten_one_by_one() -> None:
    tries = Tries()
    for _ in range(12):
        tries.fail()
    tries.now += 13 * throttle.PAIR.forgotten_after
    assert [tries.fail() for _ in range(9)] == [0] * 9


def test_the_right_password_starts_over() -> None:
    tries = Tries()
    for _ in range(8):
        tries.fail()
    tries.succeed()
    assert [tries.fail() for _ in range(9)] == [0] * 9


def test_a_guesser_who_signs_in_himself_does_not_clear_the_address() -> None:
    tries = Tries()
    for _ in range(100):
        tries.fail()
        tries.succeed()
    failures = tries.buckets["address:failures"].full_at
    assert failures > NOW * 1000 + 30 * throttle.ADDRESS.forgotten_after * 1000


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002/64"),
        ("2001:db8:1:2:ffff::1", "20010db800010002/64"),
        ("fe80::1%eth0", "fe80000000000000/64"),
        ("testclient", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_stands_for_its_customer(address: str | None, site: str) -> None:
    assert throttle.site_of(address) == site


@pytest.mark.anyio
async def test_a_burst_counts_as_a_burst(sqlite_url: str) -> None:
    """Twenty guesses sent at once are not looked at before they are counted, while time stands."""
    store = SqliteStore(sqlite_url.removeprefix("sqlite:///"), now=lambda: NOW)
    at = await house(store)
    await store.settle(lambda t: t.apply((Put(user()),)))
    passwords = Passwords()
    outcomes = await asyncio.gather(
        *(password.sign_in(Request("ana", f"guess {n}"), HERE, at, passwords) for n in range(20))
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(Wrong) == throttle.PAIR.free + 1
    assert kinds.count(Wait) == 20 - throttle.PAIR.free - 1
    waiting = await password.sign_in(Request("ana", PASSWORD), HERE, at, passwords)
    assert isinstance(waiting, Wait)
    await store.close()


@pytest.mark.anyio
async def test_what_a_sign_in_leaves_behind(store: Store) -> None:
    at = await house(store)
    await store.settle(lambda t: t.apply((Put(user()), Put(user("ben", locked_at=7)))))
    passwords = Passwords()
    tried = [
        ("ana", "wrong", "password-wrong"),
        ("nobody", PASSWORD, "user-unknown"),
        ("ben", PASSWORD, "user-locked"),
        ("ben", "wrong", "password-wrong"),
    ]
    for username, typed, _ in tried:
        outcome = await password.sign_in(Request(username, typed), HERE, at, passwords)
        assert isinstance(outcome, Wrong)
    assert isinstance(
        await password.sign_in(Request("ana", PASSWORD), HERE, at, passwords), SignedInNow
    )
    events = await store.look(lambda t: t.all(AuditEvent, kind="sign-in"))
    assert sorted((e.reason or "") for e in events) == sorted([*(r for *_, r in tried), ""])
    assert {e.address for e in events} == {"203.0.113.7"}
    kept = repr(await store.look(lambda t: (t.all(AuditEvent), t.all(Session), t.all(Bucket))))
    assert PASSWORD not in kept
    assert "nobody" not in kept


@pytest.mark.anyio
async def test_a_weak_hash_is_replaced_when_its_password_is_shown(store: Store) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    at = await house(store)
    await store.settle(lambda t: t.apply((Put(replace(user(), password_hash=weak)),)))
    for _ in range(2):
        outcome = await password.sign_in(Request("ana", PASSWORD), HERE, at, Passwords())
        assert isinstance(outcome, SignedInNow)
    stored = await store.look(lambda t: t.one(User, username="ana"))
    assert stored is not None
    assert stored.password_hash is not None
    assert "m=19456,t=2,p=1" in stored.password_hash
