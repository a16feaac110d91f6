"""Our client as people run it, against our servers and against the official SDK's own OAuth routes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.outside.conftest import walks
from tests.outside.stack import Program, Target, running, script, server_environment
from tests.outside.toolbox import ROOT, Ran, run, unused_port

pytestmark = pytest.mark.slow

Env = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def sdk_server(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MCP server with the SDK's OAuth and the same person as ours."""
    folder = tmp_path_factory.mktemp("sdk")
    port = unused_port()
    program = Program(
        "SDK server",
        [
            *(sys.executable, "-m", "tests.outside.programs.sdk_server"),
            *(str(port), target.username, target.password),
        ],
        server_environment(folder, PYTHONPATH=str(ROOT)),
        f"http://localhost:{port}/.well-known/oauth-authorization-server",
        folder / "sdk.log",
    )
    with running(program):
        yield f"http://localhost:{port}/mcp"


@pytest.fixture(params=["ours", "the SDK's"])
def server(request: pytest.FixtureRequest, target: Target) -> str:
    if request.param == "ours":
        return target.resource
    address: str = request.getfixturevalue("sdk_server")
    return address


def mcplatch(env: dict[str, str], *told: str) -> Ran:
    return run([script("mcplatch"), *told], env, seconds=60)


@pytest.mark.requirement("CL-20", "CL-30", "CL-36", "CL-53", "CL-57", "CL-58")
def test_sign_in_once_call_sign_out(server: str, person: Env) -> None:
    env = person()
    assert mcplatch(env, "call", server, "get_time").code == 3, "sign-in needed"
    signed_in = mcplatch(env, "login", server)
    assert signed_in.code == 0, signed_in
    for _ in range(2):
        called = mcplatch(env, "call", server, "get_time", "--json")
        assert called.code == 0, called
        assert "20" in json.dumps(json.loads(called.out))
    assert "get_time" in mcplatch(env, "tools", server).out
    assert server in mcplatch(env, "status").out
    assert len(walks(env)) == 1
    signed_out = mcplatch(env, "logout", server)
    assert signed_out.code == 0, signed_out
    assert mcplatch(env, "call", server, "get_time").code == 3


def test_a_denial_is_told(target: Target, person: Env) -> None:
    refused = mcplatch(person(FORM_BROWSER_DENY="1"), "login", target.resource)
    assert refused.code == 4, refused


def test_more_access_is_asked_for_by_signing_in_again(target: Target, person: Env) -> None:
    env = person(FORM_BROWSER_TICK="all")
    assert mcplatch(env, "login", target.resource).code == 0
    refused = mcplatch(env, "call", target.resource, "admin-action")
    assert refused.code == 3, refused
    assert mcplatch(env, "login", target.resource, "--scope", "user admin").code == 0
    done = mcplatch(env, "call", target.resource, "admin-action")
    assert done.code == 0, done
    assert "nothing was changed" in done.out


def test_the_demonstration_client(target: Target, person: Env) -> None:
    """The demonstration's own command, its own variables, its own prompt."""
    port = target.resource.removesuffix("/mcp").rpartition(":")[2]
    env = person(MCP_SERVER_PORT=port, MCP_TRANSPORT_TYPE="streamable_http")
    lines = 'list\ncall get_time\ncall calculator {"expression": "6*7"}\nquit\n'
    ran = run([script("mcp-simple-auth-client")], env, stdin=lines, seconds=60)
    assert ran.code == 0, ran
    assert "get_time" in ran.out
    assert "42" in ran.out
