"""The demonstration's own commands, with its flags and variables, on this engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any

import click

from mcplatch.client.account import Account as Kept
from mcplatch.client.errors import LatchError
from mcplatch.client.person import LoopbackPerson
from mcplatch.client.shell import Shell
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.terminal import plain
from mcplatch.client.wallet import Wallet
from mcplatch.demo import serving
from mcplatch.demo.account import PASSWORD_VARIABLE, Account, account
from mcplatch.demo.guarded import PATHS, Transport, guarded, resource_address
from mcplatch.demo.mcp_server import USER
from mcplatch.demo.rendezvous import Announced, NoMeetingPlace, announced, meeting_place, present
from mcplatch.environment import everything
from mcplatch.log import set_up
from mcplatch.moment import Moment, clock
from mcplatch.web.serving import until_signal

Command = Callable[..., Any]

AUTH_SERVER = "http://localhost:9000"
RESOURCE = "http://localhost:8001/mcp"
_HELP = {"help_option_names": ["-h", "--help"]}


def _port(default: int, variable: str | None = None) -> Callable[[Command], Command]:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        envvar=variable,
        show_default=True,
        help="Port of loopback to listen on; 0 takes a free one.",
    )


def _transport() -> Callable[[Command], Command]:
    return click.option(
        "--transport",
        type=click.Choice(list(PATHS)),
        default="streamable-http",
        show_default=True,
        help="How MCP is spoken.",
    )


def _user_scope(variable: str) -> Callable[[Command], Command]:
    return click.option("--scope", envvar=variable, default=USER, hidden=True)


@click.command("mcp-simple-auth-as", context_settings=_HELP)
@_port(9000)
@click.option(
    "--resource",
    default=RESOURCE,
    show_default=True,
    help="The MCP server to issue tokens for until one announces itself on this machine.",
)
@_user_scope("MCP_MCP_SCOPE")
def authorization_server(port: int, resource: str, scope: str) -> None:
    """The demonstration's authorization server: sign-in, consent, tokens.

    MCP_DEMO_USERNAME and MCP_DEMO_PASSWORD name its one person; without them a password is made up
    and printed once. Everything is forgotten when it ends.
    """
    person = _person()

    @asynccontextmanager
    async def run() -> AsyncIterator[list[tuple[str, str]]]:
        folder = meeting_place()
        listener = serving.listen(port)
        issuer = serving.address_of(listener)
        async with serving.authorization_server(
            listener,
            person,
            user_scope=scope,
            always=(Announced(resource, ""),),
            look=lambda: present(folder, issuer),
        ):
            yield [
                ("authorization server", issuer),
                ("issues tokens for", f"{resource}, or for what is started here beside it"),
                *_account_lines(person),
            ]

    _serve(run())


@click.command("mcp-simple-auth-rs", context_settings=_HELP)
@_port(8001, "MCP_RESOURCE_PORT")
@click.option(
    "--auth-server",
    default=AUTH_SERVER,
    show_default=True,
    envvar="MCP_RESOURCE_AUTH_SERVER_URL",
    help="The authorization server, spelled as it spells itself.",
)
@_transport()
@click.option(
    "--oauth-strict",
    is_flag=True,
    envvar="MCP_RESOURCE_OAUTH_STRICT",
    help="Accepted for old times' sake: tokens are always checked to be made for this server.",
)
@click.option(
    "--tokens",
    type=click.Choice(["introspection", "jwt"]),
    default="introspection",
    show_default=True,
    help="Ask about each token, or verify it here.",
)
@click.option("--server-url", envvar="MCP_RESOURCE_SERVER_URL", default="", hidden=True)
@click.option(
    "--introspection-endpoint",
    envvar="MCP_RESOURCE_AUTH_SERVER_INTROSPECTION_ENDPOINT",
    default="",
    hidden=True,
)
@_user_scope("MCP_RESOURCE_MCP_SCOPE")
def resource_server(
    port: int,
    auth_server: str,
    transport: Transport,
    oauth_strict: bool,
    tokens: str,
    server_url: str,
    introspection_endpoint: str,
    scope: str,
) -> None:
    """The demonstration's MCP server: get_time, calculator, get_weather, admin-action."""
    del oauth_strict  # strict is all there is

    @asynccontextmanager
    async def run() -> AsyncIterator[list[tuple[str, str]]]:
        listener = serving.listen(port)
        resource = resource_address(server_url or serving.address_of(listener), transport)
        with ExitStack() as notes:
            secret = notes.enter_context(announced(meeting_place(), auth_server, resource))
            app = guarded(
                auth_server,
                resource,
                transport,
                user_scope=scope,
                secret=secret if tokens == "introspection" else None,
                endpoint=introspection_endpoint or None,
            )
            async with serving.resource_server(listener, app):
                yield [
                    ("MCP server", resource),
                    ("authorization server", auth_server),
                    (
                        "tokens are",
                        "introspected" if tokens == "introspection" else "verified here",
                    ),
                ]

    _serve(run())


