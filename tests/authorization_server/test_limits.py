"""Rate limits: a burst, a steady rate, a word on when to come back, and one row that says it all."""

from __future__ import annotations

import asyncio

import pytest

from mcplatch.authorization_server.limits import (
    EVERYBODY,
    Exceeded,
    Limit,
    Paid,
    decide,
    pay,
    subject_of,
)
from mcplatch.records import Bucket
from mcplatch.store.port import Put, Replace, Store, Transaction
from tests.world import NOW

TEN = Limit("tries", 10, 60)


def after(*seconds: int, limit: Limit = TEN) -> list[bool]:
    """Whether each try is allowed, the tries being made this many seconds after `NOW`."""
    bucket: Bucket | None = None
    outcomes = []
    for second in seconds:
        decision = decide(bucket, limit, "ada", now=NOW + second)
        outcomes.append(isinstance(decision, Paid))
        if isinstance(decision, Paid):
            (change,) = decision.changes
            bucket = _bucket_in(change)
    return outcomes


def _bucket_in(change: object) -> Bucket:
    assert isinstance(change, Put | Replace)
    record = change.record if isinstance(change, Put) else change.new
    assert isinstance(record, Bucket)
    return record


@pytest.mark.requirement("AS-87", "AS-99")
@pytest.mark.parametrize(
    ("seconds", "allowed"),
    [
        ([0] * 12, [True] * 10 + [False] * 2),
        ([0] * 10 + [5], [True] * 10 + [False]),
        ([0] * 10 + [6, 6], [True] * 11 + [False]),
        ([0] * 10 + [12, 12, 12], [True] * 12 + [False]),
        ([0] * 10 + [60] * 11, [True] * 20 + [False]),
        ([n * 6 for n in range(50)], [True] * 50),
        ([0] * 10 + [1] * 100 + [6], [True] * 10 + [False] * 100 + [True]),
        ([100] * 10 + [0], [True] * 10 + [False]),
    ],
)
def test_a_burst_and_then_a_steady_rate(seconds: list[int], allowed: list[bool]) -> None:
    """A refused try costs nothing: who keeps asking is not shut out for longer."""
    assert after(*seconds) == allowed


@pytest.mark.parametrize(("waited", "retry_after"), [(0, 6), (1, 5), (5, 1)])
def test_it_says_when_to_come_back(waited: int, retry_after: int) -> None:
    full = Bucket(key="tries ada", full_at=(NOW + 60) * 1000)
    assert decide(full, TEN, "ada", now=NOW + waited) == Exceeded(TEN, retry_after)
    later = decide(full, TEN, "ada", now=NOW + waited + retry_after)
    assert isinstance(later, Paid)


def test_more_than_one_a_millisecond_is_still_a_limit() -> None:
    wide = Limit("tries", 1_000_000, 1)
    assert after(*[0] * 1001, limit=wide) == [True] * 1000 + [False]


@pytest.mark.requirement("AS-87")
@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::1", "::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_stands_for_its_host(address: str | None, subject: str) -> None:
    assert subject_of(address) == subject


@pytest.mark.anyio
@pytest.mark.requirement("AS-87")
async def test_all_limits_are_charged_or_none(store: Store) -> None:
    narrow, wide = Limit("one", 1, 60), Limit("all", 100, 60)

    def work(transaction: Transaction) -> bool:
        paid = pay(transaction, ((wide, EVERYBODY), (narrow, "ada")))
        if isinstance(paid, Exceeded):
            assert paid.limit == narrow
            return False
        transaction.apply(paid.changes)
        return True

    assert [await store.settle(work) for _ in range(3)] == [True, False, False]
    everybody = await store.look(lambda t: t.one(Bucket, key="all *"))
    now = await store.look(lambda t: t.now)
    assert everybody is not None
    assert everybody.full_at <= now * 1000 + 600


@pytest.mark.anyio
@pytest.mark.requirement("AS-87")
async def test_racers_do_not_get_more_than_the_limit(store: Store) -> None:
    few = Limit("few", 5, 3600)

    def work(transaction: Transaction) -> bool:
        paid = pay(transaction, ((few, "ada"),))
        if isinstance(paid, Exceeded):
            return False
        transaction.apply(paid.changes)
        return True

    outcomes = await asyncio.gather(*(store.settle(work) for _ in range(20)))
    assert outcomes.count(True) == 5
