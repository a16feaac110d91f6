"""`import mcplatch` and the command line start fast because they import next to nothing; judged by modules, not time."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"mcp", "fastmcp", "sqlalchemy", "pydantic", "starlette", "uvicorn", "httpx2", "joserfc", "cryptography",
         "jinja2", "rich", "keyring", "structlog", "asyncio", "argon2"}  # fmt: skip


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement", ["import mcplatch", "import mcplatch.cli.main", "import mcplatch.protocol.refusal"]
)
def test_it_pulls_in_nothing_heavy(statement):
    assert modules_after(statement) & HEAVY == set()


def test_reading_the_configuration_pulls_in_nothing_heavy():
    assert modules_after("import mcplatch.config") & HEAVY == set()


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("mcplatch.authorization_server", {"starlette", "uvicorn", "sqlalchemy", "mcp", "fastmcp", "click"}),
        ("mcplatch.store.port", {"starlette", "sqlalchemy", "mcp"}),
        ("mcplatch.resource_server", {"mcp", "fastmcp", "sqlalchemy", "click"}),
        ("mcplatch.client", {"mcp", "fastmcp", "sqlalchemy", "starlette", "click"}),
    ],
)  # fmt: skip
def test_a_room_brings_only_what_it_is_about(room, never):
    assert modules_after(f"import {room}") & never == set()
