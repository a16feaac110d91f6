"""`mcplatch serve` and a server that verifies tokens itself, with access tokens of a few seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.outside.conftest import walks
from tests.outside.served import make_server
from tests.outside.stack import (
    PASSWORD,
    USERNAME,
    Program,
    Target,
    running,
    script,
    server_environment,
)
from tests.outside.test_clients import is_a_time, python
from tests.outside.toolbox import run, unused_port

pytestmark = pytest.mark.slow

Env = Callable[..., dict[str, str]]
SECONDS = 3
PAST = SECONDS + 1.5
MORE = f"""
[lifetimes]
access_token = "{SECONDS}s"
"""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The two servers; nothing but the published keys connects them."""
    folder = tmp_path_factory.mktemp("short")
    port = unused_port()
    resource = f"http://localhost:{port}/mcp"
    server = make_server(folder, f"sqlite:///{folder}/short.db", resource, MORE)
    serving = Program(
        "resource server",
        [
            script("mcp-simple-auth-rs"),
            f"--port={port}",
            f"--auth-server={server.issuer}",
            "--tokens=jwt",
        ],
        server_environment(folder),
        f"http://localhost:{port}/.well-known/oauth-protected-resource/mcp",
        folder / "resource-server.log",
    )
    with running(server.program, serving):
        yield Target(resource, server.issuer, USERNAME, PASSWORD)


@pytest.mark.requirement("AS-130", "AS-131", "AS-135", "RS-40")
@pytest.mark.parametrize("wire", ["legacy", "2026-07-28"])
def test_mcp_client_refreshes(short: Target, person: Env, wire: str) -> None:
    calls = ["get_time", f"wait:{PAST}", "get_time", f"wait:{PAST}", "get_time"]
    seen = json.loads(
        run(python("mcp_sdk_client", short.resource, wire, *calls), person()).last_line()
    )
    assert len(seen["texts"]) == 3
    assert all(map(is_a_time, seen["texts"]))
    assert seen["visits"] == 1


def test_fastmcp_client_refreshes(short: Target, person: Env) -> None:
    env = person()
    calls = ["get_time", f"wait:{PAST}", "get_time"]
    seen = json.loads(run(python("fastmcp_client", short.resource, *calls), env).last_line())
    assert all(map(is_a_time, seen["texts"]))
    assert len(walks(env)) == 1


@pytest.mark.requirement("CL-53")
def test_our_client_refreshes(short: Target, person: Env) -> None:
    env = person()
    assert run([script("mcplatch"), "login", short.resource], env).code == 0
    for _ in range(2):
        time.sleep(PAST)
        called = run([script("mcplatch"), "call", short.resource, "get_time"], env)
        assert called.code == 0, called
    assert len(walks(env)) == 1
