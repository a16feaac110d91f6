"""An MCP server whose OAuth is the official SDK's own routes: sign-in page, in memory, as its examples do it.

`python -m tests.outside.programs.sdk_server PORT USERNAME PASSWORD` is what our client signs in to.
"""

from __future__ import annotations

import secrets
import sys
import time
from html import escape
from typing import Any

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    IdentityAssertionParams,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

SECONDS = 3600


class InMemory:
    """The SDK's provider protocol over dictionaries; tokens of a grant end together."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.pending: dict[str, tuple[OAuthClientInformationFull, AuthorizationParams]] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refreshing: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        ticket = secrets.token_urlsafe(16)
        self.pending[ticket] = (client, params)
        return f"{self.origin}/login?ticket={ticket}"

    def signed_in(self, ticket: str) -> str:
        """Give the redirect that hands the client its code."""
        client, params = self.pending.pop(ticket)
        assert client.client_id is not None
        code = secrets.token_urlsafe(32)
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or ["user"],
            expires_at=time.time() + 300,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject="ann",
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self.issue(authorization_code, authorization_code.scopes)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refreshing.get(refresh_token)

    async def exchange_refresh_token(
        self,
        client: OAuthClientInformationFull,
        refresh_token: RefreshToken,
        scopes: list[str],
    ) -> OAuthToken:
        del self.refreshing[refresh_token.token]
        return self.issue(refresh_token, scopes)

    def issue(self, of: AuthorizationCode | RefreshToken, scopes: list[str]) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        common: dict[str, Any] = {
            "client_id": of.client_id,
            "scopes": scopes,
            "resource": of.resource,
        }
        until = int(time.time()) + SECONDS
        self.access[access] = AccessToken(
            token=access, expires_at=until, subject=of.subject, **common
        )
        self.refreshing[refresh] = RefreshToken(token=refresh, subject=of.subject, **common)
        return OAuthToken(
            access_token=access,
            refresh_token=refresh,
            expires_in=SECONDS,
            scope=" ".join(scopes),
        )

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def exchange_identity_assertion(
        self, client: OAuthClientInformationFull, params: IdentityAssertionParams
    ) -> OAuthToken:
        raise TokenError("unsupported_grant_type")

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access.pop(token.token, None)
        self.refreshing.pop(token.token, None)


def build(port: int, username: str, password: str) -> MCPServer:
    origin = f"http://localhost:{port}"
    provider = InMemory(origin)
    settings = AuthSettings.model_validate(
        {
            "issuer_url": origin,
            "resource_server_url": f"{origin}/mcp",
            "required_scopes": ["user"],
            "validate_token_resource": True,
            "client_registration_options": ClientRegistrationOptions(
                enabled=True, valid_scopes=["user"], default_scopes=["user"]
            ),
            "revocation_options": RevocationOptions(enabled=True),
        }
    )
    server = MCPServer("sdk", auth_server_provider=provider, auth=settings, log_level="WARNING")

    @server.tool()
    def get_time(zone: str = "UTC") -> str:
        """Tell the date in Greenwich."""
        return time.strftime("%Y-%m-%d", time.gmtime())

    @server.custom_route("/login", ["GET", "POST"])
    async def login(request: Request) -> Response:
        form = await request.form()
        if (form.get("username"), form.get("password")) == (username, password):
            return RedirectResponse(provider.signed_in(str(form["ticket"])), 302)
        ticket = escape(str(request.query_params.get("ticket") or form.get("ticket")))
        return HTMLResponse(
            f"<form method=post action=/login><input type=hidden name=ticket value='{ticket}'>"
            "<input name=username><input type=password name=password><button>Sign in</button></form>"
        )

    return server


def main(port: int, username: str, password: str) -> None:
    build(port, username, password).run("streamable-http", host="127.0.0.1", port=port)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:4])
