"""Puts the guard on the official SDK's servers and hands identities to them (`mcp` 2.x)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.authentication import AuthCredentials

from mcplatch.policy.policy import Policy
from mcplatch.resource_server.guard import Guard
from mcplatch.resource_server.identity import Identity
from mcplatch.resource_server.lifespan import Check
from mcplatch.resource_server.options import App

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mcplatch.resource_server.latch import Latch

_MAKERS = ("streamable_http_app", "sse_app")


def bind(identity: Identity, token: str) -> Mapping[str, Any]:
    """What the SDK looks for in the ASGI scope.

    Issuer and subject are always there: without them the SDK tells people apart by client only,
    and everyone shares the client that is known by a metadata document.
    """
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    access_token = AccessToken(
        token=token,
        client_id=identity.client_id,
        scopes=list(identity.scopes),
        expires_at=identity.expires_at,
        resource=identity.resource,
        subject=identity.sub,
        claims=dict(identity.claims),
    )
    return {
        "user": AuthenticatedUser(access_token),
        "auth": AuthCredentials(list(identity.scopes)),
    }


def inside(app: App) -> App:
    """`app` within the SDK's own carrier of the authenticated user."""
    from mcp.server.auth.middleware.auth_context import AuthContextMiddleware

    return AuthContextMiddleware(app)


def protect(latch: Latch, server: Any, policy: Policy) -> None:
    """Replaces the methods of `server` that make applications, on this instance only.

    Raises ValueError when the server has an `auth=` of its own: two guards would contradict.
    """
    settings = getattr(server, "settings", None)
    if getattr(settings, "auth", None) is not None:
        raise ValueError("this server has auth= already; leave it out, the guard takes its place")
    checks = (
        (*latch.options.checks, rules_match(server.list_tools, policy))
        if hasattr(server, "list_tools")
        else latch.options.checks
    )

    def layer(app: App) -> Guard:
        return latch.layer(inside(app), policy, bind=bind, checks=checks)

    for name in _MAKERS:
        if hasattr(server, name):
            setattr(server, name, _guarded(getattr(server, name), layer))


def over_any_app(latch: Latch, app: App, policy: Policy) -> Guard:
    """The guard over a bare application, speaking to the SDK where the application uses it."""
    if "mcp.server" in sys.modules:
        return latch.layer(inside(app), policy, bind=bind)
    return latch.layer(app, policy)


def rules_match(list_tools: Callable[[], Any], policy: Policy) -> Check:
    """A check at start that every rule fits a tool: one that fits none is most likely misspelt."""

    async def check(scope: MutableMapping[str, Any]) -> None:
        names = [tool.name for tool in await list_tools()]
        unmatched = policy.tables["tools/call"].unmatched(names)
        if unmatched:
            raise ValueError(
                f"no tool of this server fits the rules {', '.join(map(repr, unmatched))}; "
                f"its tools are {', '.join(sorted(names))}"
            )

    return check


def _guarded(make: Callable[..., Starlette], layer: Callable[[App], Guard]) -> Callable[..., Any]:
    def make_guarded(**options: Any) -> Starlette:
        from mcp.server.transport_security import TransportSecuritySettings

        # The guard judges Host and Origin by the configured resource; a second list would disagree.
        options.setdefault(
            "transport_security", TransportSecuritySettings(enable_dns_rebinding_protection=False)
        )
        app = make(**options)
        app.add_middleware(layer)
        return app

    return make_guarded
