"""mcplatch demo: the whole story on this machine, in one terminal."""

from __future__ import annotations

import asyncio
import io
import logging
import sys

import click

from mcplatch.cli.outcome import Exit, Stop


@click.command("demo")
@click.option(
    "--auto", is_flag=True, help="Play the browser too; exit 0 only if all of it happened."
)
@click.option("--no-browser", is_flag=True, help="Print addresses instead of opening a browser.")
def command(*, auto: bool, no_browser: bool) -> None:
    """The whole story on this machine, in one terminal.

    Starts the authorization server, an MCP server and a client on loopback and tells what happens,
    from the first refusal to access taken back. Ctrl-C ends it; nothing is kept.
    """
    from mcplatch.client import surroundings

    if not auto and not surroundings.has_terminal() and surroundings.browser_command() is None:
        raise Stop(
            "There is no terminal and no browser for a person to use.",
            Exit.SIGN_IN_NEEDED,
            next_step="mcplatch demo --auto plays the person too",
        )
    _play(auto=auto, open_browser=not no_browser)


def _play(*, auto: bool, open_browser: bool) -> None:
    from rich.console import Console

    from mcplatch.client.errors import LatchError
    from mcplatch.demo.account import account
    from mcplatch.demo.play import play_itself, play_with_person
    from mcplatch.environment import everything
    from mcplatch.log import set_up
    from mcplatch.moment import Moment, clock
    from mcplatch.web.serving import until_signal

    class Terminal(Console):
        """A reader that goes away, as with `| head`, ends the telling and not the story."""

        def on_broken_pipe(self) -> None:
            self.quiet = True

    set_up("console")
    logging.getLogger().setLevel(logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Terminal(highlight=False)
    person = account(everything(), Moment(clock()).draw)
    if auto:
        if asyncio.run(play_itself(console, person)):
            raise SystemExit(Exit.SERVER_FAULT)
        return
    playing = play_with_person(console, person, open_browser=open_browser, until=until_signal)
    try:
        asyncio.run(playing)
    except LatchError as stopped:
        raise Stop(str(stopped), Exit.SIGN_IN_NEEDED) from None
