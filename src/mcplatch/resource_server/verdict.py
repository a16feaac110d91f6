"""What a verifier says of a token: valid, invalid, or that nobody can say now (RFC 6750 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mcplatch.protocol.refusal import Reason
from mcplatch.resource_server.identity import Identity

RETRY_AFTER = 5
"""Seconds a client is asked to wait while keys or introspection cannot be reached."""


@dataclass(frozen=True, slots=True)
class Valid:
    """The token holds for `identity`; the verdict may be reused until `usable_until` (epoch)."""

    identity: Identity
    usable_until: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """The token does not hold; `detail` is for the log of whoever runs the server."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nobody can say: an outage on our side, which must never cost a client its token (RS-14)."""

    detail: str
    retry_after: int = RETRY_AFTER


Verdict = Valid | Invalid | Unavailable


class Verifier(Protocol):
    """Judges tokens for one resource."""

    async def verify(self, token: str) -> Verdict:
        """The verdict on `token`, a bearer token as it was sent; never raises for a bad token."""

    async def aclose(self) -> None:
        """Lets go of connections."""
