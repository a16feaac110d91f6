"""What the commands of the client share: their options, and how the client's errors end a
command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcplatch.cli.outcome import Exit, Stop

if TYPE_CHECKING:
    from mcplatch.client.wallet import Wallet

T = TypeVar("T")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def url_argument() -> Decorator:
    """URL: the MCP server, exactly as it is known."""
    return click.argument("server_url", metavar="URL", callback=_checked)


def account_option() -> Decorator:
    """--as NAME: several accounts at one server."""
    return click.option(
        "--as", "account", metavar="NAME", default="default", help="Which of your accounts there."
    )


def transport_option() -> Decorator:
    """--transport."""
    return click.option(
        "--transport",
        type=click.Choice(["auto", "streamable-http", "sse"]),
        default="auto",
        help="auto takes SSE for an address that ends in /sse.",
    )


def open_wallet() -> Wallet:
    """The person's wallet; what it has to say aloud goes to standard error."""
    from mcplatch.client.wallet import Wallet

    return Wallet(say=lambda line: click.echo(line, err=True))


@contextmanager
def ending_with_its_exit_code() -> Iterator[None]:
    """Turns what goes wrong at the client into the end of the command, with what to do next."""
    from mcplatch.client.errors import LatchError
    from mcplatch.client.terminal import plain

    try:
        yield
    except LatchError as trouble:
        code = Exit(trouble.exit_code)
        raise Stop(plain(trouble.what), code, next_step=plain(trouble.next_step)) from None


def run(work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work`, on an event loop; the client's errors end the command."""
    import anyio

    async def main() -> T:
        return await work()

    with ending_with_its_exit_code():
        return anyio.run(main)


def show(answer: Any, *, as_json: bool, lines: list[str]) -> None:
    """Prints `answer` for a program or `lines` for a person; servers have had a hand in both."""
    from mcplatch.client.terminal import json_text

    click.echo(json_text(answer) if as_json else "\n".join(lines))


def _checked(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value} is no http(s) address, like https://notes.example/mcp.")
    return value
