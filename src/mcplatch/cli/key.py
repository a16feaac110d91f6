"""`mcplatch key`: the keys that sign tokens."""

from __future__ import annotations

import click

from mcplatch.cli.operator import ask, table, when
from mcplatch.cli.options import config_option, json_option
from mcplatch.cli.outcome import tell


@click.group()
def command() -> None:
    """The keys that sign tokens."""


@command.command("list")
@config_option()
@json_option()
def list_(file: str | None, as_json: bool) -> None:
    """Every key that is published, the newest first."""
    answered = ask(file, "key/list")
    rows = [("KID", "ALGORITHM", "MADE", "SIGNS FROM", "LEAVES")]
    rows += [
        (
            one["kid"],
            one["algorithm"],
            when(one["created_at"]),
            when(one["active_at"]),
            when(one["retired_at"]),
        )
        for one in answered["keys"]
    ]
    tell(answered, as_json=as_json, lines=table(rows, "No key yet."))


@command.command()
@config_option()
@json_option()
def rotate(file: str | None, as_json: bool) -> None:
    """Make the next key; tokens signed by the present one stay good."""
    answered = ask(file, "key/rotate")
    key = answered["key"]
    tell(answered, as_json=as_json, lines=[f"{key['kid']} signs from {when(key['active_at'])}."])
