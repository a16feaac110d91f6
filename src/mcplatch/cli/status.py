"""`mcplatch status`: which servers this person is signed in to; never a token."""

from __future__ import annotations

import click

from mcplatch.cli.at_server import ending_with_its_exit_code, open_wallet, show
from mcplatch.cli.options import json_option
from mcplatch.cli.outcome import Exit, Stop


@click.command()
@click.argument("server_url", metavar="[URL]", required=False)
@json_option()
def command(server_url: str | None, as_json: bool) -> None:
    """Show the sign-ins kept on this machine, or the one at URL (exit 3 when there is none)."""
    from mcplatch.client.errors import sign_in_command
    from mcplatch.client.show import sign_in_json, sign_in_lines
    from mcplatch.moment import clock

    wallet, now = open_wallet(), clock()
    with ending_with_its_exit_code():
        found = [one for one in wallet.credentials() if server_url in (None, one.server_url)]
        if server_url is not None and not found:
            raise Stop(
                f"You are not signed in to {server_url}.",
                Exit.SIGN_IN_NEEDED,
                next_step=sign_in_command(server_url),
            )
        kept_in = wallet.kept_in() if found else ""
    lines = [line for one in found for line in sign_in_lines(one, now=now)]
    show(
        {"kept_in": kept_in, "sign_ins": [sign_in_json(one, now=now) for one in found]},
        as_json=as_json,
        lines=[*lines, f"kept in {kept_in}"] if found else ["You are signed in to nothing."],
    )
