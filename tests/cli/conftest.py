"""The command line as a person uses it: real processes, a fresh folder, an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcplatch.cli import main

Ran = subprocess.CompletedProcess[str]
Mcplatch = Callable[..., Ran]


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"HOME": "/nonexistent", "PYTHONWARNINGS": "error", **more}


@pytest.fixture
def mcplatch(tmp_path: Path) -> Mcplatch:
    """Runs one command in the test's folder and waits for it."""

    def run(*arguments: str, stdin: str = "", **environ: str) -> Ran:
        return subprocess.run(
            [sys.executable, "-m", "mcplatch", *arguments],
            cwd=tmp_path, env=environment(**environ), input=stdin, text=True, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip

    return run


class Serving:
    """`mcplatch serve` in a folder that `mcplatch init` has filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def run(self, *arguments: str, stdin: str = "") -> Result:
        """One command in this process (each start of Python would cost a third of a second)."""
        where = ["--config", str(self.folder / "mcplatch.toml")]
        return CliRunner().invoke(main.mcplatch, [*arguments, *where], input=stdin)

    def start(self) -> None:
        log = (self.folder / "serve.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mcplatch", "serve"],
            cwd=self.folder, env=environment(PYTHONUNBUFFERED="1"), stdout=log, stderr=log, text=True,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 30
        while "mcplatch serves" not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)

    def printed(self) -> str:
        return (self.folder / "serve.log").read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that runs for the tests of one file; they may stop and start it."""
    from tests.cli.ports import unused_port

    server = Serving(tmp_path_factory.mktemp("serving"))
    server.port = unused_port()
    issuer, listen = f"http://localhost:{server.port}", f"127.0.0.1:{server.port}"
    given = ["init", str(server.folder), "--issuer", issuer, "--listen", listen]
    made = CliRunner().invoke(main.mcplatch, given)
    assert made.exit_code == 0, made.output
    server.start()
    yield server
    server.stop()
