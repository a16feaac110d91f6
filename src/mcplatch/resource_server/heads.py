"""The request headers that access is decided by (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcplatch.protocol.jsonrpc import RoutingHeaders

Headers = list[tuple[bytes, bytes]]

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


class Heads:
    """Every value of the headers in question, by lower-case name; `kept` is for the app."""

    __slots__ = ("_values", "kept")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], unseen: frozenset[bytes]) -> None:
        values: dict[bytes, list[bytes]] = {}
        kept: Headers = []
        for pair in headers:
            name = pair[0].lower()
            if name in _WANTED:
                if name in values:
                    values[name].append(pair[1])
                else:
                    values[name] = [pair[1]]
            if name not in unseen:
                kept.append(pair)
        self._values = values
        self.kept = kept

    def has(self, name: bytes) -> bool:
        """Whether the header is there at all."""
        return name in self._values

    def all(self, name: bytes) -> list[bytes] | None:
        """Every value of the header, None when it is not there."""
        return self._values.get(name)

    def only(self, name: bytes) -> str | None:
        """The value of a header that must stand once; None when it is missing or repeated."""
        values = self._values.get(name)
        return values[0].decode("latin-1") if values is not None and len(values) == 1 else None

    def routing(self) -> RoutingHeaders:
        """The headers that mirror the body."""
        return RoutingHeaders(
            self._texts(b"mcp-protocol-version"),
            self._texts(b"mcp-method"),
            self._texts(b"mcp-name"),
        )

    def _texts(self, name: bytes) -> Sequence[str]:
        values = self._values.get(name)
        if values is None:
            return ()
        if len(values) == 1:
            return (values[0].decode("latin-1"),)
        return [value.decode("latin-1") for value in values]


def without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """`headers` without those of `names`."""
    return [pair for pair in headers if pair[0].lower() not in names]
