"""A small authorization server that real clients can go through a whole flow with, and the network to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from fastmcp.utilities.asgi_transport import StreamingASGITransport
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.resource_server.issuer import RESOURCE, Issuer

CALLBACK = "http://127.0.0.1:3030/callback"


@dataclass
class Granting(Issuer):
    """Registers whoever asks and grants what is asked for; `scopes_asked` notes each request."""

    scopes_asked: list[str | None] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == "/.well-known/oauth-authorization-server":
            return httpx2.Response(200, json=self.metadata())
        if path == "/register":
            return httpx2.Response(201, json={**_json(request), "client_id": "registered-1"})
        if path == "/token":
            return self._token(request)
        return super().answer(request)

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }

    def authorize(self, url: str) -> AuthorizationCodeResult:
        """What the person's browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["resource"] == RESOURCE
        self.scopes_asked.append(asked.get("scope"))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked.get("scope", "")
        return AuthorizationCodeResult(code=code, state=asked["state"], iss=self.url)

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        form = parse_qs(request.content.decode())
        scope = self.codes.pop(form["code"][0])
        token = self.token(scope, client_id="registered-1")
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scope}
        return httpx2.Response(200, json=body)


class Memory(TokenStorage):
    """The client's store, in memory."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Network(httpx2.AsyncBaseTransport):
    """Two hosts: the guarded application and its authorization server."""

    def __init__(self, app: Any, issuer: Issuer) -> None:
        self._app = StreamingASGITransport(app)
        self._issuer = issuer.transport()

    async def __aenter__(self) -> Network:
        await self._app.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._app.__aexit__(*error)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = "auth.example"
        chosen: httpx2.AsyncBaseTransport = self._issuer if request.url.host == host else self._app
        return await chosen.handle_async_request(request)


def sign_in(issuer: Granting) -> OAuthClientProvider:
    """The official client's own sign-in, with a person who always agrees."""
    came: list[str] = []

    async def redirect(url: str) -> None:
        came.append(url)

    async def callback() -> AuthorizationCodeResult:
        return issuer.authorize(came[-1])

    metadata = OAuthClientMetadata(
        client_name="test", redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none"
    )
    return OAuthClientProvider(RESOURCE, metadata, Memory(), redirect, callback)


def _json(request: httpx2.Request) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(request.content)
    return found
