"""The mcplatch command: one file a command, imported only when that command is asked for."""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass
from typing import Final

import click

from mcplatch import __version__
from mcplatch.environment import variable


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, the module that holds it as `command`, and its line in the help."""

    name: str
    module: str
    help: str


COMMANDS: Final = (
    Command("demo", "mcplatch.cli.demo", "the whole story on this machine, in one terminal"),
    Command("init", "mcplatch.cli.init", "write a commented configuration and a secret key"),
    Command("serve", "mcplatch.cli.serve", "run the authorization server"),
    Command(
        "check", "mcplatch.cli.check", "verify the configuration; say where each value is from"
    ),
    Command("login", "mcplatch.cli.login", "sign in to an MCP server"),
    Command("logout", "mcplatch.cli.logout", "revoke and forget a sign-in"),
    Command("status", "mcplatch.cli.status", "which servers you are signed in to"),
    Command("tools", "mcplatch.cli.tools", "the tools that a server offers you"),
    Command("call", "mcplatch.cli.call", "call one tool"),
    Command("shell", "mcplatch.cli.shell", "list and call tools, interactively"),
    Command("user", "mcplatch.cli.user", "people: add, list, lock, set-password"),
    Command("client", "mcplatch.cli.client", "clients: add, list, remove"),
    Command("grant", "mcplatch.cli.grant", "what people allowed: list, revoke"),
    Command("key", "mcplatch.cli.key", "signing keys: list, rotate"),
    Command("audit", "mcplatch.cli.audit", "who did what: tail"),
)


class Commands(click.Group):
    """Finds a command by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [one.name for one in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for one in COMMANDS:
            if one.name == cmd_name:
                found = importlib.import_module(one.module).command
                assert isinstance(found, click.Command)
                return found
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1, 0.5)
            hint = f" Did you mean “{near[0]}”?" if near else " mcplatch --help lists them."
            ctx.fail(f"There is no command “{args[0]}”.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(one.name, one.help) for one in COMMANDS])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 2 usage, 3 sign-in needed, 4 denied, 5 network, 6 server fault.",
)
@click.version_option(__version__, prog_name="mcplatch", message="%(prog)s %(version)s")
def mcplatch() -> None:
    """OAuth 2.1 for MCP: the authorization server, and a client of protected servers."""


def main() -> None:
    """Runs the command line and exits with its code."""
    if variable("NO_COLOR"):
        mcplatch.context_settings["color"] = False
    try:
        mcplatch.main(prog_name="mcplatch")
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stderr.close()
        sys.exit(0)
