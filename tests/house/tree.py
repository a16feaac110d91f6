"""The source as the house rules look at it: parsed files, and the definitions in them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "mcplatch"


@dataclass(frozen=True, slots=True, eq=False)
class File:
    path: str  # below the checkout, with forward slashes
    text: str
    tree: ast.Module

    def lines(self) -> int:
        return len(self.text.splitlines())


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below; what is installed there (some 20,000 files of node's) is not looked at."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ("node_modules", "__pycache__"):
            yield from _walk(path)
        elif path.is_file():
            yield path


@cache
def python_files(folder: str) -> tuple[File, ...]:
    found = []
    for path in _walk(ROOT / folder):
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            found.append(File(path.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    return tuple(found)


def definitions(file: File) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = node.body[0]
    has_docstring = ast.get_docstring(node, clean=False) is not None
    documented = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - documented


@cache
def committed_files() -> tuple[str, ...]:
    """Every file that git knows or would add, below the checkout; everything where there is no git."""
    try:
        asked = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        )  # fmt: skip
        names = [name for name in asked.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [file.path for folder in ("src", "tests", "tools") for file in python_files(folder)]
    return tuple(name for name in names if (ROOT / name).is_file())
