"""The one object a server author needs: which authorization server, resource, tools (RFC 9728)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mcplatch.policy.policy import Hide, Policy, make_policy
from mcplatch.policy.rules import Rule, check_scopes
from mcplatch.resource_server.addresses import check_resource, check_secure
from mcplatch.resource_server.documents import server_documents
from mcplatch.resource_server.guard import Guard
from mcplatch.resource_server.identity import Identity, identity
from mcplatch.resource_server.introspection_verifier import IntrospectionVerifier
from mcplatch.resource_server.jwt_verifier import JwtVerifier
from mcplatch.resource_server.key_source import KeySource
from mcplatch.resource_server.needs import Need
from mcplatch.resource_server.options import App, Options
from mcplatch.resource_server.outbound import Outbound
from mcplatch.resource_server.verdict import Verifier

if TYPE_CHECKING:
    import httpx2

    from mcplatch.resource_server.adapters.fastmcp import LatchAuth

Rules = Mapping[str, Rule | Need]


@dataclass(frozen=True, slots=True)
class Introspection:
    """How this resource introduces itself when it asks about tokens (RFC 7662).

    `endpoint` is left out where the issuer's metadata names it. `reuse` is how many seconds an
    answer may be reused, which is how long a revoked token can go on working.
    """

    client_id: str
    client_secret: str = field(repr=False)
    endpoint: str | None = None
    reuse: float = 3.0


class Latch:
    """Protects an MCP server as the resource `resource` of `authorization_servers`.

    `Latch("https://auth.example", resource="https://notes.example/mcp")`. Tokens are verified here,
    with the issuers' published keys, or by asking the issuer when `introspection` is given.
    baseline: scopes every call needs. connect: scopes a first sign-in asks for. words: a scope to
    what it allows, in plain language. hierarchy: a broad scope to the narrower ones it includes.
    resources, prompts: addresses and names, or patterns, to scopes; tools come with the server.
    jwks_uri: where the keys are, if not where the metadata says. Raises ValueError when an address
    or a scope cannot be used.
    """

    def __init__(
        self,
        *authorization_servers: str,
        resource: str,
        baseline: str | Iterable[str] = (),
        connect: str | Iterable[str] | None = None,
        words: Mapping[str, str] | None = None,
        hierarchy: Mapping[str, Iterable[str]] | None = None,
        resources: Rules | None = None,
        prompts: Rules | None = None,
        hide: Hide = "unobtainable",
        introspection: Introspection | None = None,
        jwks_uri: str | None = None,
        options: Options | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        if not authorization_servers:
            raise ValueError("name the authorization server: Latch('https://auth.example', ...)")
        self.authorization_servers = tuple(map(check_secure, authorization_servers))
        self.resource = check_resource(resource)
        self.words = dict(words or {})
        self.options = options or Options()
        self.outbound = Outbound(transport=transport)
        self.verifier = self._verifier(introspection, jwks_uri)
        self._baseline = _scopes(baseline)
        self._connect = None if connect is None else _scopes(connect)
        self._hierarchy = {broad: _scopes(narrow) for broad, narrow in (hierarchy or {}).items()}
        self._resources, self._prompts = _table(resources), _table(prompts)
        self._hide = hide
        self._empty = self.policy()

    def needs(self, scope: str | tuple[str, ...], words: str | None = None) -> Need:
        """A rule for one tool, for a table or for FastMCP's `tool(auth=...)`.

        words say what the scope allows, as a person should read it.
        """
        scopes = check_scopes(_scopes(scope))
        if words is not None:
            self.words[scopes[-1]] = words
        return Need(scopes, self._missing)

    def me(self) -> Identity:
        """Who is calling. Raises LookupError on a public tool and outside a request."""
        who = identity()
        if who is None:
            raise LookupError("nobody has signed in for this request")
        return who

    def guard(
        self, server: Any, *, tools: Rules | None = None, default: Rule | None = None
    ) -> None:
        """Puts the guard on `server` (MCPServer or FastMCP), so that its `run` is covered too.

        tools: name or pattern to scope. default: the rule of every other tool; left out, they are
        denied once there is a table. Raises TypeError for something that is no MCP server.
        """
        policy = self.policy(tools, default)
        if hasattr(server, "streamable_http_app"):
            from mcplatch.resource_server.adapters import mcp_sdk

            mcp_sdk.protect(self, server, policy)
        elif hasattr(server, "http_app"):
            from mcplatch.resource_server.adapters import fastmcp

            fastmcp.protect(self, server, policy)
        else:
            raise TypeError(
                f"{type(server).__name__} is no MCP server; latch.asgi(app) guards any app"
            )

    def asgi(
        self,
        target: Any,
        *,
        tools: Rules | None = None,
        default: Rule | None = None,
        **options: Any,
    ) -> App:
        """A guarded ASGI application over an MCP server, or over any ASGI application.

        options go to the server's own `streamable_http_app` or `http_app`.
        """
        for maker in ("streamable_http_app", "http_app"):
            if hasattr(target, maker):
                self.guard(target, tools=tools, default=default)
                app: App = getattr(target, maker)(**options)
                return app
        if options:
            raise TypeError(f"{sorted(options)} mean nothing for a bare ASGI application")
        from mcplatch.resource_server.adapters import mcp_sdk

        return mcp_sdk.over_any_app(self, target, self.policy(tools, default))

    def fastmcp(self, *, tools: Rules | None = None, default: Rule | None = None) -> LatchAuth:
        """`FastMCP("notes", auth=latch.fastmcp())`: scopes from tools' `auth=` and from `tools`.

        Raises ValueError for public tools: FastMCP lets nobody in without a token when it has
        `auth=`; use `latch.guard(server)` for them.
        """
        from mcplatch.resource_server.adapters.fastmcp import LatchAuth

        return LatchAuth(self, self.policy(tools, default))

    def policy(self, tools: Rules | None = None, default: Rule | None = None) -> Policy:
        """The compiled policy for a table of tools. Raises ValueError, naming the rule at fault."""
        return make_policy(
            tools=_table(tools),
            resources=self._resources,
            prompts=self._prompts,
            default=default,
            baseline=self._baseline,
            connect=self._connect,
            hierarchy=self._hierarchy,
            words=self.words,
            hide=self._hide,
        )

    def layer(self, app: App, policy: Policy, **changes: Any) -> Guard:
        """The guard over `app`; `changes` replace single options."""
        return Guard(
            app,
            resource=self.resource,
            authorization_servers=self.authorization_servers,
            verifier=self.verifier,
            policy=policy,
            options=replace(self.options, **changes),
        )

    def mirror_server_metadata(self) -> Latch:
        """Serves the authorization server's metadata at this origin too, for 2025-03-26 clients."""
        documents = server_documents(self.authorization_servers[0], self.outbound)
        self.options = replace(self.options, documents={**self.options.documents, **documents})
        return self

    def _missing(self, scopes: tuple[str, ...], granted: frozenset[str]) -> tuple[str, ...]:
        return self._empty.lacking(scopes, granted)

    def _verifier(self, introspection: Introspection | None, jwks_uri: str | None) -> Verifier:
        clock = self.options.clock
        if introspection is None:
            sources = {
                issuer: KeySource(issuer, self.outbound, tick=time.monotonic, jwks_uri=jwks_uri)
                for issuer in self.authorization_servers
            }
            return JwtVerifier(sources, resource=self.resource, outbound=self.outbound, clock=clock)
        if len(self.authorization_servers) > 1:
            raise ValueError("introspection asks one authorization server; name just that one")
        return IntrospectionVerifier(
            self.authorization_servers[0],
            resource=self.resource,
            client_id=introspection.client_id,
            client_secret=introspection.client_secret,
            endpoint=introspection.endpoint,
            reuse=introspection.reuse,
            outbound=self.outbound,
            clock=clock,
            tick=time.monotonic,
        )


def _scopes(scopes: str | Iterable[str]) -> tuple[str, ...]:
    return (scopes,) if isinstance(scopes, str) else tuple(scopes)


def _table(rules: Rules | None) -> dict[str, Rule] | None:
    if rules is None:
        return None
    return {name: r.scopes if isinstance(r, Need) else r for name, r in rules.items()}
