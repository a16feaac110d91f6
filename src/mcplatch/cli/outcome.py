"""How a command ends: its exit code, and for a failure one sentence and the next thing to do."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import IO, Any

import click


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    USAGE = 2
    SIGN_IN_NEEDED = 3
    DENIED = 4
    NETWORK = 5
    SERVER_FAULT = 6


class Stop(click.ClickException):
    """Ends the command with `code`, saying what is wrong and what to do next, on standard error."""

    def __init__(self, message: str, code: Exit = Exit.USAGE, *, next_step: str = "") -> None:
        super().__init__(message)
        self.exit_code: int = code  # type: ignore[misc]  # click declares it on the class
        self.next_step = next_step

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"mcplatch: {self.message}", err=True)
        if self.next_step:
            click.echo(f"  next: {self.next_step}", err=True)


def tell(answer: Any, *, as_json: bool, lines: list[str]) -> None:
    """Prints `answer` for a program (one JSON document) or `lines` for a person."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
