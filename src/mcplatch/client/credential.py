"""What is kept of a sign-in: everything a later run needs to use, refresh and revoke it, and
nothing to guess.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mcplatch.client.dpop import Prover
from mcplatch.client.register import Registration
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.protocol.token_response import TokenAnswer

# A token is renewed this long before it ends, so that it does not end on the way (CL-53).
SKEW_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Credential:
    """The tokens one account holds for one MCP server, bound to the issuer that gave them.

    resource: what the tokens are for, None where the server takes no `resource` parameter.
    expires_at: seconds since the epoch; None means unknown: use it until it is refused (CL-52).
    obtained_at: when the access token came; sign_in_at: when the person last said yes.
    request: how the person signed in, so that they need not say it again to sign in anew.
    dpop_key: the private key (PEM) the tokens are bound to, None for bearer tokens (RFC 9449).
    """

    server_url: str
    account: str
    issuer: str
    resource: str | None
    token_endpoint: str
    revocation_endpoint: str | None
    client_id: str
    client_secret: str | None
    token_endpoint_auth_method: str
    access_token: str
    refresh_token: str | None
    expires_at: int | None
    scope: tuple[str, ...]
    obtained_at: int
    sign_in_at: int
    request: SignInRequest
    dpop_key: str | None = None

    def __repr__(self) -> str:
        return f"Credential({self.server_url!r}, {self.account!r}, issuer={self.issuer!r})"

    def registration(self) -> Registration:
        """The client this credential was given to."""
        return Registration(
            self.issuer,
            self.client_id,
            self.token_endpoint_auth_method,
            "given",
            client_secret=self.client_secret,
        )

    def prover(self, senses: Senses) -> Prover | None:
        """The means to prove possession of the key the tokens are bound to; None: they are not."""
        return None if self.dpop_key is None else Prover(self.dpop_key, senses)

    def is_fresh(self, now: int) -> bool:
        """Whether the access token may still be sent."""
        if self.expires_at is None:
            return True
        # Half of a short life, so that a token of 20 seconds is not stale when it arrives.
        skew = min(SKEW_SECONDS, (self.expires_at - self.obtained_at) // 2)
        return now < self.expires_at - skew


def renewed(held: Credential, answer: TokenAnswer, *, now: int) -> Credential:
    """`held` with the tokens of a refresh: an absent refresh token or scope means the old one
    stays.
    """
    return replace(
        held,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or held.refresh_token,
        expires_at=expiry(answer, now),
        scope=held.scope if answer.scope is None else answer.scope,
        obtained_at=now,
    )


def expiry(answer: TokenAnswer, now: int) -> int | None:
    """When the access token of `answer` ends, absolute, so that it survives a restart."""
    return None if answer.expires_in is None else now + answer.expires_in


def to_json(credential: Credential) -> bytes:
    """The stored form."""
    return json.dumps({"version": 1, **asdict(credential)}).encode()


def from_json(stored: bytes) -> Credential:
    """Reads the stored form. Raises `ValueError` when it is not one."""
    document: Any = json.loads(stored)
    try:
        known = [field.name for field in fields(Credential) if field.name in document]
        values = {name: document[name] for name in known}
        values["scope"] = tuple(values["scope"])
        values["request"] = _request(values["request"])
        return Credential(**values)
    except (KeyError, TypeError) as missing:
        raise ValueError("not a stored credential") from missing


def _request(stored: dict[str, Any]) -> SignInRequest:
    scope = stored["scope"]
    return SignInRequest(**{**stored, "scope": None if scope is None else tuple(scope)})
