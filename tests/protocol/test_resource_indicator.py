"""Resource indicators: what may name one, and which spellings name the same."""

from __future__ import annotations

import pytest

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.resource_indicator import RESOURCE_MALFORMED, parse_resource, same_resource


@pytest.mark.requirement("AS-116")
@pytest.mark.parametrize(
    "text",
    [
        "https://h/mcp",
        "http://localhost:8001/mcp",
        "https://h",
        "https://h/a?b=c",
        "https://[::1]:1/x",
    ],
)
def test_absolute_uris_are_taken_unchanged(text: str) -> None:
    assert parse_resource(text) == text


@pytest.mark.requirement("AS-116")
@pytest.mark.parametrize(
    "text",
    [
        "/mcp",
        "h/mcp",
        "https://h/mcp#f",
        "https://",
        "https:///x",
        "https://u@h/",
        "ftp://h/",
        "urn:x:y",
        "https://h /",
        "https://h/\n",
        "https://h\\x/",
        "https://hü/",
        "https://h/" + "x" * 2048,
        "",
    ],
)
def test_what_names_no_resource(text: str) -> None:
    refusal = parse_resource(text)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RESOURCE_MALFORMED


@pytest.mark.requirement("AS-120")
@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("https://h", "https://h/", True),
        ("HTTPS://H/mcp", "https://h/mcp", True),
        ("https://h:443/mcp", "https://h/mcp", True),
        ("http://h:80", "http://h/", True),
        ("http://h:443/mcp", "http://h/mcp", False),
        ("https://h/mcp", "https://h/mcp/", False),
        ("https://h/mcp", "https://h/MCP", False),
        ("https://h/mcp", "https://h/", False),
        ("https://h/mcp", "https://h/mcp/x", False),
        ("https://h/mcp", "http://h/mcp", False),
        ("https://h/mcp?a", "https://h/mcp", False),
        ("nonsense", "nonsense", True),
        ("nonsense", "https://h", False),
    ],
)
def test_same(left: str, right: str, same: bool) -> None:
    assert same_resource(left, right) is same
    assert same_resource(right, left) is same
