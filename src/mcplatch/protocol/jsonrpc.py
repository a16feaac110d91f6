"""Reads strictly what a JSON-RPC body asks for, and checks the headers that mirror it (MCP)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcplatch.protocol.refusal import Reason, Refusal

MOST_DEPTH = 100
MOST_NAME_CHARACTERS = 8192
HANDSHAKE_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
NAMED_METHODS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
VERSION_MEMBER = "io.modelcontextprotocol/protocolVersion"

# `error` of these reasons is the JSON-RPC code: that is what a client of this wire looks at.
JSON_MALFORMED = Reason(
    "json-malformed", "-32700", "The body is not valid JSON.", "JSON-RPC 2.0 5.1"
)
MESSAGE_MALFORMED = Reason(
    "message-malformed", "-32600", "The body is not a single JSON-RPC message.", "JSON-RPC 2.0 4"
)
BATCH_REFUSED = Reason(
    "batch-refused", "-32600", "Batches are not accepted; send one message.", "MCP 2025-06-18"
)
PARAMETERS_MALFORMED = Reason(
    "message-parameters-malformed", "-32602", "The name in the parameters is malformed.", "MCP"
)
HEADER_MISMATCH = Reason(
    "header-mismatch", "-32020", "A header does not agree with the body.", "MCP 2026-07-28"
)

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")


@dataclass(frozen=True, slots=True)
class Message:
    """One JSON-RPC message, as far as access is decided by it.

    `name` is the tool, prompt or resource address that the method names, None for other methods.
    `version` is the protocol version the body itself states (2026-07-28 and later).
    """

    kind: Literal["request", "notification", "response"]
    method: str
    name: str | None
    id: str | int | None
    version: str | None


@dataclass(frozen=True, slots=True)
class RoutingHeaders:
    """Every value sent of the three headers that mirror the body, decoded as ISO 8859-1."""

    version: Sequence[str] = ()
    method: Sequence[str] = ()
    name: Sequence[str] = ()


def parse_message(body: bytes) -> Message | Refusal:
    """The message in `body`, or why it is refused.

    A name that stands twice in one object is refused, and so are other encodings than UTF-8, NaN
    and nesting beyond `MOST_DEPTH`: whoever reads the body after us must read the same message.
    """
    document = parse_json(body)
    if isinstance(document, Refusal):
        return document
    if isinstance(document, list):
        return Refusal(BATCH_REFUSED)
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        return Refusal(MESSAGE_MALFORMED)
    method = document.get("method")
    if method is None:
        is_response = "id" in document and ("result" in document) != ("error" in document)
        return _response() if is_response else Refusal(MESSAGE_MALFORMED)
    return _call(document, method)


def parse_json(body: bytes) -> Any | Refusal:
    """The JSON value in `body`, read strictly."""
    try:
        text = body.decode("utf-8").strip(_BLANKS)
        document, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return Refusal(JSON_MALFORMED)
    if end != len(text):
        return Refusal(JSON_MALFORMED, "something follows the value")
    # Only a body with that many brackets can be that deep; counting them costs next to nothing.
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH and _too_deep(document):
        return Refusal(JSON_MALFORMED, "nested too deeply")
    return document


def check_routing(
    message: Message, headers: RoutingHeaders, *, mirrored: bool = True
) -> Refusal | None:
    """Whether the mirrored headers agree with the body; the body is what counts, always.

    The same in both eras: a header that is there must agree. Since 2026-07-28 a request must carry
    them; a notification need not. The old SSE transport mirrors nothing (`mirrored` is False):
    there a client may try the new era in the body alone.
    """
    if len(headers.version) > 1 or len(headers.method) > 1 or len(headers.name) > 1:
        return Refusal(HEADER_MISMATCH, "a header is repeated")
    version = headers.version[0] if headers.version else None
    said = headers.version or mirrored
    if message.version is not None and message.version != version and said:
        return Refusal(HEADER_MISMATCH, "MCP-Protocol-Version")
    required = message.kind == "request" and is_stateless(version)
    if headers.method[0] != message.method if headers.method else required:
        return Refusal(HEADER_MISMATCH, "Mcp-Method")
    if message.name is None:
        # What other methods put there names nothing that is decided about.
        return None
    name = decode_header(headers.name[0]) if headers.name else None
    if name != message.name and (headers.name or required):
        return Refusal(HEADER_MISMATCH, "Mcp-Name")
    return None


def is_stateless(version: str | None) -> bool:
    """Whether the version header selects the wire without sessions; no header is the old wire."""
    return version is not None and version not in HANDSHAKE_VERSIONS


def decode_header(value: str) -> str | None:
    """The text of a mirrored header, its base64 form decoded; None when that form is broken."""
    match = _SENTINEL.fullmatch(value)
    if match is None:
        return value
    try:
        raw = base64.b64decode(match[1], validate=True)
        text = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    # One text has one form: bits that decode to nothing must not make a second spelling.
    return text if base64.b64encode(raw).decode() == match[1] else None


def encode_header(text: str) -> str:
    """How a name is written into a header: itself, or its base64 form if it would not survive."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not _SENTINEL.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def error_body(
    request_id: str | int | None, code: int, message: str, data: Mapping[str, Any] | None = None
) -> bytes:
    """A JSON-RPC error response (JSON-RPC 2.0 section 5.1)."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data:
        error["data"] = data
    return json.dumps(
        {"jsonrpc": "2.0", "id": request_id, "error": error}, separators=(",", ":")
    ).encode()


def _response() -> Message:
    return Message("response", "", None, None, None)


def _call(document: dict[str, Any], method: object) -> Message | Refusal:
    if not isinstance(method, str) or not _is_name(method) or "result" in document:
        return Refusal(MESSAGE_MALFORMED, "method")
    request_id = document.get("id")
    if "id" in document and (
        isinstance(request_id, bool) or not isinstance(request_id, (str, int))
    ):
        return Refusal(MESSAGE_MALFORMED, "id")
    params = document.get("params")
    if params is not None and not isinstance(params, dict):
        return Refusal(MESSAGE_MALFORMED, "params")
    name = None
    if (member := NAMED_METHODS.get(method)) is not None:
        name = params.get(member) if params else None
        if not isinstance(name, str) or not _is_name(name):
            return Refusal(PARAMETERS_MALFORMED, member)
    meta = params.get("_meta") if params else None
    version = meta.get(VERSION_MEMBER) if isinstance(meta, dict) else None
    return Message(
        "request" if "id" in document else "notification",
        method,
        name,
        request_id,
        version if isinstance(version, str) else None,
    )


def _is_name(text: str) -> bool:
    """Short enough, and real text: half a surrogate pair cannot be logged, compared or sent on."""
    if len(text) > MOST_NAME_CHARACTERS:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _too_deep(document: object) -> bool:
    level = [document]
    for _ in range(MOST_DEPTH):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)  # type: ignore[attr-defined]
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
