"""Slows down guessing: wrong passwords make the next try wait longer, and never lock anybody out.

Three counts run side by side (NIST SP 800-63B 3.2.2, OWASP ASVS 6.1.1): of one account from one
address, of one address, and of one account from everywhere. The last is lenient and its delay
short, or a stranger could keep a person out by failing in her name.

A count lives in two buckets: the debt of `failures` falls by one failure every `forgotten_after`,
and `wait` holds the moment of the next try. A try is charged before the password is looked at and
given back when it was right: a thousand guesses sent at once count as a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

from mcplatch.moment import digest
from mcplatch.records import Bucket
from mcplatch.store.port import Change, Forget, Put, Replace, Transaction

MINUTE = 60
SECOND_MS = 1000
MOST_DOUBLINGS = 20
IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """How one count behaves; times in seconds. `free` failures cost no delay."""

    name: str
    free: int
    longest_delay: int
    forgotten_after: int


PAIR = Limit("pair", free=8, longest_delay=15 * MINUTE, forgotten_after=15 * MINUTE)
ADDRESS = Limit("address", free=60, longest_delay=15 * MINUTE, forgotten_after=5 * MINUTE)
ACCOUNT = Limit("account", free=40, longest_delay=MINUTE, forgotten_after=15 * MINUTE)


@dataclass(frozen=True, slots=True)
class Count:
    """One count at one moment; `None` where nothing has gone wrong yet."""

    limit: Limit
    key: str
    failures: Bucket | None
    wait: Bucket | None


def read_counts(transaction: Transaction, username: str, address: str | None) -> tuple[Count, ...]:
    """The counts that a try at `username` from `address` falls under, held until the end."""
    account, place = username.casefold(), site_of(address)
    keys = (
        (PAIR, digest(f"{account} {place}")),
        (ADDRESS, digest(place)),
        (ACCOUNT, digest(account)),
    )
    return tuple(_read(transaction, limit, key) for limit, key in keys)


def seconds_to_wait(counts: Iterable[Count], now: int) -> int:
    """How long until the next try is looked at; 0 when it may be now."""
    waits = (count.wait.full_at - now * SECOND_MS for count in counts if count.wait is not None)
    return max(0, -(-max(waits, default=0) // SECOND_MS))


def charge(counts: Iterable[Count], now: int) -> tuple[Change, ...]:
    """What a try costs until its password has been found right."""
    changes: list[Change] = []
    for count in counts:
        step = count.limit.forgotten_after * SECOND_MS
        now_ms = now * SECOND_MS
        before = max(now_ms, count.failures.full_at if count.failures else 0)
        failed = before + step
        changes.append(_set(count.failures, f"{count.key}:failures", failed))
        if (delay := _delay(count.limit, -(-(failed - now_ms) // step))) > 0:
            changes.append(_set(count.wait, f"{count.key}:wait", now_ms + delay * SECOND_MS))
    return tuple(changes)


def give_back(counts: Iterable[Count]) -> tuple[Change, ...]:
    """What a right password changes: its own charge is undone.

    Only the count of this account at this address starts over; a guesser who signs in to his own
    account in between does not clear what he did to others.
    """
    changes: list[Change] = []
    for count in counts:
        if count.wait is not None:
            changes.append(Forget(count.wait))
        if count.failures is not None:
            step = count.limit.forgotten_after * SECOND_MS
            lower = replace(count.failures, full_at=count.failures.full_at - step)
            undone = (
                Forget(count.failures) if count.limit is PAIR else Replace(count.failures, lower)
            )
            changes.append(undone)
    return tuple(changes)


def site_of(address: str | None) -> str:
    """The address as the counts see it: a whole /64 is one IPv6 customer."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{int(parsed) >> IPV6_SITE_BITS:x}/{IPV6_SITE_BITS}"
    return str(parsed)


def _delay(limit: Limit, failures: int) -> int:
    over = failures - limit.free
    return 0 if over <= 0 else min(2 ** min(over - 1, MOST_DOUBLINGS), limit.longest_delay)


def _read(transaction: Transaction, limit: Limit, digested: str) -> Count:
    key = f"sign-in:{limit.name}:{digested}"
    return Count(
        limit,
        key,
        transaction.one(Bucket, lock=True, key=f"{key}:failures"),
        transaction.one(Bucket, lock=True, key=f"{key}:wait"),
    )


def _set(bucket: Bucket | None, key: str, full_at: int) -> Change:
    fresh = Bucket(key=key, full_at=full_at)
    return Put(fresh) if bucket is None else Replace(bucket, fresh)
