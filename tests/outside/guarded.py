"""The broad MCP server, bare and behind our guard, for the server half of the conformance suite."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.outside.flow import Wire
from tests.outside.form_browser import Browser
from tests.outside.served import PERSON, make_server
from tests.outside.stack import Program, running, server_environment
from tests.outside.toolbox import ROOT, unused_port


def broad_server(folder: Path, port: int, **more: str) -> Program:
    name = "guarded" if more else "bare"
    return Program(
        f"{name} MCP server",
        [sys.executable, "-m", "tests.outside.programs.broad_server", str(port)],
        server_environment(folder, PYTHONPATH=str(ROOT), **more),
        f"http://localhost:{port}/mcp",
        folder / f"{name}.log",
    )


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """Run the MCP server by itself; give its address."""
    port = unused_port()
    with running(broad_server(folder, port)):
        yield f"http://localhost:{port}/mcp"


@contextmanager
def guarded(folder: Path) -> Iterator[str]:
    """Run it behind our guard, with a token of our authorization server on every request."""
    port = unused_port()
    resource = f"http://localhost:{port}/mcp"
    server = make_server(folder, f"sqlite:///{folder}/guarded.db", resource)
    with running(server.program):
        wire = Wire(server.issuer, resource)
        wire.register()
        answer = wire.exchange(wire.authorize(PERSON, Browser()))
        token = str(answer.body["access_token"])
        with running(broad_server(folder, port, ISSUER=server.issuer, TOKEN=token)):
            yield resource
