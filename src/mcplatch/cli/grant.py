"""`mcplatch grant`: what people have allowed."""

from __future__ import annotations

import click

from mcplatch.cli.operator import ask, table, when
from mcplatch.cli.options import config_option, json_option
from mcplatch.cli.outcome import tell


@click.group()
def command() -> None:
    """What people have allowed."""


@command.command("list")
@click.option("--user", "username", help="Only what this person allowed.")
@click.option("--client", "client_id", help="Only what this client was allowed.")
@config_option()
@json_option()
def list_(username: str | None, client_id: str | None, file: str | None, as_json: bool) -> None:
    """Everything that is allowed now, the newest first."""
    answered = ask(file, "grant/list", username=username, client_id=client_id)
    rows = [("ID", "CLIENT", "RESOURCE", "SCOPE", "SINCE", "UNTIL")]
    rows += [
        (
            one["grant_id"],
            one["client_name"],
            one["resource"],
            " ".join(one["scope"]),
            when(one["created_at"]),
            when(one["expires_at"]),
        )
        for one in answered["grants"]
    ]
    tell(answered, as_json=as_json, lines=table(rows, "Nothing is allowed."))


@command.command()
@click.argument("grant_id", metavar="ID")
@config_option()
@json_option()
def revoke(grant_id: str, file: str | None, as_json: bool) -> None:
    """Take one back; every token under it stops."""
    answered = ask(file, "grant/revoke", grant_id=grant_id)
    tell(answered, as_json=as_json, lines=[f"Revoked {grant_id}."])
