"""The authorization servers that are measured: how each is started and where it differs."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.machine import ROOT, Server, free_port, interpreter, start

OIDC = "oidc-provider"
FASTMCP = "fastmcp"
EXAMPLE = "mcp example"
OURS = "mcplatch"

CONCURRENCY = 16
METADATA = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True)
class Peer:
    """One authorization server of the table.

    person: what the form of its sign-in page is filled with; {} becomes a number of their own.
    passing: part of the name of cookies that belong to one authorization. A browser would keep
    them for a while, but nobody allows a new client every few milliseconds.
    """

    name: str
    version: str
    keeps: str
    launch: Callable[[Path], Server]
    discovery: str = METADATA
    scope: str = "user"
    resource: str = ""
    person: tuple[tuple[str, str], ...] = ()
    asker: str = ""
    passing: str = ""
    refreshes: bool = True

    @property
    def introspection_headers(self) -> dict[str, str]:
        """The credentials of the resource server that introspects, as HTTP Basic."""
        return {"authorization": "Basic " + b64encode(self.asker.encode()).decode()}


def npm_modules() -> Path | None:
    """The folder whose node_modules holds oidc-provider, or None when npm has not run here."""
    outside = ROOT / "tests" / "outside"
    named = os.environ.get("BENCH_NPM")
    for folder in [Path(named)] if named else [outside]:
        if (folder / "node_modules" / "oidc-provider" / "package.json").exists():
            return folder
    return None


def node(modules: Path) -> str:
    """Node 22 from the same node_modules if it is there, else the machine's."""
    local = modules / "node_modules" / "node" / "bin" / "node"
    return str(local) if local.exists() else "node"


def version_of(modules: Path, package: str) -> str:
    described = modules / "node_modules" / package / "package.json"
    return str(json.loads(described.read_text())["version"])


def oidc_provider(modules: Path) -> Peer:
    def launch(logs: Path) -> Server:
        port = free_port()
        command = [node(modules), str(ROOT / "bench" / "servers" / "oidc_provider.mjs")]
        return start(
            OIDC,
            command,
            port,
            logs / "oidc_provider.log",
            BENCH_PORT=str(port),
            BENCH_NPM=str(modules),
            NODE_ENV="production",
        )

    return Peer(
        OIDC,
        version_of(modules, "oidc-provider"),
        "memory",
        launch,
        discovery="/.well-known/openid-configuration",
        scope="user offline_access",
        person=(("login", "person-{}"), ("password", "x")),
        asker="bench-resource:bench-resource-secret-of-32-characters",
        passing="_interaction",
    )


def python_peer(name: str, package: str, module: str, *, refreshes: bool = True) -> Peer:
    def launch(logs: Path) -> Server:
        port = free_port()
        command = [interpreter(), "-m", f"bench.servers.{module}"]
        return start(name, command, port, logs / f"{module}.log", BENCH_PORT=str(port))

    return Peer(name, version(package), "memory", launch, refreshes=refreshes)
