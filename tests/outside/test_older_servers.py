"""Clients of other projects against the demonstration's older shapes: SSE, and one server for both parts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.outside.stack import Target, combined, demonstration
from tests.outside.test_clients import INITIALIZE, is_a_time, node, python
from tests.outside.toolbox import INSPECTOR, MCP_REMOTE, NODE, converse, run, unused_port

pytestmark = pytest.mark.slow

Env = Callable[..., dict[str, str]]
CALL: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_time"}},
]


@pytest.fixture(scope="module")
def sse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with demonstration(tmp_path_factory.mktemp("sse"), "sse") as running:
        yield running


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with combined(tmp_path_factory.mktemp("legacy")) as running:
        yield running


def inspect(url: str, transport: str, env: dict[str, str]) -> str:
    callback = f"http://127.0.0.1:{unused_port()}/oauth/callback"
    command = [str(NODE), str(INSPECTOR), "--cli", url, "--transport", transport]
    command += ["--callback-url", callback, "--format", "json"]
    ran = run([*command, "--method", "tools/call", "--tool-name", "get_time"], env)
    assert ran.code == 0, ran
    text: str = json.loads(ran.out)["result"]["content"][0]["text"]
    return text


def test_inspector_over_sse(programs: None, sse: Target, person: Env) -> None:
    assert is_a_time(inspect(sse.resource, "sse", person()))


def test_mcp_remote_over_sse(programs: None, sse: Target, person: Env) -> None:
    command = [str(NODE), str(MCP_REMOTE), sse.resource, "--allow-http", "--transport", "sse-only"]
    answered = converse(command, person(), CALL, 2)
    assert is_a_time(answered["result"]["content"][0]["text"])


def test_fastmcp_over_sse(sse: Target, person: Env) -> None:
    ran = run(python("fastmcp_client", sse.resource, "get_time"), person())
    assert is_a_time(json.loads(ran.last_line())["texts"][0])


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_mcp_client_over_sse(sse: Target, person: Env, mode: str) -> None:
    ran = run(python("mcp_sdk_client", sse.resource, mode, "get_time"), person())
    assert is_a_time(json.loads(ran.last_line())["texts"][0])


def test_inspector_at_one_address(programs: None, legacy: Target, person: Env) -> None:
    assert is_a_time(inspect(legacy.resource, "http", person()))


def test_typescript_at_one_address(programs: None, legacy: Target, person: Env) -> None:
    ran = run(node("typescript_sdk_1.mjs", legacy.resource, "get_time"), person())
    assert is_a_time(json.loads(ran.last_line())["again"])


def test_mcp_client_at_one_address(legacy: Target, person: Env) -> None:
    ran = run(python("mcp_sdk_client", legacy.resource, "auto", "get_time"), person())
    seen = json.loads(ran.last_line())
    assert is_a_time(seen["texts"][0])
    assert seen["iss"] == legacy.issuer


def test_our_client_at_one_address(legacy: Target, person: Env) -> None:
    env = person()
    for told in (["login", legacy.resource], ["call", legacy.resource, "get_time"]):
        ran = run([sys.executable, "-m", "mcplatch", *told], env)
        assert ran.code == 0, ran
