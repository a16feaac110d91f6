"""`mcplatch call URL TOOL [JSON]`: calls one tool, for people and for scripts."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from mcplatch.cli.at_server import account_option, show, transport_option, url_argument
from mcplatch.cli.options import json_option
from mcplatch.cli.outcome import Exit


@click.command()
@url_argument()
@click.argument("tool")
@click.argument("arguments", metavar="[JSON]", default="{}")
@transport_option()
@click.option("--timeout", type=click.FloatRange(1), default=120.0, help="Seconds for an answer.")
@account_option()
@json_option()
def command(
    server_url: str,
    tool: str,
    arguments: str,
    account: str,
    transport: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Call TOOL at URL with a JSON object of arguments; - reads it from standard input.

    Never opens a browser: exits 3 and names the command when a sign-in or more access is needed,
    and 6 when the tool itself answers with an error.
    """
    from mcplatch.cli.session import ask_server
    from mcplatch.client.show import result_json, result_lines

    given = _arguments(sys.stdin.read() if arguments == "-" else arguments)

    async def call(client: Any) -> Any:
        return await client.call_tool(tool, given)

    result = ask_server(server_url, account, transport, timeout, call)
    if result.is_error and not as_json:
        click.echo("\n".join(result_lines(result)), err=True)
    else:
        show(result_json(result), as_json=as_json, lines=result_lines(result))
    if result.is_error:
        raise SystemExit(Exit.SERVER_FAULT)


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise click.BadParameter(f"that is not JSON ({wrong})", param_hint="JSON") from None
    if not isinstance(found, dict):
        raise click.BadParameter('an object is needed, like {"city": "Oslo"}', param_hint="JSON")
    return found
