"""Which operation a body asks for, read so that nobody can read it differently (JSON-RPC 2.0, MCP transports)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.jsonrpc import (
    BATCH_REFUSED,
    HEADER_MISMATCH,
    JSON_MALFORMED,
    MESSAGE_MALFORMED,
    MOST_DEPTH,
    PARAMETERS_MALFORMED,
    VERSION_MEMBER,
    Message,
    RoutingHeaders,
    check_routing,
    decode_header,
    encode_header,
    error_body,
    is_stateless,
    parse_json,
    parse_message,
)
from mcplatch.protocol.refusal import Reason, Refusal


def read(**document: Any) -> Message | Refusal:
    return parse_message(json.dumps({"jsonrpc": "2.0", **document}).encode())


@pytest.mark.requirement("RS-60")
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"id": 1, "method": "ping"}, Message("request", "ping", None, 1, None)),
        ({"id": "a", "method": "ping", "params": {}}, Message("request", "ping", None, "a", None)),
        (
            {"method": "notifications/x"},
            Message("notification", "notifications/x", None, None, None),
        ),
        (
            {"id": 1, "method": "tools/call", "params": {"name": "t", "uri": "u"}},
            Message("request", "tools/call", "t", 1, None),
        ),
        (
            {"id": 1, "method": "resources/read", "params": {"name": "t", "uri": "u"}},
            Message("request", "resources/read", "u", 1, None),
        ),
        (
            {"method": "prompts/get", "params": {"name": "p", "_meta": {VERSION_MEMBER: "v"}}},
            Message("notification", "prompts/get", "p", None, "v"),
        ),
        (
            {"id": 1, "method": "tools/list", "params": {"name": "t", "_meta": [VERSION_MEMBER]}},
            Message("request", "tools/list", None, 1, None),
        ),
        ({"id": 1, "result": None}, Message("response", "", None, None, None)),
        ({"id": None, "error": {}}, Message("response", "", None, None, None)),
    ],
)
def test_what_is_read(document: dict[str, Any], expected: Message) -> None:
    assert read(**document) == expected


@pytest.mark.requirement("RS-54", "RS-60")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", JSON_MALFORMED),
        (b"\xff", JSON_MALFORMED),
        (b'{"a": 1, "a": 1}', JSON_MALFORMED),
        (b'{"a": -Infinity}', JSON_MALFORMED),
        (b"[" * 200 + b"]" * 200, JSON_MALFORMED),
        (b"[]", BATCH_REFUSED),
        (b'"[[[["', MESSAGE_MALFORMED),
        (b'"' + b"[" * 200 + b'"', MESSAGE_MALFORMED),
        (b'{"jsonrpc": "2.0", "method": ""}', None),
        (
            b'{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "\\udfff"}}',
            PARAMETERS_MALFORMED,
        ),
    ],
)
def test_what_is_refused(body: bytes, reason: Reason | None) -> None:
    found = parse_message(body)
    assert (found.reason if isinstance(found, Refusal) else None) is reason


@pytest.mark.requirement("RS-54")
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_counted_exactly(pair: tuple[bytes, bytes]) -> None:
    def nested(depth: int) -> bytes:
        inside = b"1" if pair[0] != b"[" else b""
        return pair[0] * depth + inside + pair[1] * depth

    assert not isinstance(parse_json(nested(MOST_DEPTH)), Refusal)
    assert isinstance(parse_json(nested(MOST_DEPTH + 1)), Refusal)
    wide = json.dumps([{"a": [n]} for n in range(500)]).encode()
    assert not isinstance(parse_json(wide), Refusal)


CALL = Message("request", "tools/call", "t", 1, None)


@pytest.mark.requirement("RS-81")
@pytest.mark.parametrize(
    ("message", "headers", "agrees"),
    [
        (CALL, RoutingHeaders(), True),
        (CALL, RoutingHeaders(["2025-06-18"]), True),
        (CALL, RoutingHeaders(["2025-06-18"], ["tools/call"], ["t"]), True),
        (CALL, RoutingHeaders(["2025-06-18"], ["tools/list"]), False),
        (CALL, RoutingHeaders([], [], ["u"]), False),
        (CALL, RoutingHeaders(["2026-07-28"]), False),
        (CALL, RoutingHeaders(["2026-07-28"], ["tools/call"]), False),
        (CALL, RoutingHeaders(["2026-07-28"], ["tools/call"], ["t"]), True),
        (CALL, RoutingHeaders(["2026-07-28"], ["tools/call"], ["=?base64?dA==?="]), True),
        (CALL, RoutingHeaders(["2026-07-28"], ["tools/call"], ["=?base64?dA?="]), False),
        (CALL, RoutingHeaders(["2026-07-28"], ["tools/call"], ["=?base64?dB==?="]), False),
        (CALL, RoutingHeaders(["2026-07-28", "2026-07-28"], ["tools/call"], ["t"]), False),
        (Message("notification", "n", None, None, None), RoutingHeaders(["2026-07-28"]), True),
        (Message("request", "ping", None, 1, None), RoutingHeaders(["x"], ["ping"], ["any"]), True),
        (Message("request", "ping", None, 1, "2026-07-28"), RoutingHeaders([], ["ping"]), False),
        (Message("request", "ping", None, 1, "2025-06-18"), RoutingHeaders(["2025-06-18"]), True),
        (Message("response", "", None, None, None), RoutingHeaders(["2026-07-28"]), True),
    ],
)
def test_whether_headers_agree_with_the_body(
    message: Message, headers: RoutingHeaders, agrees: bool
) -> None:
    found = check_routing(message, headers)
    assert (found is None) == agrees
    if found is not None:
        assert found.reason is HEADER_MISMATCH


@pytest.mark.requirement("RS-81", "RS-85")
@pytest.mark.parametrize(
    ("headers", "agrees"),
    [
        (RoutingHeaders(), True),
        (RoutingHeaders(["2026-07-28"], ["tools/call"], ["t"]), True),
        (RoutingHeaders(["2025-06-18"]), False),
        (RoutingHeaders([], ["tools/list"]), False),
        (RoutingHeaders([], [], ["u"]), False),
    ],
)
def test_where_nothing_is_mirrored_only_what_is_said_must_agree(
    headers: RoutingHeaders, agrees: bool
) -> None:
    modern = Message("request", "tools/call", "t", 1, "2026-07-28")
    assert (check_routing(modern, headers, mirrored=False) is None) == agrees


@pytest.mark.requirement("RS-81")
@given(st.text(st.characters(codec="utf-8")))
def test_any_name_survives_a_header(text: str) -> None:
    written = encode_header(text)
    assert written.isascii()
    assert written.isprintable() or not written
    assert decode_header(written) == text


@pytest.mark.requirement("RS-85")
@pytest.mark.parametrize(
    ("version", "stateless"),
    [
        (None, False),
        ("2025-03-26", False),
        ("2025-11-25", False),
        ("2026-07-28", True),
        ("x", True),
    ],
)
def test_the_era_is_the_headers_choice(version: str | None, stateless: bool) -> None:
    assert is_stateless(version) is stateless


def test_an_error_body() -> None:
    assert json.loads(error_body(None, -1, "no")) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -1, "message": "no"},
    }
    assert json.loads(error_body("x", -1, "no", {"a": "b"}))["error"]["data"] == {"a": "b"}


@given(st.binary(max_size=200))
def test_no_body_is_too_odd_to_read(body: bytes) -> None:
    assert isinstance(parse_message(body), (Message, Refusal))
