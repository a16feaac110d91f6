"""Starting servers pinned to one core, and reading the CPU time of a server with its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
START_SECONDS = 30.0


def cores() -> tuple[int, int]:
    """The core of the servers and the core of the load; the same one where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def interpreter() -> str:
    """The Python that runs every Python server: the distribution's if it is of this version.

    A Python built without profile-guided optimisation costs up to twice the CPU; a distribution's
    is what people have.
    """
    usual = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(usual) if usual.exists() else sys.executable


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass(slots=True)
class Server:
    """A running server; `cpu()` is user plus system time of its whole process tree in seconds."""

    name: str
    port: int
    started: subprocess.Popen[bytes]
    ready_after: float

    def cpu(self) -> float:
        root = psutil.Process(self.started.pid)
        pids = [root.pid, *(child.pid for child in root.children(recursive=True))]
        return sum(_cpu_of(pid) for pid in pids)

    def memory_mib(self) -> float:
        root = psutil.Process(self.started.pid)
        tree = [root, *root.children(recursive=True)]
        return sum(one.memory_info().rss for one in tree) / 2**20

    def stop(self) -> None:
        self.started.send_signal(signal.SIGTERM)
        try:
            self.started.wait(3)
        except subprocess.TimeoutExpired:
            self.started.kill()
            self.started.wait()


def start(name: str, command: list[str], port: int, log: Path, **environ: str) -> Server:
    """Start `command` on the servers' core and wait until it listens on `port`."""
    core, _ = cores()
    path = os.pathsep.join([str(ROOT), str(SRC), *_site_packages()])
    given = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | environ
    began = time.monotonic()
    with log.open("wb") as written:
        started = subprocess.Popen(
            ["taskset", "-c", str(core), *command], env=given, stdout=written, stderr=written
        )
    while time.monotonic() - began < START_SECONDS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return Server(name, port, started, time.monotonic() - began)
        if started.poll() is not None:
            break
        time.sleep(0.01)
    started.kill()
    tail = log.read_text(errors="replace")[-1500:]
    raise RuntimeError(f"{name} did not start:\n{tail}")


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process to the nanosecond: Linux numbers its clock ~pid << 3 | 2."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
