"""`mcplatch tools URL`: the tools an MCP server offers this person."""

from __future__ import annotations

from typing import Any

import click

from mcplatch.cli.at_server import account_option, show, transport_option, url_argument
from mcplatch.cli.options import json_option


@click.command()
@url_argument()
@transport_option()
@click.option("--timeout", type=click.FloatRange(1), default=60.0, help="Seconds for an answer.")
@account_option()
@json_option()
def command(server_url: str, account: str, transport: str, timeout: float, as_json: bool) -> None:
    """List the tools at URL. Never opens a browser: exits 3 when a sign-in is needed."""
    from mcplatch.cli.session import ask_server
    from mcplatch.client.show import tool_json, tool_lines

    async def list_all(client: Any) -> list[Any]:
        page = await client.list_tools()
        tools = list(page.tools)
        while page.next_cursor is not None and len(tools) < 10_000:
            page = await client.list_tools(cursor=page.next_cursor)
            tools += page.tools
        return tools

    tools = ask_server(server_url, account, transport, timeout, list_all)
    show(tool_json(tools), as_json=as_json, lines=tool_lines(tools))
