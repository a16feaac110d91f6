"""Our servers as real processes on free ports: started, waited for, killed, started again, ended by pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.outside.toolbox import unused_port

USERNAME, PASSWORD = "outside", "a password only for this run"
ACCOUNT = {"MCP_DEMO_USERNAME": USERNAME, "MCP_DEMO_PASSWORD": PASSWORD}
SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 10.0
SECONDS_TO_MEET = 1.5  # the authorization server looks once a second for resource servers


@dataclass(slots=True)
class Program:
    """One server process; what it prints goes to a file that a failing test shows."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it and wait until `ready` is answered, whatever the status."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.env["HOME"],
                start_new_session=True,
            )
        wait_for(lambda: answers(self.ready), self.is_alive, f"{self.name} at {self.ready}: {self}")

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End it without warning, as a power cut or the kernel would (SIGKILL)."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it politely; one that does not listen is killed, and that is a failure."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop when asked to") from None

    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def __str__(self) -> str:
        return f"{' '.join(self.command)}\n{self.printed()[-4000:]}"


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status)
    except HTTPError as refused:
        refused.close()
        return True
    except (URLError, OSError):
        return False


def wait_for(test: Callable[[], bool], alive: Callable[[], bool], what: str) -> None:
    """Ask until `test` holds; stop early when the process behind it is gone."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not test():
        assert alive(), f"ended while starting: {what}"
        assert time.monotonic() < deadline, f"never ready: {what}"
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Target:
    """What outside programs are pointed at, and who signs in there."""

    resource: str
    issuer: str
    username: str
    password: str
    programs: tuple[Program, ...] = field(default=(), repr=False)


def get_json(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        return json.load(answer)


def resource_metadata(resource: str) -> Any:
    """Fetch the protected resource metadata at its path-inserted address (RFC 9728 3.1)."""
    parts = urlsplit(resource)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    return get_json(f"{base}/.well-known/oauth-protected-resource{path}")


def server_environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"HOME": str(folder), "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def demonstration(folder: Path, transport: str = "streamable-http") -> Iterator[Target]:
    """Run the demonstration's authorization server and MCP server on free ports."""
    issuer_port, resource_port = unused_port(), unused_port()
    issuer, origin = f"http://localhost:{issuer_port}", f"http://localhost:{resource_port}"
    path = "/sse" if transport == "sse" else "/mcp"
    env = server_environment(folder, **ACCOUNT)
    issuing = Program(
        "authorization server",
        [
            script("mcp-simple-auth-as"),
            f"--port={issuer_port}",
            f"--resource={origin}{path}",
        ],
        env,
        f"{issuer}/.well-known/oauth-authorization-server",
        folder / "authorization-server.log",
    )
    serving = Program(
        "resource server",
        [
            script("mcp-simple-auth-rs"),
            f"--port={resource_port}",
            f"--auth-server={issuer}",
            f"--transport={transport}",
        ],
        env,
        f"{origin}/.well-known/oauth-protected-resource{path}",
        folder / "resource-server.log",
    )
    with running(issuing, serving):
        time.sleep(SECONDS_TO_MEET)
        yield Target(f"{origin}{path}", issuer, USERNAME, PASSWORD, (issuing, serving))


@contextmanager
def combined(folder: Path) -> Iterator[Target]:
    """Run the demonstration's server of 2025-03-26: authorization and MCP at one address."""
    port = unused_port()
    origin = f"http://localhost:{port}"
    program = Program(
        "legacy server",
        [script("mcp-simple-auth-legacy"), f"--port={port}"],
        server_environment(folder, **ACCOUNT),
        f"{origin}/.well-known/oauth-authorization-server",
        folder / "legacy.log",
    )
    with running(program):
        yield Target(f"{origin}/mcp", origin, USERNAME, PASSWORD, (program,))


def script(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Start them in this order and stop them in the other, whatever happens between."""
    with ExitStack() as stack:
        for program in programs:
            stack.callback(program.stop)
            program.start()
        yield
