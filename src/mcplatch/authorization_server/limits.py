"""How often something may be asked for: one bucket of debt per subject (GCRA).

A bucket is one row: the moment its debt is paid off. That is all a steady rate with a burst needs,
and it lives in the same database as everything else, so there is no case of a limiter that is down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from mcplatch.records import Bucket
from mcplatch.store.port import Change, Put, Transaction, replacing

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` in any `seconds`, perhaps all at once; `name` says of what."""

    name: str
    times: int
    seconds: int

    def key(self, subject: str) -> str:
        """The key of the bucket of `subject`."""
        return f"{self.name} {subject}"


@dataclass(frozen=True, slots=True)
class Paid:
    """Yes, once `changes` are applied."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Exceeded:
    """No, not before `retry_after` seconds have passed."""

    limit: Limit
    retry_after: int


def pay(transaction: Transaction, asked: Iterable[tuple[Limit, str]]) -> Paid | Exceeded:
    """Reads the bucket of each limit and subject, and charges all of them or none."""
    changes: list[Change] = []
    for limit, subject in asked:
        bucket = transaction.one(Bucket, lock=True, key=limit.key(subject))
        decision = decide(bucket, limit, subject, now=transaction.now)
        if isinstance(decision, Exceeded):
            return decision
        changes += decision.changes
    return Paid(tuple(changes))


def decide(bucket: Bucket | None, limit: Limit, subject: str, *, now: int) -> Paid | Exceeded:
    """Whether `subject` may once more at `now` (seconds); `bucket` is what is known of it."""
    now_ms, allowed_ms = now * 1000, limit.seconds * 1000
    owed_until = max(now_ms, bucket.full_at if bucket is not None else 0)
    full_at = owed_until + max(1, allowed_ms // limit.times)
    too_far = full_at - now_ms - allowed_ms
    if too_far > 0:
        return Exceeded(limit, -(-too_far // 1000))
    if bucket is None:
        return Paid((Put(Bucket(key=limit.key(subject), full_at=full_at)),))
    return Paid((replacing(bucket, full_at=full_at)[1],))


def subject_of(address: str | None) -> str:
    """Whom an address stands for: itself, or its /64 in IPv6, all of which one host owns."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)
