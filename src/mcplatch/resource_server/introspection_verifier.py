"""Asks the authorization server about a token, as this resource (RFC 7662 section 2)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote_plus

from mcplatch.protocol.access_token import LEEWAY, check_claims
from mcplatch.protocol.introspection import TOKEN_INACTIVE, claims_of, parse
from mcplatch.protocol.refusal import Refusal
from mcplatch.resource_server.identity import identity_of
from mcplatch.resource_server.jwt_verifier import TOKEN_BOUND
from mcplatch.resource_server.key_source import RETRY_INTERVAL, discover
from mcplatch.resource_server.outbound import Outbound, Unreachable
from mcplatch.resource_server.verdict import Invalid, Unavailable, Valid, Verdict

MOST_REUSE = 3.0
"""Seconds an answer may be reused: how long a revoked token can go on working (RS-47)."""


class IntrospectionVerifier:
    """Judges any token of one issuer by asking it; authenticates with `client_secret_basic`.

    What the answer says is checked again here: issuer, audience and times. `clock` gives seconds
    since the epoch, `tick` seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        issuer: str,
        *,
        resource: str,
        client_id: str,
        client_secret: str,
        outbound: Outbound,
        clock: Callable[[], float],
        tick: Callable[[], float],
        endpoint: str | None = None,
        reuse: float = MOST_REUSE,
    ) -> None:
        self._issuer = issuer
        self._resource = resource
        self._authorization = basic(client_id, client_secret)
        self._outbound = outbound
        self._clock = clock
        self._tick = tick
        self._endpoint = endpoint
        self._reuse = reuse
        self._discover_at = float("-inf")

    async def verify(self, token: str) -> Verdict:
        """The verdict on `token`; refused credentials of ours are an outage, not a bad token."""
        endpoint = await self._address()
        if isinstance(endpoint, Unreachable):
            return Unavailable(endpoint.detail)
        document = await self._outbound.post_form(
            endpoint,
            {"token": token, "token_type_hint": "access_token"},
            authorization=self._authorization,
        )
        if isinstance(document, Unreachable):
            return Unavailable(document.detail)
        answer = parse(document)
        if isinstance(answer, Refusal):
            if answer.reason is TOKEN_INACTIVE:
                return Invalid(answer.reason)
            return Unavailable(f"{endpoint}: {answer.reason.name} {answer.detail}")
        return self._judge(claims_of(document))

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._outbound.aclose()

    def _judge(self, document: dict[str, object]) -> Verdict:
        now = self._clock()
        # The server has applied its own clock already; ours must not be stricter.
        claims = check_claims(
            document, issuer=self._issuer, resource=self._resource, now=now, leeway=LEEWAY
        )
        if isinstance(claims, Refusal):
            return Invalid(claims.reason, claims.detail)
        if "cnf" in claims.extra:
            return Invalid(TOKEN_BOUND)
        until = min(float(claims.exp), now + self._reuse)
        return Valid(identity_of(claims, self._resource, document), until)

    async def _address(self) -> str | Unreachable:
        if self._endpoint is not None:
            return self._endpoint
        if self._tick() < self._discover_at:
            return Unreachable(f"{self._issuer} did not answer a moment ago")
        meta = await discover(self._outbound, self._issuer)
        if not isinstance(meta, Unreachable) and meta.introspection_endpoint is not None:
            self._endpoint = meta.introspection_endpoint
            return self._endpoint
        self._discover_at = self._tick() + RETRY_INTERVAL
        if isinstance(meta, Unreachable):
            return meta
        return Unreachable(f"the metadata of {self._issuer} has no introspection_endpoint")


def basic(client_id: str, client_secret: str) -> str:
    """The Authorization value of `client_secret_basic`: form-encoded halves (RFC 6749 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + b64encode(pair.encode()).decode()
