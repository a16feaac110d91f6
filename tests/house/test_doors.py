"""Every kind of I/O has one door: what is named here is imported or used only by the files beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache

import pytest

from tests.house.tree import File, python_files

ADMITTED = {
    # time and chance
    "time.time": ["moment.py"],
    "time.time_ns": ["moment.py"],
    "datetime.datetime.now": ["moment.py", "demo/tools/*"],
    "datetime.datetime.utcnow": [],
    "datetime.date.today": [],
    "random": [],
    "uuid": [],
    "os.urandom": ["moment.py"],
    "secrets": ["moment.py", "seal.py", "client/*"],
    # the environment and configuration files
    "os.environ": ["environment.py", "client/surroundings.py"],
    "os.getenv": [],
    "tomllib": ["config/reading.py"],
    # SQL
    "sqlite3": ["store/*"],
    "sqlalchemy": ["store/*"],
    "alembic": ["store/*"],
    "psycopg": ["store/*"],
    # signatures, sealing, passwords
    "joserfc": ["jose.py"],
    "jwt": [],
    "cryptography": ["jose.py", "seal.py", "client/*"],
    "argon2": ["passwords.py"],
    # outbound requests and sockets
    "httpx": [],
    "httpx2": ["fetch.py", "client/*", "resource_server/*", "gateway/*", "demo/*"],
    "urllib.request": [],
    "requests": [],
    # processes, and what runs what it reads
    "subprocess": ["gateway/stdio.py", "client/*", "demo/*", "cli/demo.py"],
    "os.system": [],
    "os.popen": [],
    "pickle": [],
    "marshal": [],
    "eval": [],
    "exec": [],
    # frameworks
    "starlette": ["web/*", "resource_server/*", "demo/*", "gateway/*", "cli/*"],
    "uvicorn": ["web/edge.py", "web/serving.py", "cli/*", "demo/*"],
    "click": ["cli/*", "demo/*"],
    "rich": ["cli/*", "demo/*"],
    "keyring": ["client/*"],
    "structlog": ["log.py"],
    "mcp": ["resource_server/*", "client/*", "cli/*", "demo/*", "gateway/*"],
    "fastmcp": ["resource_server/*"],
    "jinja2": ["web/*"],
}


@cache
def used(file: File) -> tuple[tuple[int, str], ...]:
    return tuple(_used(file))


def _used(file: File) -> Iterator[tuple[int, str]]:
    """Each dotted name that a file imports or reaches through an imported module, with its line."""
    imported: dict[str, str] = {}
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            head, _, rest = dotted.partition(".")
            if head in imported:
                yield node.lineno, f"{imported[head]}.{rest}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id


def trespasses(file: File, name: str, rooms: list[str]) -> list[str]:
    below = file.path.removeprefix("src/mcplatch/")
    if any(fnmatch(below, room) for room in rooms):
        return []
    return [
        f"{file.path}:{line} uses {what}"
        for line, what in used(file)
        if what == name or what.startswith(f"{name}.")
    ]


@pytest.mark.parametrize("name", sorted(ADMITTED))
def test_only_its_door_uses(name):
    found = [
        line for file in python_files("src") for line in trespasses(file, name, ADMITTED[name])
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import time as t\nt.time()",
        "from time import time",
        "from os import environ",
        "import os\nos.environ['A']",
        "import sqlalchemy.orm",
        "from joserfc import jwt",
        "eval('1')",
    ],
)
def test_the_rule_itself_catches(source):
    file = File("src/mcplatch/protocol/x.py", source, ast.parse(source))
    assert [line for name, rooms in ADMITTED.items() for line in trespasses(file, name, rooms)]


def test_protocol_knows_only_the_standard_library():
    import sys

    foreign = {
        f"{file.path}: {name}"
        for file in python_files("src/mcplatch/protocol")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith("mcplatch.protocol")
    }
    assert foreign == set()
