"""Every address of the pages and what answers there; rules are elsewhere (OAuth 2.1 3.1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcplatch.authorization_server.discovery import AUTHORIZE
from mcplatch.authorization_server.house import House
from mcplatch.web import account, interaction, render
from mcplatch.web.front import Endpoint, Front, guarded, open_front

INTERACTION = "/interaction/{interaction_id}"

ADDRESSES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/", account.home),
    ("GET", AUTHORIZE, interaction.begin),
    ("POST", AUTHORIZE, interaction.begin),
    ("GET", INTERACTION, interaction.show),
    ("POST", f"{INTERACTION}/password", interaction.take_password),
    ("POST", f"{INTERACTION}/consent", interaction.take_consent),
    ("POST", f"{INTERACTION}/another-account", interaction.another_account),
    ("GET", f"{INTERACTION}/{{form}}", interaction.back_to_interaction),
    ("GET", account.ACCOUNT, account.account),
    ("POST", account.SIGN_IN, account.sign_in),
    ("POST", account.DISCONNECT, account.disconnect),
    ("POST", account.SIGN_OUT, account.sign_out),
    ("GET", account.SIGN_IN, account.back_to_account),
    ("GET", account.DISCONNECT, account.back_to_account),
    ("GET", account.SIGN_OUT, account.back_to_account),
)


def routes(house: House, base: str) -> list[Route]:
    """The pages of a house under `base`, the path of its issuer without a slash at the end."""
    front = open_front(house, base)
    listed = [
        Route(base + path, guarded(answer, front), methods=[method])
        for method, path, answer in ADDRESSES
    ]
    if base:
        listed.append(Route(base, guarded(account.home, front), methods=["GET"]))
    return [
        *listed,
        Route(f"{base}/static/{{name}}", guarded(_static, front), methods=["GET"]),
        Route("/{anything:path}", guarded(account.nothing_here, front), methods=["GET"]),
    ]


async def _static(request: Request, front: Front) -> Response:
    served = render.static_file(request.path_params["name"])
    return served or await account.nothing_here(request, front)
