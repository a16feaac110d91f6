"""Our guard as the bench puts it around an app: local verification with one known key."""

from __future__ import annotations

import time
from typing import Any

from mcplatch.jose import PublicKeySet
from mcplatch.policy.policy import make_policy
from mcplatch.resource_server.guard import Guard
from mcplatch.resource_server.jwt_verifier import JwtVerifier
from mcplatch.resource_server.options import App
from mcplatch.resource_server.outbound import Outbound


class KnownKeys:
    """Stands where a guard would fetch an issuer's keys once and hold them."""

    def __init__(self, keys: PublicKeySet) -> None:
        self._keys = keys

    async def current(self) -> PublicKeySet:
        return self._keys

    async def newer(self, seen: PublicKeySet) -> PublicKeySet:
        return seen


def guarded(app: App, *, issuer: str, resource: str, jwks: dict[str, Any]) -> Guard:
    """`app` protected as `resource`, its tool `echo` behind scope `user`."""
    verifier = JwtVerifier(
        {issuer: KnownKeys(PublicKeySet.parse(jwks))},  # type: ignore[dict-item]
        resource=resource,
        outbound=Outbound(),
        clock=time.time,
    )
    return Guard(
        app,
        resource=resource,
        authorization_servers=[issuer],
        verifier=verifier,
        policy=make_policy(tools={"echo": "user"}, baseline=("user",)),
    )
