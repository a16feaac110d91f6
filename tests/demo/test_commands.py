"""The demonstration's commands as real processes, typed as its own instructions say."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a password for this test"


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    demo = {"MCP_DEMO_USERNAME": "grace", "MCP_DEMO_PASSWORD": PASSWORD}
    places = {"TMPDIR": str(home), "MCPLATCH_HOME": str(home / "wallet")}
    return kept | demo | places | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | more


def command(name: str) -> list[str]:
    return [sys.executable, "-c", f"from mcplatch.demo.commands import {name}; {name}()"]


@contextmanager
def started(name: str, *flags: str, env: dict[str, str]) -> Iterator[dict[str, str]]:
    """A server of the demonstration; gives what it says of itself, by the name of each line."""
    running = subprocess.Popen(
        [*command(name), *flags],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    said: dict[str, str] = {}
    before = ""
    for line in running.stdout:
        if "Ctrl-C ends it" in line:
            break
        before += line
        said[line[:24].strip()] = line[24:].strip()
    else:
        pytest.fail(f"{name} did not start:\n{before}")
    try:
        yield said
    finally:
        running.terminate()
        rest = running.communicate(timeout=10)[0]
        assert running.returncode == 0, rest
        assert "Traceback" not in rest


def converse(server_url: str, lines: list[str], env: dict[str, str], **more: str) -> str:
    """What the demonstration's client prints for `lines` typed, a form driver as its browser."""
    port, path = server_url.rpartition(":")[2].split("/")
    browser = shlex.join([sys.executable, str(ROOT / "tests" / "outside" / "form_browser.py")])
    person = {"FORM_BROWSER_USERNAME": "grace", "FORM_BROWSER_PASSWORD": PASSWORD}
    transport = "streamable_http" if path == "mcp" else "sse"
    wanted = {"MCP_SERVER_PORT": port, "MCP_TRANSPORT_TYPE": transport, "BROWSER": browser}
    log = {"FORM_BROWSER_LOG": str(Path(env["HOME"]) / "browser.log")}
    done = subprocess.run(
        command("client"),
        env=env | person | wanted | log | more,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transport", "tokens"), [("streamable-http", "introspection"), ("sse", "jwt")]
)
def test_three_commands_in_three_terminals(tmp_path: Path, transport: str, tokens: str) -> None:
    env = environment(tmp_path)
    with started("authorization_server", "--port=0", env=env) as issuer:
        flags = [
            "--port=0",
            f"--auth-server={issuer['authorization server']}",
            f"--transport={transport}",
            f"--tokens={tokens}",
            "--oauth-strict",
        ]
        with started("resource_server", *flags, env=env) as server:
            time.sleep(1.2)  # the authorization server looks once a second who is there
            typed = ["list", 'call calculator {"expression": "6*7"}', "call get_time", "quit"]
            said = converse(server["MCP server"], typed, env)
    for tool in ("get_time", "calculator", "get_weather", "admin-action"):
        assert tool in said
    assert '"result": 42' in said
    assert "Etc/UTC" in said or '"UTC"' in said


@pytest.mark.slow
def test_the_resource_server_may_be_first(tmp_path: Path, unused_tcp_port: int) -> None:
    env = environment(tmp_path)
    issuer = f"http://localhost:{unused_tcp_port}"
    flags = ["--port=0", f"--auth-server={issuer}"]
    with (
        started("resource_server", *flags, env=env) as server,
        started("authorization_server", f"--port={unused_tcp_port}", env=env),
    ):
        assert '"result": 4' in converse(
            server["MCP server"], ['call calculator {"expression": "2+2"}', "quit"], env
        )


@pytest.mark.slow
@pytest.mark.requirement("AS-16")
@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_everything_at_one_address(tmp_path: Path, transport: str) -> None:
    env = environment(tmp_path)
    with started("legacy_server", "--port=0", f"--transport={transport}", env=env) as said:
        root = said["MCP server"].rpartition("/")[0]
        with urlopen(f"{root}/.well-known/oauth-authorization-server", timeout=5) as answer:
            described = json.load(answer)
        assert described["issuer"] == root
        for endpoint in ("authorization", "token", "registration"):
            path = {"authorization": "authorize", "registration": "register"}.get(
                endpoint, endpoint
            )
            assert described[f"{endpoint}_endpoint"] == f"{root}/{path}"
        typed = ["call get_time", "quit"]
        assert '"timezone": "UTC"' in converse(said["MCP server"], typed, env)


@pytest.mark.slow
def test_without_a_password_one_is_made_up_and_told_once(tmp_path: Path) -> None:
    env = {n: v for n, v in environment(tmp_path).items() if not n.startswith("MCP_DEMO")}
    with started("authorization_server", "--port=0", env=env) as said:
        assert said["sign in as"] == "ada"
        assert len(said["password"].split()[0]) == 19


@pytest.mark.slow
def test_the_module_runs_the_resource_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcplatch.demo", "--help"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "--oauth-strict" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--auth-server=ftp://x"], "ftp://x"),
        (["--auth-server=http://auth.example"], "auth.example"),
        (["--port=70000"], "70000"),
        (["--transport=stdio"], "stdio"),
    ],
)
def test_a_flag_that_cannot_be_is_one_sentence(
    tmp_path: Path, flags: list[str], words: str
) -> None:
    done = subprocess.run(
        [*command("resource_server"), "--port=0", *flags],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path, unused_tcp_port: int) -> None:
    env = environment(tmp_path)
    flag = f"--port={unused_tcp_port}"
    with started("resource_server", flag, "--tokens=jwt", env=env):
        done = subprocess.run(
            [*command("legacy_server"), flag],
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: port {unused_tcp_port} cannot be used")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_resource_server_is_strict_without_being_told(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with started("resource_server", "--port=0", "--tokens=jwt", env=env) as said:
        with pytest.raises(HTTPError) as refused:
            urlopen(said["MCP server"], timeout=5)
        assert refused.value.code == 401
        refused.value.close()


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
