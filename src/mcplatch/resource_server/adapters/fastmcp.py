"""Puts the guard on FastMCP servers, as their `auth=` or around them (`fastmcp` 4.x)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from fastmcp.server.auth import AccessToken, AuthProvider
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.authentication import AuthCredentials
from starlette.middleware import Middleware
from starlette.routing import Route

from mcplatch.policy.policy import Policy
from mcplatch.policy.rules import check_scopes
from mcplatch.protocol.resource_metadata import split, well_known_urls
from mcplatch.resource_server.adapters.mcp_sdk import inside
from mcplatch.resource_server.guard import Guard
from mcplatch.resource_server.identity import Identity
from mcplatch.resource_server.options import App
from mcplatch.resource_server.verdict import Valid

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from mcplatch.resource_server.latch import Latch

HIDDEN = b"Bearer hidden-by-mcplatch"
"""Stands in for the token: FastMCP looks for a bearer, and its proxies pass on what they find."""

_LOG = logging.getLogger("mcplatch.resource_server")


def access_token(identity: Identity, token: str) -> AccessToken:
    """FastMCP's own form of an identity."""
    return AccessToken(
        token=token,
        client_id=identity.client_id,
        scopes=list(identity.scopes),
        expires_at=identity.expires_at,
        resource=identity.resource,
        subject=identity.sub,
        claims=dict(identity.claims),
    )


def bind(identity: Identity, token: str) -> Mapping[str, Any]:
    """What FastMCP looks for in the ASGI scope."""
    return {
        "user": AuthenticatedUser(access_token(identity, token)),
        "auth": AuthCredentials(list(identity.scopes)),
    }


class LatchAuth(AuthProvider):
    """`FastMCP(auth=...)`: the guard in place of all of FastMCP's own checks of tokens."""

    def __init__(self, latch: Latch, policy: Policy) -> None:
        if policy.is_mixed:
            raise ValueError(
                "FastMCP(auth=...) lets nobody in without a token; "
                "for public tools leave auth= out and call latch.guard(server, tools=...)"
            )
        # FastMCP must never judge scopes itself: it answers a shortfall with invalid_token.
        super().__init__(base_url=split(latch.resource)[0], required_scopes=[])
        self._latch = latch
        self._policy = policy

    async def verify_token(self, token: str) -> AccessToken | None:
        """For those who call a provider directly: None is anything but valid."""
        verdict = await self._latch.verifier.verify(token)
        return access_token(verdict.identity, "") if isinstance(verdict, Valid) else None

    def get_middleware(self) -> list[Any]:
        """The guard, around everything the application serves."""
        return [Middleware(self._layer)]

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """The metadata addresses, for an application that mounts this one below its own root."""
        guard = self._latch.layer(_nothing, self._policy)
        urls = well_known_urls(self._latch.resource)
        chosen = urls if self._latch.options.root_metadata else urls[:1]
        return [Route(split(url)[1], endpoint=guard) for url in chosen]

    def _layer(self, app: App) -> Guard:
        return _layer(self._latch, self._policy, app)


def protect(latch: Latch, server: FastMCP[Any], policy: Policy) -> None:
    """Puts the guard around what `server.http_app` makes; the server has no `auth=` then.

    Raises ValueError when it has one.
    """
    if server.auth is not None:
        raise ValueError("this server has auth= already; either that or latch.guard, not both")
    make = server.http_app

    def http_app(*args: Any, **options: Any) -> Any:
        app = make(*args, **options)
        app.add_middleware(lambda inner: _layer(latch, policy, inner))
        return app

    server.http_app = http_app  # type: ignore[method-assign]


def _layer(latch: Latch, policy: Policy, app: App) -> Guard:
    async def learn(scope: MutableMapping[str, Any], name: str) -> None:
        await learn_tool(scope["app"].state.fastmcp_server, name, policy)

    async def learn_all(scope: MutableMapping[str, Any]) -> None:
        await learn_tools(scope["app"].state.fastmcp_server, policy)

    return latch.layer(
        inside(app),
        policy,
        bind=bind,
        learn=learn,
        checks=(*latch.options.checks, learn_all),
        shown_authorization=HIDDEN,
    )


async def learn_tools(server: FastMCP[Any], policy: Policy) -> None:
    """Reads the scopes that tools declare with `auth=`, and checks that every rule fits a tool.

    Raises ValueError for a rule that fits none. A tool that comes through `mount` has lost its
    declaration: name it in the table.
    """
    names = []
    for provider in server.providers:
        for tool in await provider.list_tools():
            names.append(tool.name)
            declare(policy, tool.name, tool.auth)
    unmatched = policy.tables["tools/call"].unmatched(names)
    if unmatched:
        raise ValueError(f"no tool of this server fits the rules {', '.join(map(repr, unmatched))}")
    undecided = [n for n in names if not policy.requirement("tools/call", n).scope]
    if undecided:
        _LOG.info("tools that need a token but no scope: %s", ", ".join(sorted(undecided)))


async def learn_tool(server: FastMCP[Any], name: str, policy: Policy) -> None:
    """The same for one tool that was added later."""
    for provider in server.providers:
        tool = await provider.get_tool(name)
        if tool is not None:
            declare(policy, name, tool.auth)


def declare(policy: Policy, name: str, auth: Any) -> None:
    """Notes the scopes of `auth`: any check, or list of checks, that says which it requires."""
    checks = auth if isinstance(auth, list) else [auth]
    scopes = [s for check in checks for s in sorted(getattr(check, "required_scopes", ()))]
    if scopes:
        policy.declared[name] = check_scopes(scopes)


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """No application: only the documents of a guard are wanted."""
