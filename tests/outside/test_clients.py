"""Real clients, headless, against our servers: the person is the form browser (E1-E22 seen from outside)."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.outside.conftest import walks
from tests.outside.stack import Target
from tests.outside.toolbox import INSPECTOR, MCP_REMOTE, NODE, PROGRAMS, converse, run, unused_port

pytestmark = pytest.mark.slow

Env = Callable[..., dict[str, str]]
READ_TOOLS = {"get_time", "calculator", "get_weather"}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "outside", "version": "1"},
}


def node(program: str, *told: str) -> list[str]:
    return [str(NODE), str(PROGRAMS / program), *told]


def python(module: str, *told: str) -> list[str]:
    return [sys.executable, "-m", f"tests.outside.programs.{module}", *told]


def is_a_time(text: str) -> bool:
    return re.search(r"\b20\d\d-\d\d-\d\d", text) is not None


@pytest.mark.parametrize("wire", ["legacy", "2026-07-28", "auto"])
def test_mcp_client(target: Target, person: Env, wire: str) -> None:
    command = python("mcp_sdk_client", target.resource, wire, "get_time")
    seen = json.loads(run(command, person()).last_line())
    assert set(seen["tools"]) >= READ_TOOLS
    assert is_a_time(seen["texts"][0])
    assert seen["visits"] == 1
    assert seen["iss"] == target.issuer
    assert seen["refresh"]


@pytest.mark.requirement("RS-10", "RS-25")
@pytest.mark.parametrize("wire", ["legacy", "2026-07-28"])
def test_mcp_client_steps_up(target: Target, person: Env, wire: str) -> None:
    """A tool that needs more: 403 with the scope, asked again, retried by the client itself."""
    calls = ("get_time", "admin-action", "get_time")
    command = python("mcp_sdk_client", target.resource, wire, *calls)
    seen = json.loads(run(command, person(FORM_BROWSER_TICK="all")).last_line())
    assert "nothing was changed" in seen["texts"][1]
    assert is_a_time(seen["texts"][2])
    assert seen["visits"] <= 2
    assert "admin" in seen["scope"].split()


def test_mcp_client_is_told_of_a_denial(target: Target, person: Env) -> None:
    command = python("mcp_sdk_client", target.resource, "auto", "get_time")
    ran = run(command, person(FORM_BROWSER_DENY="1"))
    assert ran.code != 0
    assert "error=access_denied" in ran.err


def test_fastmcp_client(target: Target, person: Env) -> None:
    env = person()
    seen = json.loads(run(python("fastmcp_client", target.resource, "get_time"), env).last_line())
    assert set(seen["tools"]) >= READ_TOOLS
    assert is_a_time(seen["texts"][0])
    assert seen["refresh"]
    assert len(walks(env)) == 1


def test_fastmcp_call(target: Target, person: Env) -> None:
    env = person()
    fastmcp = shutil.which("fastmcp", path=env["PATH"])
    assert fastmcp is not None
    ran = run([fastmcp, "call", target.resource, "get_time", "--auth", "oauth", "--json"], env)
    assert ran.code == 0, ran
    assert is_a_time(json.loads(ran.out)["content"][0]["text"])


@pytest.mark.parametrize(
    ("program", "era"),
    [
        ("typescript_client_2.mjs", "modern"),
        ("typescript_client_2.mjs", "legacy"),
        ("typescript_sdk_1.mjs", "legacy"),
    ],
)
def test_typescript(programs: None, target: Target, person: Env, program: str, era: str) -> None:
    """Signs in once; a lost access token is replaced by refreshing, without the person."""
    ran = run(node(program, target.resource, "get_time", era), person())
    seen = json.loads(ran.last_line())
    assert set(seen["tools"]) >= READ_TOOLS
    assert is_a_time(seen["first"])
    assert is_a_time(seen["again"])
    assert seen["visits"] == 1
    assert seen["iss"] == target.issuer


@pytest.mark.parametrize("era", ["legacy", "modern", "auto"])
def test_inspector(programs: None, target: Target, person: Env, era: str) -> None:
    env = person()
    callback = f"http://127.0.0.1:{unused_port()}/oauth/callback"
    command = [str(NODE), str(INSPECTOR), "--cli", target.resource, "--transport", "http"]
    command += ["--protocol-era", era, "--callback-url", callback, "--format", "json"]
    call = ["--method", "tools/call", "--tool-name", "get_time"]
    ran = run(command + call, env)
    assert ran.code == 0, ran
    assert is_a_time(json.loads(ran.out)["result"]["content"][0]["text"])
    # The second run finds the sign-in in its store; --relogin revokes it and signs in anew.
    assert run([*command, "--method", "tools/list"], env).code == 0
    assert len(walks(env)) == 1
    again = run([*command, "--relogin", "--method", "tools/list"], env)
    assert again.code == 0, again
    assert len(walks(env)) == 2


def test_mcp_remote(programs: None, target: Target, person: Env) -> None:
    """A stdio client reaches the server through the bridge."""
    call = {"name": "get_time", "arguments": {}}
    asked: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
    ]
    command = [str(NODE), str(MCP_REMOTE), target.resource, "--allow-http"]
    answered = converse(command, person(), asked, 2)
    assert is_a_time(answered["result"]["content"][0]["text"])
