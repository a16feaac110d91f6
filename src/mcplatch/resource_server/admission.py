"""Turns the credentials of a request into an admission, by cache or verifier (RFC 6750 2.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from mcplatch.protocol.refusal import Refusal
from mcplatch.resource_server.bearer import read_token
from mcplatch.resource_server.identity import Identity
from mcplatch.resource_server.token_cache import Admission, TokenCache
from mcplatch.resource_server.verdict import Invalid, Unavailable, Verifier

Bind = Callable[[Identity, str], Mapping[str, Any]]
"""What to put into the ASGI scope for an identity; the text is the token, if shown."""

Caller = Admission | Invalid | Unavailable | Refusal | None
"""Who calls: None is nobody in particular, a Refusal is a request that cannot be read."""

_USUAL = b"Bearer "
_LOG = logging.getLogger("mcplatch.resource_server")


class Admissions:
    """Judges the credentials of requests; `cache` holds what valid tokens turned into."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        bind: Bind | None,
        cache: TokenCache,
        clock: Callable[[], float],
        shows_token: bool,
    ) -> None:
        self._verifier = verifier
        self._bind = bind
        self._cache = cache
        self._clock = clock
        self._shows_token = shows_token

    async def caller(self, authorization: list[bytes] | None, query: bytes) -> Caller:
        """Who the values of the Authorization header and the query stand for."""
        if not authorization:
            return None
        if len(authorization) == 1 and not query:
            # The usual spelling is found without being taken apart.
            seen = self._cache.get(sha256(authorization[0]).digest(), self._clock())
            if seen is not None:
                return seen
        token = read_token(authorization, query)
        if isinstance(token, Refusal):
            _LOG.info("request refused: %s", token.reason.name)
            return Invalid(token.reason) if token.reason.status == 401 else token
        if token is None:
            return None
        key = sha256(_USUAL + token.encode("ascii")).digest()
        return self._cache.get(key, self._clock()) or await self._first_seen(token, key)

    async def _first_seen(self, token: str, key: bytes) -> Caller:
        verdict = await self._verifier.verify(token)
        if isinstance(verdict, Unavailable):
            _LOG.warning("token cannot be checked: %s", verdict.detail)
            return verdict
        if isinstance(verdict, Invalid):
            _LOG.info("token refused: %s %r", verdict.reason.name, verdict.detail)
            return verdict
        identity = verdict.identity
        shown = token if self._shows_token else ""
        bound = self._bind(identity, shown) if self._bind is not None else {}
        admission = Admission(identity, frozenset(identity.scopes), bound, verdict.usable_until)
        self._cache.put(key, admission)
        return admission
