"""Writes the generated pages of docs/reference, or says which are stale: python -m tools.docs [--write]."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pages() -> dict[str, str]:
    """Each generated page by its path below the checkout."""
    return {}


def stale() -> list[str]:
    """The pages on disk that differ from what would be generated now."""
    found = []
    for path, text in pages().items():
        file = ROOT / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            found.append(path)
    return found


def write() -> None:
    """Brings every generated page up to date."""
    for path, text in pages().items():
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    elif found := stale():
        sys.exit(f"stale: {', '.join(found)} (make docs)")
