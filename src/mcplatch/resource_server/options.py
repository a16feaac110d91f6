"""What may be said about a guard beyond whom it trusts (MCP authorization)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from mcplatch.moment import clock as wall_clock
from mcplatch.resource_server.admission import Bind
from mcplatch.resource_server.body import MOST_BYTES, Receive, Send
from mcplatch.resource_server.documents import Document
from mcplatch.resource_server.lifespan import Check
from mcplatch.resource_server.token_cache import MOST_ENTRIES

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Learn = Callable[[Scope, str], Awaitable[None]]

CALL_GRACE = 60.0
"""Seconds a streamed answer to a call may outlive the token it was admitted with."""


@dataclass(frozen=True, slots=True)
class Options:
    """What may be said about a guard beyond whom it trusts; every default is the safe one.

    open_paths need no token at all, plain_paths need one but carry no JSON-RPC; every other path is
    guarded as MCP. allowed_hosts and allowed_origins add to those of the resource. documents are
    served as they are, by path. shown_authorization replaces the header the application sees, which
    otherwise sees none; keep_token leaves it. learn is asked about a tool before it is decided on.
    """

    open_paths: frozenset[str] = frozenset()
    plain_paths: frozenset[str] = frozenset()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    root_metadata: bool = True
    scopes_supported: tuple[str, ...] | None = None
    resource_name: str | None = None
    resource_documentation: str | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    most_body_bytes: int = MOST_BYTES
    most_cached_tokens: int = MOST_ENTRIES
    call_grace: float = CALL_GRACE
    keep_token: bool = False
    shown_authorization: bytes | None = None
    tool_result_challenges: bool = False
    bind: Bind | None = None
    learn: Learn | None = None
    checks: tuple[Check, ...] = ()
    clock: Callable[[], float] = wall_clock
