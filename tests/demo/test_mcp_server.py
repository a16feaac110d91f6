"""The demonstration's MCP server answers each tool, and a wrong argument with words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from mcplatch.demo.mcp_server import SCOPES, TOOLS, build

pytestmark = pytest.mark.anyio
NOW = 1_782_820_800

GOOD: list[tuple[str, dict[str, Any], str, object]] = [
    ("get_time", {}, "timezone", "UTC"),
    ("get_time", {"zone": "Asia/Kathmandu"}, "utc_offset", "UTC+05:45"),
    ("calculator", {"expression": "2 ** 10"}, "result", 1024),
    ("calculator", {"expression": "10 ** 20"}, "result", 10**20),
    ("calculator", {"expression": "1 / 4"}, "result", 0.25),
    ("calculator", {"expression": "10 ** 20"}, "text", "100000000000000000000"),
    ("get_weather", {"city": "Boston"}, "simulated", True),
]
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("get_time", {"zone": "Mars/Phobos"}, "IANA time zone"),
    ("calculator", {"expression": "9**9**9"}, "too large"),
    ("calculator", {}, "expression"),
    ("get_weather", {"city": ""}, "empty"),
    ("admin-action", {}, "scope admin"),
]


@pytest.mark.parametrize(("tool", "arguments", "field", "value"), GOOD)
async def test_answers(tool: str, arguments: dict[str, Any], field: str, value: object) -> None:
    async with Client(build(lambda: NOW)) as client:
        result = await client.call_tool(tool, arguments)
    assert not result.is_error
    assert json.loads(_text(result))[field] == value


@pytest.mark.parametrize(("tool", "arguments", "words"), BAD)
async def test_a_wrong_argument_is_a_tool_error(
    tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with Client(build(lambda: NOW)) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert words in _text(result)


async def test_every_tool_has_a_scope_and_a_plain_description() -> None:
    async with Client(build(lambda: NOW)) as client:
        listed = {tool.name: tool.description for tool in (await client.list_tools()).tools}
    assert listed == TOOLS
    assert set(SCOPES) == set(TOOLS)


def _text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
