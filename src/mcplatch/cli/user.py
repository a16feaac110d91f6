"""`mcplatch user`: the people who can sign in."""

from __future__ import annotations

import click

from mcplatch.cli.operator import ask, new_password, table, when
from mcplatch.cli.options import config_option, json_option
from mcplatch.cli.outcome import tell


@click.group()
def command() -> None:
    """The people who can sign in."""


@command.command()
@click.argument("username")
@click.option("--name", default="", help="What the person is called; else the user name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@config_option()
@json_option()
def add(username: str, name: str, password_stdin: bool, file: str | None, as_json: bool) -> None:
    """Add somebody; asks for the password, there is no default."""
    password = new_password(from_stdin=password_stdin)
    answered = ask(file, "user/add", username=username, name=name, password=password)
    tell(answered, as_json=as_json, lines=[f"Added {username}."])


@command.command("list")
@config_option()
@json_option()
def list_(file: str | None, as_json: bool) -> None:
    """Everybody, the newest first."""
    answered = ask(file, "user/list")
    rows = [("USERNAME", "NAME", "ADDED", "LOCKED")]
    rows += [
        (one["username"], one["name"], when(one["created_at"]), when(one["locked_at"]))
        for one in answered["users"]
    ]
    tell(answered, as_json=as_json, lines=table(rows, "Nobody yet: mcplatch user add NAME"))


@command.command("set-password")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@config_option()
@json_option()
def set_password(username: str, password_stdin: bool, file: str | None, as_json: bool) -> None:
    """Give somebody a new password; sign them and everything that acts for them out."""
    password = new_password(from_stdin=password_stdin)
    answered = ask(file, "user/set-password", username=username, password=password)
    tell(
        answered,
        as_json=as_json,
        lines=[f"{username} has a new password, and is signed out everywhere."],
    )


@command.command()
@click.argument("username")
@click.option("--undo", is_flag=True, help="Let them sign in again; what stopped stays stopped.")
@config_option()
@json_option()
def lock(username: str, undo: bool, file: str | None, as_json: bool) -> None:
    """Keep somebody from signing in, and stop everything that acts for them."""
    answered = ask(file, "user/unlock" if undo else "user/lock", username=username)
    done = "may sign in again" if undo else "is locked, and everything they allowed has stopped"
    tell(answered, as_json=as_json, lines=[f"{username} {done}."])
