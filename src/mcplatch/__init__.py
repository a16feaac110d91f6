"""OAuth 2.1 for MCP servers: the authorization server, the guard of a resource server, the
client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcplatch.policy.rules import ANY_TOKEN as ANY_TOKEN
    from mcplatch.policy.rules import DENIED as DENIED
    from mcplatch.policy.rules import PUBLIC as PUBLIC
    from mcplatch.resource_server.identity import Identity as Identity
    from mcplatch.resource_server.identity import identity as identity
    from mcplatch.resource_server.latch import Introspection as Introspection
    from mcplatch.resource_server.latch import Latch as Latch

__version__ = "0.1.0"

# Loaded when first asked for, so that importing the package stays quick.
_HOMES = {
    "ANY_TOKEN": "mcplatch.policy.rules",
    "DENIED": "mcplatch.policy.rules",
    "PUBLIC": "mcplatch.policy.rules",
    "Identity": "mcplatch.resource_server.identity",
    "identity": "mcplatch.resource_server.identity",
    "Introspection": "mcplatch.resource_server.latch",
    "Latch": "mcplatch.resource_server.latch",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
