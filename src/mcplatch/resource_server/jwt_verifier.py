"""Verifies JWT access tokens locally with the issuer's published keys (RFC 9068 section 4)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping

from mcplatch import jose
from mcplatch.protocol.access_token import ISSUER_WRONG, LEEWAY, check_claims
from mcplatch.protocol.jsonrpc import parse_json
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.resource_server.identity import identity_of
from mcplatch.resource_server.key_source import KeySource
from mcplatch.resource_server.outbound import Outbound, Unreachable
from mcplatch.resource_server.verdict import Invalid, Unavailable, Valid, Verdict

MOST_REUSE = 300.0
"""Seconds a verdict may be reused: how long a withdrawn key can go on working."""

TOKEN_BOUND = Reason(
    "token-bound-to-a-key",
    "invalid_token",
    "The token is not valid.",
    "RFC 9449 7.2",
    401,
)

_NO_KEYS = jose.PublicKeySet({})


class JwtVerifier:
    """Judges `at+jwt` tokens for `resource`, each issuer by its own keys only (RS-51).

    `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        sources: Mapping[str, KeySource],
        *,
        resource: str,
        outbound: Outbound,
        clock: Callable[[], float],
        leeway: int = LEEWAY,
    ) -> None:
        self._sources = sources
        self._resource = resource
        self._outbound = outbound
        self._clock = clock
        self._leeway = leeway

    async def verify(self, token: str) -> Verdict:
        """The verdict on `token`; an outage of the issuer's keys is not the token's fault."""
        # Whatever is wrong with the token by itself is found before anything is fetched for it.
        alone = jose.verify(token, _NO_KEYS)
        if isinstance(alone, Refusal) and alone.reason is not jose.KEY_UNKNOWN:
            return Invalid(alone.reason, alone.detail)
        issuer = self._issuer(token)
        if issuer is None:
            return Invalid(ISSUER_WRONG)
        proven = await self._proven(token, self._sources[issuer])
        if isinstance(proven, Unreachable):
            return Unavailable(proven.detail)
        if isinstance(proven, Refusal):
            return Invalid(proven.reason, proven.detail)
        now = self._clock()
        claims = check_claims(
            proven, issuer=issuer, resource=self._resource, now=now, leeway=self._leeway
        )
        if isinstance(claims, Refusal):
            return Invalid(claims.reason, claims.detail)
        if "cnf" in claims.extra:
            # It is worth something only together with a key, and nobody showed that key.
            return Invalid(TOKEN_BOUND)
        until = min(claims.exp + self._leeway, now + MOST_REUSE)
        return Valid(identity_of(claims, self._resource, proven), until)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._outbound.aclose()

    async def _proven(
        self, token: str, source: KeySource
    ) -> dict[str, object] | Refusal | Unreachable:
        keys = await source.current()
        if isinstance(keys, Unreachable):
            return keys
        proven = jose.verify(token, keys)
        if not isinstance(proven, Refusal):
            return proven
        if proven.reason not in (jose.KEY_UNKNOWN, jose.SIGNATURE_WRONG):
            return proven
        # A new key, or a new key under an old name: ask once more, as often as the source allows.
        newer = await source.newer(keys)
        if isinstance(newer, Unreachable):
            return newer if proven.reason is jose.KEY_UNKNOWN else proven
        return proven if newer is keys else jose.verify(token, newer)

    def _issuer(self, token: str) -> str | None:
        """Whose keys to try: the only issuer, or the one the unproven token names."""
        if len(self._sources) == 1:
            return next(iter(self._sources))
        raw = token.split(".")[1]
        try:
            payload = urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
        except ValueError:
            return None
        named = parse_json(payload)
        issuer = named.get("iss") if isinstance(named, dict) else None
        return issuer if isinstance(issuer, str) and issuer in self._sources else None