@click.command("mcp-simple-auth-legacy", context_settings=_HELP)
@_port(8000)
@_transport()
@_user_scope("MCP_MCP_SCOPE")
def legacy_server(port: int, transport: Transport, scope: str) -> None:
    """Authorization server and MCP server in one, at one address, as of MCP 2025-03-26."""
    person = _person()

    @asynccontextmanager
    async def run() -> AsyncIterator[list[tuple[str, str]]]:
        listener = serving.listen(port)
        async with serving.both_in_one(listener, person, transport, user_scope=scope) as resource:
            yield [
                ("MCP server", resource),
                ("authorization server", serving.address_of(listener)),
                *_account_lines(person),
            ]

    _serve(run())


@click.command("mcp-simple-auth-client", context_settings=_HELP)
@click.option(
    "--server-port",
    type=click.IntRange(1, 65535),
    default=8000,
    envvar="MCP_SERVER_PORT",
    show_default=True,
    help="Port of the MCP server on this machine; also MCP_SERVER_PORT.",
)
@click.option(
    "--transport-type",
    default="streamable_http",
    envvar="MCP_TRANSPORT_TYPE",
    show_default=True,
    help="streamable_http, or anything else for SSE; also MCP_TRANSPORT_TYPE.",
)
def client(server_port: int, transport_type: str) -> None:
    """Sign in to the demonstration's MCP server and use its tools.

    Commands: list, call <tool> [json], quit.
    """
    wants_http = transport_type.replace("-", "_") == "streamable_http"
    transport: Transport = "streamable-http" if wants_http else "sse"
    server_url = f"http://localhost:{server_port}{PATHS[transport]}"
    wallet = Wallet(say=lambda line: click.echo(line, err=True))
    there = Kept(SignInRequest(server_url), wallet, person=LoopbackPerson())
    try:
        Shell(there, input, click.echo, transport=transport).run()
    except LatchError as trouble:
        click.echo(f"{plain(trouble.what)}\n  next: {plain(trouble.next_step)}", err=True)
        raise SystemExit(trouble.exit_code) from None


def _person() -> Account:
    return account(everything(), Moment(clock()).draw)


def _account_lines(person: Account) -> list[tuple[str, str]]:
    if not person.made_up:
        return [("sign in as", person.username)]
    return [
        ("sign in as", person.username),
        ("password", f"{person.password}   (made up now; {PASSWORD_VARIABLE} sets one)"),
    ]


def _serve(server: AbstractAsyncContextManager[list[tuple[str, str]]]) -> None:
    """Run until Ctrl-C or SIGTERM; what cannot be started is one sentence and exit code 2."""
    # Before the SDK sets up logging of its own, which prints local variables, tokens among them.
    set_up("console")

    async def until_told() -> None:
        told = asyncio.create_task(until_signal())
        async with server as lines:
            for what, value in lines:
                click.echo(f"  {what:<22}{value}")
            click.echo("  Ctrl-C ends it.")
            await told

    _run(until_told())


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except (serving.PortTaken, NoMeetingPlace, ValueError) as cannot:
        click.echo(f"Error: {cannot}", err=True)
        raise SystemExit(2) from None
