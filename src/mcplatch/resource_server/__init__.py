"""The guard of a protected resource: one ASGI layer around any MCP server (RFC 6750, RFC 9728).

Import what you need from its module; the names below are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcplatch.resource_server.guard import Guard as Guard
    from mcplatch.resource_server.identity import Identity as Identity
    from mcplatch.resource_server.identity import identity as identity
    from mcplatch.resource_server.latch import Latch as Latch

_HOMES = {
    "Guard": "mcplatch.resource_server.guard",
    "Identity": "mcplatch.resource_server.identity",
    "identity": "mcplatch.resource_server.identity",
    "Latch": "mcplatch.resource_server.latch",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
