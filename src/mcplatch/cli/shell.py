"""`mcplatch shell URL`: lists and calls tools interactively, asking before it asks for more
access.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import click

from mcplatch.cli.at_server import (
    account_option,
    ending_with_its_exit_code,
    open_wallet,
    transport_option,
    url_argument,
)


@click.command()
@url_argument()
@transport_option()
@click.option("--no-browser", is_flag=True, help="Print addresses; take the answers pasted.")
@account_option()
def command(server_url: str, account: str, transport: Any, no_browser: bool) -> None:
    """Talk to the MCP server at URL: list, call <tool> [json], whoami, scopes, login, logout,
    quit.
    """
    from mcplatch.client.account import Account
    from mcplatch.client.person import LoopbackPerson
    from mcplatch.client.shell import Shell

    person = LoopbackPerson(open_browser=not no_browser)
    wallet = open_wallet()
    with ending_with_its_exit_code():
        request = wallet.request_for(server_url, account)
        at_server = Account(request, wallet, person=person, name=account)
        Shell(at_server, read_line, click.echo, transport=transport).run()


def read_line(prompt: str) -> str:
    """A line from the terminal, with history where the platform has it. Raises EOFError at the
    end.
    """
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401  importing it is what turns line editing on
    return input(prompt)
