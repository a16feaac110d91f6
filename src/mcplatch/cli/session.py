"""One question to an MCP server, in one session, by somebody who is signed in already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcplatch.cli.at_server import ending_with_its_exit_code, open_wallet, run
from mcplatch.cli.outcome import Exit, Stop

T = TypeVar("T")


def ask_server(
    server_url: str,
    account: str,
    transport: Any,
    seconds: float,
    ask: Callable[[Any], Awaitable[T]],
) -> T:
    """The answer to `ask(client)`. Ends the command with its exit code when there is none."""
    from mcplatch.client.auth import LatchAuth
    from mcplatch.client.mcp_session import open_session
    from mcplatch.client.terminal import plain

    wallet = open_wallet()
    with ending_with_its_exit_code():
        request = wallet.request_for(server_url, account)
    auth = LatchAuth(request, wallet, account=account, interactive=False)
    # Half a second of imports can be spared somebody who only has to be told to sign in.
    run(auth.account.check_signed_in)

    async def session() -> T:
        async with open_session(server_url, auth, transport=transport, seconds=seconds) as client:
            return await ask(client)

    from mcp.shared.exceptions import MCPError

    try:
        return run(session)
    except MCPError as refused:
        raise Stop(
            f"{server_url} answered: {plain(refused.error.message)} ({refused.error.code})",
            Exit.SERVER_FAULT,
            next_step=f"see what it offers: mcplatch tools {server_url}",
        ) from None
