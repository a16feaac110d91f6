"""`mcplatch logout URL`: gives the access back at the authorization server, then forgets it
here.
"""

from __future__ import annotations

import click

from mcplatch.cli.at_server import account_option, open_wallet, run, show, url_argument
from mcplatch.cli.options import json_option


@click.command()
@url_argument()
@account_option()
@json_option()
def command(server_url: str, account: str, as_json: bool) -> None:
    """Revoke and forget the sign-in at URL.

    What is kept here goes in any case; when the server could not be told, this says so and exits 5.
    """
    from mcplatch.client.account import Account
    from mcplatch.client.drive import Nobody
    from mcplatch.client.sign_in_request import SignInRequest

    at_server = Account(SignInRequest(server_url), open_wallet(), person=Nobody(), name=account)
    revoked = run(at_server.log_out)
    if revoked is None:
        words = f"You were not signed in to {server_url}."
    elif revoked:
        words = f"Signed out of {server_url}; its authorization server took your access back."
    else:
        words = (
            f"Signed out of {server_url} on this machine. Its authorization server did not take "
            "your access back: look for a list of connected apps there."
        )
    told = {"was_signed_in": revoked is not None, "revoked": list(revoked or ())}
    show({"server": server_url, **told}, as_json=as_json, lines=[words])
