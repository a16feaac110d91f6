"""The request headers that access is decided by (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcplatch.protocol.jsonrpc import RoutingHeaders

Headers = list[tuple[bytes, bytes]]
Heads = Mapping[bytes, list[bytes]]

_WANTED = frozenset(
    {
        b"authorization",
        b"host",
        b"origin",
        b"content-length",
        b"mcp-protocol-version",
        b"mcp-method",
        b"mcp-name",
    }
)
_ROUTING = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
_NO_VALUES: list[bytes] = []


def read_heads(headers: Iterable[tuple[bytes, bytes]]) -> Heads:
    """Every value of the headers in question, by lower-case name."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        name = name.lower()
        if name in _WANTED:
            if name in found:
                found[name].append(value)
            else:
                found[name] = [value]
    return found


def only(heads: Heads, name: bytes) -> str | None:
    """The value of a header that must stand once; None when it is missing or repeated."""
    values = heads.get(name, _NO_VALUES)
    return values[0].decode("latin-1") if len(values) == 1 else None


def routing(heads: Heads) -> RoutingHeaders:
    """The headers that mirror the body."""
    version, method, name = (
        [value.decode("latin-1") for value in heads.get(header, _NO_VALUES)] for header in _ROUTING
    )
    return RoutingHeaders(version, method, name)


def without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """`headers` without those of `names`."""
    return [pair for pair in headers if pair[0].lower() not in names]
