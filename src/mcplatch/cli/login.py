"""`mcplatch login URL`: signs a person in to an MCP server and keeps the tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mcplatch.cli.at_server import account_option, open_wallet, run, show, url_argument
from mcplatch.cli.options import json_option
from mcplatch.cli.outcome import Exit, Stop

if TYPE_CHECKING:
    from mcplatch.client.sign_in_request import SignInRequest


@click.command()
@url_argument()
@click.option("--scope", help="What to ask for, blanks in between; else what the server needs.")
@click.option("--client-id", help="A client registered beforehand at the authorization server.")
@click.option(
    "--client-secret-file",
    type=click.File("r"),
    help="A file with the secret of --client-id; - reads it from standard input.",
)
@click.option("--client-metadata-url", help="The https address of a client metadata document.")
@click.option("--callback-port", type=click.IntRange(0, 65535), default=0, help="0: any free one.")
@click.option(
    "--callback-host",
    type=click.Choice(["127.0.0.1", "localhost", "::1"]),
    default="127.0.0.1",
    help="How the redirect URI names this machine.",
)
@click.option("--callback-path", default="/callback", help="The path of the redirect URI.")
@click.option("--no-browser", is_flag=True, help="Print the address; take the answer pasted.")
@click.option("--timeout", type=click.FloatRange(1), default=300.0, help="Seconds to wait for you.")
@click.option("--issuer", help="Which authorization server, where the MCP server names several.")
@click.option("--accept-issuer", help="A name under which the authorization server may answer.")
@click.option("--assume-pkce", is_flag=True, help="The server does S256 without saying so.")
@click.option("--no-resource", is_flag=True, help="Leave out the resource parameter (Entra ID).")
@click.option("--allow-http", is_flag=True, help="Allow plain http beyond this machine.")
@account_option()
@json_option()
def command(server_url: str, account: str, as_json: bool, **options: Any) -> None:
    """Sign in to the MCP server at URL: opens a browser, waits for you, keeps the tokens.

    Shows which server and which sign-in page before it opens anything. Without a terminal and
    without $BROWSER it does not wait: it says what to run instead.
    """
    from mcplatch.client.account import Account
    from mcplatch.client.errors import NoSignInNeeded
    from mcplatch.client.person import LoopbackPerson
    from mcplatch.client.show import sign_in_json
    from mcplatch.moment import clock

    wallet = open_wallet()
    person = LoopbackPerson(
        host=options["callback_host"],
        port=options["callback_port"],
        path=options["callback_path"],
        open_browser=not options["no_browser"],
        seconds=options["timeout"],
    )

    async def sign_in() -> Any:
        request = _request(wallet.request_for(server_url, account), options)
        try:
            return await Account(request, wallet, person=person, name=account).log_in()
        except NoSignInNeeded as open_server:
            raise Stop(open_server.what, Exit.OK, next_step=open_server.next_step) from None

    held = run(sign_in)
    show(
        sign_in_json(held, now=clock()),
        as_json=as_json,
        lines=[
            f"Signed in to {server_url}",
            f"  may   {' '.join(held.scope) or '(the server did not say)'}",
            f"  kept  {wallet.kept_in()}",
        ],
    )


def _request(last_time: SignInRequest, options: dict[str, Any]) -> SignInRequest:
    """What this command says, over what was said the last time."""
    scope, secret = options["scope"], options["client_secret_file"]
    said = {
        "scope": None if scope is None else tuple(scope.split()),
        "client_id": options["client_id"],
        "client_secret": None if secret is None else secret.read().strip(),
        "client_metadata_url": options["client_metadata_url"],
        "issuer": options["issuer"],
        "accept_issuer": options["accept_issuer"],
        "send_resource": False if options["no_resource"] else None,
        "assume_pkce": options["assume_pkce"] or None,
        "allow_http": options["allow_http"] or None,
    }
    return replace(last_time, **{name: value for name, value in said.items() if value is not None})
