"""`mcplatch client`: the clients that are known, and those added beforehand."""

from __future__ import annotations

import click

from mcplatch.cli.operator import ask, table, when
from mcplatch.cli.options import config_option, json_option
from mcplatch.cli.outcome import tell


@click.group()
def command() -> None:
    """The clients that are known."""


@command.command()
@click.argument("client_id", metavar="ID")
@click.option("--name", required=True, help="What people see.")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    required=True,
    help="Where people may be sent back to, exactly; may be given more than once.",
)
@click.option("--confidential", is_flag=True, help="Make a secret for it, shown this once.")
@config_option()
@json_option()
def add(
    client_id: str,
    name: str,
    redirect_uris: tuple[str, ...],
    confidential: bool,
    file: str | None,
    as_json: bool,
) -> None:
    """Add a client beforehand."""
    answered = ask(
        file,
        "client/add",
        client_id=client_id,
        name=name,
        redirect_uris=list(redirect_uris),
        confidential=confidential,
    )
    secret = answered.get("client_secret")
    lines = [f"Added {client_id}."]
    lines += [f"Its secret, shown this once: {secret}"] if secret else []
    tell(answered, as_json=as_json, lines=lines)


@command.command("list")
@config_option()
@json_option()
def list_(file: str | None, as_json: bool) -> None:
    """Every client of every kind, the newest first."""
    answered = ask(file, "client/list")
    rows = [("ID", "NAME", "KIND", "ADDED", "LAST USED", "BLOCKED")]
    rows += [
        (
            one["client_id"],
            one["name"],
            one["kind"],
            when(one["created_at"]),
            when(one["last_used_at"]),
            when(one["blocked_at"]),
        )
        for one in answered["clients"]
    ]
    tell(answered, as_json=as_json, lines=table(rows, "No client yet."))


@command.command()
@click.argument("client_id", metavar="ID")
@config_option()
@json_option()
def remove(client_id: str, file: str | None, as_json: bool) -> None:
    """End everything a client was allowed; one that could come back by itself stays blocked."""
    answered = ask(file, "client/remove", client_id=client_id)
    tell(answered, as_json=as_json, lines=[f"Removed {client_id}."])
