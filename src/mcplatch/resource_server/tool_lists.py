"""Leaves tools out of lists that pass by, in JSON bodies and event streams (MCP tools)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mcplatch.protocol.jsonrpc import parse_json
from mcplatch.protocol.refusal import Refusal

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_MARK = b'"tools"'

Lists = Callable[[str], bool]


def filter_body(body: bytes, lists: Lists, *, stateless: bool) -> bytes:
    """`body` with the tools that `lists` does not admit left out; anything else unchanged."""
    document = parse_json(body)
    if isinstance(document, Refusal) or not _filter(document, lists, stateless):
        return body
    return _dump(document)


class EventFilter:
    """Filters an event stream as it passes; holds back an event until it is complete.

    A list can come on any stream: on the one that answers the request, on the one of an older
    transport, or replayed later. So every event is looked at.
    """

    __slots__ = ("_held", "_lists", "_stateless")

    def __init__(self, lists: Lists, *, stateless: bool) -> None:
        self._lists = lists
        self._stateless = stateless
        self._held = b""

    def feed(self, chunk: bytes, *, last: bool) -> bytes:
        """What of the stream may go out now that `chunk` has come."""
        pending = self._held + chunk
        end = 0
        out = bytearray()
        for boundary in _BOUNDARY.finditer(pending):
            out += self._event(pending[end : boundary.end()])
            end = boundary.end()
        self._held = pending[end:]
        if last and self._held:
            out += self._event(self._held)
            self._held = b""
        return bytes(out)

    def _event(self, event: bytes) -> bytes:
        if _MARK not in event and b"\\u" not in event:
            return event
        lines = re.split(rb"(\r\n|\n|\r)", event)
        data = [line[5:].removeprefix(b" ") for line in lines[::2] if line.startswith(b"data:")]
        document = parse_json(b"\n".join(data)) if data else None
        if isinstance(document, Refusal) or not _filter(document, self._lists, self._stateless):
            return event
        return _with_data(lines, _dump(document))


def _filter(document: Any, lists: Lists, stateless: bool) -> bool:
    """Filters the result of a `tools/list` in place; whether there was one."""
    result = document.get("result") if isinstance(document, dict) else None
    tools = result.get("tools") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(tools, list):
        return False
    result["tools"] = [
        tool for tool in tools if isinstance(tool, dict) and lists(str(tool.get("name")))
    ]
    if stateless or "cacheScope" in result:
        # What depends on who asks must not be served to someone else from a shared cache (RS-61).
        result["cacheScope"] = "private"
    return True


def _with_data(lines: list[bytes], data: bytes) -> bytes:
    out = bytearray()
    written = False
    for line, ending in zip(lines[::2], [*lines[1::2], b""], strict=True):
        if not line.startswith(b"data:"):
            out += line + ending
        elif not written:
            out += b"data: " + data + ending
            written = True
    return bytes(out)


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
