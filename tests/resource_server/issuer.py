"""An authorization server as far as a guard sees one: metadata, keys, introspection, and tokens that it signed."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2

from mcplatch import jose
from mcplatch.protocol.access_token import AccessTokenClaims, build_claims

NOW = 1_800_000_000
ISSUER = "https://auth.example"
RESOURCE = "https://notes.example/mcp"
ORIGIN = "https://notes.example"
_PEM = jose.new_private_key()


@dataclass
class Clock:
    """A clock that stands until it is moved; used for both kinds of time."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Issuer:
    """Plays an authorization server over a mock transport; `down` makes it unreachable."""

    url: str = ISSUER
    down: bool = False
    pem: bytes = _PEM
    kid: str = "k1"
    keys: list[dict[str, Any]] | None = None
    asked: list[str] = field(default_factory=list)
    answers: dict[str, httpx2.Response] = field(default_factory=dict)
    introspected: dict[str, Any] = field(default_factory=dict)

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.answer)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx2.ConnectError("nobody is there", request=request)
        if request.url.path in self.answers:
            return self.answers[request.url.path]
        if request.url.path == "/.well-known/oauth-authorization-server":
            return httpx2.Response(
                200,
                json={
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/jwks",
                    "introspection_endpoint": f"{self.url}/introspect",
                },
            )
        if request.url.path == "/jwks":
            return httpx2.Response(200, json={"keys": self.published()})
        if request.url.path == "/introspect":
            return self._introspect(request)
        return httpx2.Response(404)

    def published(self) -> list[dict[str, Any]]:
        return [jose.public_jwk(self.pem, self.kid)] if self.keys is None else self.keys

    def fetched_keys(self) -> int:
        return self.asked.count("/jwks")

    def _introspect(self, request: httpx2.Request) -> httpx2.Response:
        if request.headers.get("authorization") != "Basic bm90ZXM6czNjJTNBcmV0":
            return httpx2.Response(401, json={"error": "invalid_client"})
        token = parse_qs(request.content.decode())["token"][0]
        return httpx2.Response(200, json=self.introspected.get(token, {"active": False}))

    def claims(self, granted: str = "notes:read", **changes: Any) -> dict[str, Any]:
        """The claims of a good token, changed; a change to None leaves a claim out."""
        good = AccessTokenClaims(
            iss=self.url,
            sub="ada",
            aud=(RESOURCE,),
            client_id="https://client.example/client.json",
            scope=tuple(granted.split()),
            exp=NOW + 600,
            iat=NOW,
            jti="jti-1",
            grant_id="grant-1",
        )
        document = {**build_claims(good), **changes}
        return {name: value for name, value in document.items() if value is not None}

    def token(
        self, granted: str = "notes:read", *, typ: str = "at+jwt", kid: str = "", **changes: Any
    ) -> str:
        """A token this server signed."""
        return jose.signer(kid or self.kid, self.pem).sign(self.claims(granted, **changes), typ=typ)


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
