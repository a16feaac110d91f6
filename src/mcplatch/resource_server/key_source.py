"""The keys of one issuer: found, cached, fetched again when one is unknown (RFC 8414, RFC 7517)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcplatch.jose import PublicKeySet
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.server_metadata import ServerMetadata, parse, well_known_urls
from mcplatch.resource_server.outbound import Outbound, Unreachable

INTERVAL = 30.0
"""Seconds between two fetches, whatever tokens ask for: a flood of unknown keys costs one."""
MOST_AGE = 600.0
"""Seconds after which keys are fetched anew."""
MOST_STALE = 3600.0
"""Seconds that old keys may still be used while the issuer does not answer."""
RETRY_INTERVAL = 2.0
"""Seconds between two attempts while the issuer does not answer."""


async def discover(outbound: Outbound, issuer: str) -> ServerMetadata | Unreachable:
    """The metadata of `issuer`, from the first of its addresses that serves it."""
    failure = Unreachable(f"{issuer} has no metadata")
    for url in well_known_urls(issuer):
        document = await outbound.get_json(url)
        if isinstance(document, Unreachable):
            failure = document
            continue
        meta = parse(document, issuer=issuer)
        if not isinstance(meta, Refusal):
            return meta
        failure = Unreachable(f"{url}: {meta.reason.name} {meta.detail}", 200)
    return failure


class KeySource:
    """Keys of `issuer`, from `jwks_uri` or from where its metadata says.

    `tick` is a clock that only goes forward, in seconds. Fetching is shared: however many requests
    wait, one fetch is under way.
    """

    def __init__(
        self,
        issuer: str,
        outbound: Outbound,
        *,
        tick: Callable[[], float],
        jwks_uri: str | None = None,
    ) -> None:
        self._issuer = issuer
        self._outbound = outbound
        self._tick = tick
        self._jwks_uri = jwks_uri
        self._keys: PublicKeySet | None = None
        self._fetched_at = 0.0
        self._next_fetch_at = float("-inf")
        self._failure: Unreachable | None = None
        self._fetching = asyncio.Lock()

    async def current(self) -> PublicKeySet | Unreachable:
        """Keys to verify with: cached ones while fresh, old ones while the issuer is away."""
        if self._keys is None or self._tick() - self._fetched_at > MOST_AGE:
            await self._refresh(self._keys)
        if self._keys is None:
            return self._failure or Unreachable(f"no keys of {self._issuer}")
        if self._tick() - self._fetched_at > MOST_STALE:
            return self._failure or Unreachable(f"the keys of {self._issuer} are too old")
        return self._keys

    async def newer(self, known: PublicKeySet) -> PublicKeySet | Unreachable:
        """Keys fetched after `known`, or `known` itself when it is too early to ask again."""
        await self._refresh(known)
        if self._keys is known and self._failure is not None:
            return self._failure
        return self._keys or known

    async def _refresh(self, known: PublicKeySet | None) -> None:
        async with self._fetching:
            # Someone else may have fetched while this request waited.
            if self._keys is not known or self._tick() < self._next_fetch_at:
                return
            fetched = await self._fetch()
            if isinstance(fetched, Unreachable):
                self._failure = fetched
                self._next_fetch_at = self._tick() + RETRY_INTERVAL
                return
            self._keys, self._failure = fetched, None
            self._fetched_at = self._tick()
            self._next_fetch_at = self._fetched_at + INTERVAL

    async def _fetch(self) -> PublicKeySet | Unreachable:
        address = self._jwks_uri
        if address is None:
            meta = await discover(self._outbound, self._issuer)
            if isinstance(meta, Unreachable):
                return meta
            address = meta.jwks_uri
        if address is None:
            return Unreachable(f"the metadata of {self._issuer} has no jwks_uri")
        document = await self._outbound.get_json(address)
        if isinstance(document, Unreachable):
            return document
        keys = PublicKeySet.parse(document)
        return keys if keys.keys else Unreachable(f"{address} holds no usable key", 200)
