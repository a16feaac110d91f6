"""Every `Reason` that the source defines, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = ("name", "error", "sentence", "source", "status")


@dataclass(frozen=True, slots=True)
class Written:
    """One reason as it is written down; `where` is file:line."""

    where: str
    constant: str
    name: str
    error: str
    sentence: str
    source: str
    status: str


@cache
def reasons() -> tuple[Written, ...]:
    """All of them, in the order of files and lines."""
    found: list[Written] = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found += _in(tree, file.relative_to(ROOT).as_posix())
    return tuple(found)


def _in(tree: ast.Module, path: str) -> Iterator[Written]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        if not (isinstance(call.func, ast.Name) and call.func.id == "Reason"):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        given = {key.arg: key.value for key in call.keywords}
        given |= dict(zip(MEMBERS, call.args, strict=False))
        texts = {name: _text(given.get(name), name) for name in MEMBERS}
        yield Written(f"{path}:{node.lineno}", ast.unparse(target), **texts)


def _text(node: ast.expr | None, name: str) -> str:
    if node is None:
        return "400" if name == "status" else ""
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)
