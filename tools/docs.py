"""Writes the generated pages of docs/reference (--write), or says which of them are stale."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mcplatch.config.reading import PREFIX, shown
from mcplatch.config.settings import Config
from tools import checklist
from tools.reasons import reasons

ROOT = Path(__file__).resolve().parent.parent
MADE = "<!-- generated: make docs -->\n"


def pages() -> dict[str, str]:
    """Each generated page by its path below the checkout."""
    return {
        "docs/reference/configuration.md": configuration(),
        "docs/reference/commands.md": commands(),
        "docs/reference/refusals.md": refusals(),
        "docs/reference/requirements.md": requirements(),
    }


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


def configuration() -> str:
    """Every setting, from the dataclasses that hold them."""
    head = f"""{MADE}
# Configuration

`mcplatch serve` reads one TOML file: `--config FILE`, else `MCPLATCH_CONFIG`, else
`./mcplatch.toml`, else `/etc/mcplatch/mcplatch.toml`. Each setting can also be an environment
variable, which wins: `{PREFIX}` and the setting's name in capitals, with `__` for each step down
(`{PREFIX}LIFETIMES__SESSION`, `{PREFIX}RESOURCE__0__NAME`). A secret is never written into the
file: it is a variable, or a file named by the setting with `_file` (`secret_key_file`,
`{PREFIX}SECRET_KEY_FILE`). An unknown setting is an error. `mcplatch check --explain` prints every
value and where it is from.

Durations are seconds or text such as `"90s"`, `"10m"`, `"12h"`, `"30d"`; rates are text such as
`"20/1m"`.
"""
    return head + "".join(_tables(Config, "", "Top level"))


def _tables(kind: type[Any], at: str, title: str) -> Iterator[str]:
    rows, below = [], []
    for one in dataclasses.fields(kind):
        about = one.metadata
        key = about["key"] or one.name
        if "section" in about:
            below.append(_tables(about["section"], f"{at}{key}.", f"[{at}{key}]"))
        elif "several" in about:
            name = f"[{at}{key}.NAME]" if about["named_by"] else f"[[{at}{key}]]"
            below.append(_tables(about["several"], f"{at}{key}.", name))
        elif not (title.endswith(".NAME]") and key == "name"):
            rows.append(_row(one, key))
    says = (kind.__doc__ or "").strip()
    yield f"\n## {title}\n\n{says}\n\n| setting | default | what it is |\n|---|---|---|\n"
    yield "".join(rows)
    for tables in below:
        yield from tables


def _row(one: dataclasses.Field[Any], key: str) -> str:
    needed = one.default is dataclasses.MISSING
    default = "**needed**" if needed else f"`{shown(one.default)}`"
    is_secret = "Secret" in str(one.type)
    name = f"`{key}_file`" if is_secret else f"`{key}`"
    return f"| {name} | {default} | {one.metadata['says']} |\n"


def commands() -> str:
    """Every command's own help."""
    from mcplatch.cli.main import COMMANDS, mcplatch

    outer = _context(mcplatch, "mcplatch", None)
    parts = [MADE, "\n# Commands\n\n```\n", mcplatch.get_help(outer).rstrip(), "\n```\n"]
    for one in COMMANDS:
        found = mcplatch.get_command(outer, one.name)
        assert found is not None  # it is listed
        inner = _context(found, one.name, outer)
        parts += [f"\n## mcplatch {one.name}\n\n```\n", found.get_help(inner).rstrip()]
        if isinstance(found, click.Group):
            for name, below in found.commands.items():
                parts += ["\n\n", below.get_help(_context(below, name, inner)).rstrip()]
        parts.append("\n```\n")
    return "".join(parts)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {
        "terminal_width": 98,
        "max_content_width": 98,
        "help_option_names": ["-h", "--help"],
    }
    return click.Context(command, info_name=name, parent=parent, **settings)  # type: ignore[arg-type]


def refusals() -> str:
    """Every reason to say no, by its name."""
    rows = [
        f"| `{one.name}` | {one.status} | `{one.error}` | {one.sentence} | {one.source} |\n"
        for one in sorted(reasons(), key=lambda one: one.name)
    ]
    head = f"""{MADE}
# Refusals

Every reason for which mcplatch says no. The log and the audit have the name; a client sees the
error and the sentence, which are the same for reasons that an attacker must not tell apart.

| name | status | error | sentence | source |
|---|---|---|---|---|
"""
    return head + "".join(rows)


def requirements() -> str:
    """The rows of the requirements checklist: the test files that hold each, or why none does."""
    held, left_out, owed = checklist.held(), checklist.left_out(), checklist.owed()
    says = {one: ", ".join(f"[{path}](../../{path})" for path in held[one]) for one in held}
    says |= {one: f"**left out**: {reason}" for one, reason in left_out.items()}
    rows = [
        f"| {one} | {says.get(one, '**nothing**')} |\n"
        for one in sorted({*owed, *says}, key=checklist.place)
    ]
    head = f"""{MADE}
# Requirements

The parts built so far owe {len(owed)} rows of the checklist of requirements (AS authorization
server, RS resource server, CL client; E the measured outcomes of the SDKs).
{len(held.keys() & set(owed))} of them are held by tests that name them, {len(left_out)} are left
out for the reason given; {len(held.keys() - set(owed))} further rows are held too. What is owed and
what is left out stands in [tools/checklist.toml](../../tools/checklist.toml).

| row | tests |
|---|---|
"""
    return head + "".join(rows)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    elif found := stale():
        sys.exit(f"stale: {', '.join(found)} (make docs)")
