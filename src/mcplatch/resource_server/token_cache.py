"""Verdicts on tokens seen before, by digest, bounded in number and in time (RFC 7662 section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcplatch.resource_server.identity import Identity

MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Admission:
    """What a valid token turned into, ready to be used again: identity, scopes, scope members.

    `bound` is what the adapter puts into the ASGI scope; it holds nothing that belongs to one
    request. `usable_until` is seconds since the epoch.
    """

    identity: Identity
    granted: frozenset[str]
    bound: Mapping[str, Any]
    usable_until: float


class TokenCache:
    """Digest of the credentials to their admission; the oldest entry leaves when it is full.

    Keys are digests so that the cache holds no token.
    """

    __slots__ = ("_entries", "_most")

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._entries: dict[bytes, Admission] = {}
        self._most = most_entries

    def get(self, key: bytes, now: float) -> Admission | None:
        """The admission under `key` while it may be used at `now`."""
        found = self._entries.get(key)
        if found is None or now < found.usable_until:
            return found
        del self._entries[key]
        return None

    def put(self, key: bytes, admission: Admission) -> None:
        """Remembers `admission`."""
        if self._most <= 0:
            return
        if len(self._entries) >= self._most:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = admission

    def forget_grant(self, grant_id: str) -> int:
        """Forgets every token of a grant, because it was revoked; how many there were."""
        keys = [k for k, entry in self._entries.items() if entry.identity.grant_id == grant_id]
        for key in keys:
            del self._entries[key]
        return len(keys)
