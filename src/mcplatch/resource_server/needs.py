"""A scope declared on a tool in code, readable as a rule, callable as a check (RFC 6749 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcplatch.resource_server.identity import current_method, identity


@dataclass(frozen=True, slots=True)
class Need:
    """`tool(auth=latch.needs("notes:write", "Change your notes"))`.

    Has the shape of FastMCP's own scope checks. The guard has decided before a tool is reached; the
    check decides again, for a server that runs without the guard. Lists are filtered by the guard,
    so what can be obtained by asking stays visible.
    """

    scopes: tuple[str, ...]
    missing: Callable[[tuple[str, ...], frozenset[str]], tuple[str, ...]]

    @property
    def required_scopes(self) -> frozenset[str]:
        """The scopes as a set."""
        return frozenset(self.scopes)

    def missing_scopes(self, ctx: Any) -> set[str]:
        """The scopes the caller's token lacks; none when there is no token."""
        if ctx.token is None:
            return set()
        return set(self.missing(self.scopes, frozenset(ctx.token.scopes)))

    def __call__(self, ctx: Any) -> bool:
        if identity() is not None and current_method() != "tools/call":
            return True
        return ctx.token is not None and not self.missing_scopes(ctx)
