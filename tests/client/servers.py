"""Real servers for the client to meet: ours to shape (scripted) and the two SDKs' own."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


def free_socket() -> tuple[socket.socket, str]:
    """A listening socket on loopback and the base URL it will have."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://localhost:{listening.getsockname()[1]}"


@contextlib.contextmanager
def serving(app: Any, listening: socket.socket) -> Iterator[None]:
    """Runs `app` on `listening` while the block runs."""
    config = uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class MemoryProvider:
    """The official SDK's provider protocol in memory, as in its example: approves at once, rotates."""

    def __init__(self, *, lifetime: int = 3600) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refreshes: dict[str, RefreshToken] = {}
        self.lifetime = lifetime
        self.counts = {"register": 0, "authorize": 0, "exchange": 0, "refresh": 0, "revoke": 0}
        self.lock = threading.Lock()

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.counts["register"] += 1
        self.clients[str(client_info.client_id)] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        self.counts["authorize"] += 1
        code = secrets.token_urlsafe(32)
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or ["user"],
            expires_at=time.time() + 60,
            client_id=str(client.client_id),
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject="ada",
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        self.counts["exchange"] += 1
        code = self.codes.pop(authorization_code.code)
        return self.issue(str(client.client_id), code.scopes, code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refreshes.get(refresh_token)

    async def exchange_refresh_token(
        self,
        client: OAuthClientInformationFull,
        refresh_token: RefreshToken,
        scopes: list[str],
    ) -> OAuthToken:
        with self.lock:
            self.counts["refresh"] += 1
            self.refreshes.pop(refresh_token.token)
        return self.issue(str(client.client_id), refresh_token.scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        found = self.access.get(token)
        return None if found is None or (found.expires_at or 0) < time.time() else found

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.counts["revoke"] += 1
        self.access.pop(token.token, None)
        self.refreshes.pop(token.token, None)

    def issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.access[access] = AccessToken(
            token=access,
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + self.lifetime,
            resource=resource,
            subject="ada",
        )
        self.refreshes[refresh] = RefreshToken(
            token=refresh, client_id=client_id, scopes=scopes, resource=resource
        )
        return OAuthToken(
            access_token=access,
            token_type="Bearer",
            expires_in=self.lifetime,
            scope=" ".join(scopes),
            refresh_token=refresh,
        )


def sdk_app(provider: MemoryProvider, base_url: str, *, transport: str = "streamable-http") -> Any:
    """An MCP server with the official SDK's authorization server routes on one port."""
    path = "/mcp" if transport == "streamable-http" else "/sse"
    urls: dict[str, Any] = {"issuer_url": base_url, "resource_server_url": base_url + path}
    known: Any = provider
    server = MCPServer(
        "sdk",
        auth_server_provider=known,
        auth=AuthSettings(
            **urls,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=["user", "admin"], default_scopes=["user"]
            ),
            revocation_options=RevocationOptions(enabled=True),
            required_scopes=["user"],
            validate_token_resource=True,
        ),
    )

    @server.tool()
    def get_time() -> str:
        """What time it is."""
        return "12:00"

    @server.tool(name="admin-action")
    def admin_action(what: str = "nothing") -> str:
        """Does what only admins may.\x1b[2J"""
        return f"done: {what}\x1b]0;pwned\x07"

    if transport == "sse":
        return needing_admin(server.sse_app(), provider, at="/messages/")
    return needing_admin(server.streamable_http_app(), provider)


def needing_admin(app: Any, provider: MemoryProvider, *, at: str = "/mcp") -> Any:
    """`app`, in which the tool admin-action takes the scope `admin`, challenged for as it should be."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != at:
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        header = dict(scope["headers"]).get(b"authorization", b"").decode()
        token = provider.access.get(header.removeprefix("Bearer "))
        if b'"admin-action"' in body and token is not None and "admin" not in token.scopes:
            challenge = b'Bearer error="insufficient_scope", scope="admin"'
            headers = [(b"www-authenticate", challenge), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        sent = False

        async def replay() -> Any:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await app(scope, replay, send)

    return guarded
