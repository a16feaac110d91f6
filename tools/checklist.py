"""The checklist of requirements: which rows are owed, which tests hold them, which are left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tools" / "checklist.toml"


def owed() -> list[str]:
    """Every row that the parts built so far owe, in order."""
    found = []
    for both in _file()["owed"]:
        first, last = map(place, both.split())
        dash = "-" if "-" in both else ""
        found += [f"{first[0]}{dash}{number}" for number in range(first[1], last[1] + 1)]
    return sorted(found, key=place)


def left_out() -> dict[str, str]:
    """The rows that no test holds on purpose, each with the reason."""
    return {row: " ".join(reason.split()) for row, reason in _file()["left_out"].items()}


def held() -> dict[str, list[str]]:
    """Every row that a test names, with the paths of the test files."""
    found: dict[str, set[str]] = {}
    tests = ROOT / "tests"
    for file in sorted([*tests.glob("test_*.py"), *tests.glob("*/test_*.py")]):
        for marked in re.findall(r"mark\.requirement\(([^)]*)\)", file.read_text(encoding="utf-8")):
            for row in re.findall(r"[\"']([A-Z]+-?[0-9]+[a-z]?)[\"']", marked):
                found.setdefault(row, set()).add(file.relative_to(ROOT).as_posix())
    return {row: sorted(paths) for row, paths in found.items()}


def place(row: str) -> tuple[str, int, str]:
    """Where a row comes in the order of rows."""
    match = re.fullmatch(r"([A-Z]+)-?([0-9]+)([a-z]?)", row)
    assert match is not None, row
    return match[1], int(match[2]), match[3]


def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
