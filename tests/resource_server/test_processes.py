"""Servers as their authors start them, in a process of their own and over real sockets (E18, E21)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.resource_server.wire import challenge, headers, message

pytestmark = pytest.mark.slow

OFFICIAL = """
from mcp.server.mcpserver import MCPServer
from mcplatch import Latch
mcp = MCPServer("notes")
@mcp.tool()
def list_notes() -> str: return "milk"
latch = Latch("http://localhost:9", resource="http://localhost:{port}{path}")
latch.guard(mcp, tools={{"list_*": "notes:read"}})
mcp.run("{transport}", port={port})
"""
FASTMCP = """
from fastmcp import FastMCP
from mcplatch import Latch
latch = Latch("http://localhost:9", resource="http://localhost:{port}{path}")
mcp = FastMCP("notes", auth=latch.fastmcp(tools={{"list_*": "notes:read"}}))
@mcp.tool
def list_notes() -> str: return "milk"
mcp.run("{transport}", port={port}, show_banner=False)
"""
MISSPELT = OFFICIAL.replace("list_*", "lsit_*")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def start(program: str, transport: str, path: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    code = program.format(port=port, path=path, transport=transport)
    environment = {**os.environ, "FASTMCP_CHECK_FOR_UPDATES": "off"}
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return child, port


@pytest.fixture(
    params=[
        (OFFICIAL, "streamable-http", "/mcp"),
        (OFFICIAL, "sse", "/sse"),
        (FASTMCP, "http", "/mcp"),
        (FASTMCP, "sse", "/sse"),
    ],
    ids=["mcp", "mcp sse", "fastmcp", "fastmcp sse"],
)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The origin and path of a server that was started with `run`."""
    program, transport, path = request.param
    child, port = start(program, transport, path)
    origin = f"http://localhost:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx2.get(origin, trust_env=False)
            break
        except httpx2.TransportError:
            time.sleep(0.1)
    yield origin, path
    child.terminate()
    child.communicate(timeout=10)


@pytest.mark.requirement("RS-1", "RS-4", "RS-14", "RS-20", "E18", "E21")
def test_run_is_guarded(running: tuple[str, str]) -> None:
    origin, path = running
    with httpx2.Client(base_url=origin, trust_env=False) as http:
        for verb in ("GET", "HEAD", "DELETE"):
            assert http.request(verb, path).status_code == 401
        body = message("tools/call", "list_notes")
        bare = http.post(path, json=body, headers=headers("tools/call", "list_notes"))
        assert bare.status_code == 401
        found = challenge(bare)
        assert found.get("scope") == "notes:read"
        document = http.get(found.get("resource_metadata") or "").json()
        assert document["resource"] == origin + path
        root = http.get("/.well-known/oauth-protected-resource").json()
        assert root == document
        bad = http.post(path, json=body, headers=headers("tools/call", "list_notes", token="x"))
        assert challenge(bad).get("error") == "invalid_token"
        header = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiYXQrand0In0"
        sent = headers("tools/call", "list_notes", token=f"{header}.e30.AAAA")
        # Its authorization server is not there: an outage, over a real socket.
        assert http.post(path, json=body, headers=sent).status_code == 503
        foreign = http.get(path, headers={"host": "evil.example"})
        assert foreign.status_code == 421


@pytest.mark.requirement("RS-66")
def test_a_misspelt_rule_keeps_a_server_from_starting() -> None:
    child, _ = start(MISSPELT, "streamable-http", "/mcp")
    _, said = child.communicate(timeout=30)
    assert child.returncode != 0
    assert b"lsit_*" in said
