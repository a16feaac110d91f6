"""Where the outside programs are, and the surroundings in which they run: own home, own browser, node 22."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODULES = HERE / "node_modules"
NODE = MODULES / "node" / "bin" / "node"
PROGRAMS = HERE / "programs"
CONFORMANCE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCP_REMOTE = MODULES / "mcp-remote" / "dist" / "proxy.js"
BROWSER = """#!/bin/sh
cd "{root}" && exec "{python}" -m tests.outside.form_browser "$@"
"""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Ran:
    """How one program ended."""

    code: int
    out: str
    err: str

    def last_line(self) -> str:
        assert self.code == 0, f"exit {self.code}\n{self.out[-3000:]}\n{self.err[-6000:]}"
        return self.out.strip().splitlines()[-1]


def environment() -> dict[str, str]:
    return dict(os.environ)


def unused_port() -> int:
    """Give a port nobody listens on now, for programs that must be told one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def install() -> None:
    """Bring node_modules to what package-lock.json says; does nothing when it is there already."""
    lock = HERE / "package-lock.json"
    mark = MODULES / ".installed"  # tools/slow_suites.sh leaves the same one
    if mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=HERE,
        check=True,
        timeout=600,
    )
    mark.touch()


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """Make the environment of one person: a home of their own and the form browser everywhere."""
    tools = home / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    for name in ("browser", "xdg-open"):
        script = tools / name
        script.write_text(BROWSER.format(root=ROOT, python=sys.executable))
        script.chmod(0o755)
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(tools), str(NODE.parent), str(Path(sys.executable).parent)])
    return kept | {
        "HOME": str(home),
        "PATH": f"{path}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "BROWSER": str(tools / "browser"),
        "FORM_BROWSER_LOG": str(home / "browser.log"),
        "PYTHONPATH": str(ROOT),
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "file",
        "NO_COLOR": "1",
        **more,
    }


def run(
    command: list[str], env: dict[str, str], *, stdin: str | None = None, seconds: float = 90
) -> Ran:
    """Run a program to its end; one that hangs is killed and is a failure that shows what it said."""
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=env["HOME"],
    )
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\n(killed after {seconds} s)"
    return Ran(process.returncode, out, err)


def converse(
    command: list[str], env: dict[str, str], asked: list[dict[str, Any]], last: int
) -> dict[str, Any]:
    """Speak JSON-RPC with a program over its pipes until it answers the request with id `last`.

    As every host does, nothing is asked before the first request has its answer.
    """
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=env["HOME"],
    )
    stop = threading.Timer(60, process.kill)
    stop.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        first, *rest = (json.dumps(one) + "\n" for one in asked)
        process.stdin.write(first)
        process.stdin.flush()
        for line in process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == last:
                return answer
            if answer.get("id") == asked[0]["id"]:
                process.stdin.writelines(rest)
                process.stdin.flush()
    finally:
        stop.cancel()
        process.terminate()
        _, err = process.communicate()
    raise AssertionError(f"no answer to {last}\n{err[-6000:]}")
