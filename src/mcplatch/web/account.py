"""A person's own pages: sign in, see what was allowed, take it back, sign out (AS-145)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mcplatch.authorization_server import connected_apps, sessions
from mcplatch.authorization_server.connected_apps import EVERYTHING, Account, Disconnected
from mcplatch.authorization_server.login import password
from mcplatch.authorization_server.policy import MINUTE
from mcplatch.protocol.refusal import Refusal
from mcplatch.web import forms
from mcplatch.web.cookies import VISITOR_AGE_S
from mcplatch.web.front import Front, address_of, refused_form
from mcplatch.web.interaction import WRONG, sign_in_refused
from mcplatch.web.strangers import app_name, shown
from mcplatch.web.views import (
    ConnectedApps,
    Home,
    NotHere,
    SignedOut,
    SignIn,
)
from mcplatch.web.wording import card, person

ACCOUNT, SIGN_IN, SIGN_OUT = "/account", "/sign-in", "/sign-out"
DISCONNECT = "/account/disconnect"


async def home(request: Request, front: Front) -> Response:
    """What this address is."""
    signed_in = await front.signed_in(request)
    return front.page(
        Home(front.base + ACCOUNT, shown(person(signed_in.user)) if signed_in else "")
    )


async def account(request: Request, front: Front) -> Response:
    """The connected apps, or the sign-in page that leads there."""
    secret = front.session_secret(request)
    found = await connected_apps.look(secret, front.house)
    if found is None or secret is None:
        return _ask(request, front)
    return front.page(_account_view(found, secret, front))


async def sign_in(request: Request, front: Front) -> Response:
    """Sign in to see the account."""
    visitor = front.cookies.read(request, front.cookies.visitor)
    if visitor is None:
        return front.go(front.base + ACCOUNT)
    token = forms.csrf_token(visitor, "sign-in")
    form = await forms.read_own_form(request, origin=front.origin, token=token)
    if isinstance(form, Refusal):
        return refused_form(form, front, front.base + ACCOUNT)
    asked = password.parse(form)
    place = password.Place(front.session_secret(request), address_of(request))
    outcome = await password.sign_in(asked, place, front.house, front.passwords)
    if isinstance(outcome, password.SignedInNow):
        response = front.go(front.base + ACCOUNT)
        front.cookies.set(response, front.cookies.session, outcome.secret)
        front.cookies.drop(response, front.cookies.visitor)
        return response
    waiting = outcome.seconds if isinstance(outcome, password.Wait) else 0
    return sign_in_refused(
        _ask(request, front, asked.username, "" if waiting else WRONG, waiting), waiting
    )


async def disconnect(request: Request, front: Front) -> Response:
    """Take back one app, or all of them, and show what is left."""
    secret = front.session_secret(request)
    if secret is None:
        return front.go(front.base + ACCOUNT)
    token = forms.csrf_token(secret, "account")
    form = await forms.read_own_form(request, origin=front.origin, token=token)
    if isinstance(form, Refusal):
        return refused_form(form, front, front.base + ACCOUNT)
    done = await connected_apps.disconnect(
        form.get("grant_id") or "", secret, front.house, address=address_of(request)
    )
    found = await connected_apps.look(secret, front.house)
    if done is None or found is None:
        return front.go(front.base + ACCOUNT)
    return front.page(_account_view(found, secret, front, told=_told(done, form.get("grant_id"))))


async def sign_out(request: Request, front: Front) -> Response:
    """End the session of this browser; what was allowed goes on."""
    secret = front.session_secret(request)
    if secret is not None:
        form = await forms.read_own_form(
            request, origin=front.origin, token=forms.csrf_token(secret, "account")
        )
        if isinstance(form, Refusal):
            return refused_form(form, front, front.base + ACCOUNT)
        address = address_of(request)
        await front.house.store.settle(lambda t: sessions.sign_out(t, secret, address=address))
    response = front.page(SignedOut(front.base + ACCOUNT))
    front.cookies.drop(response, front.cookies.session)
    return response


async def back_to_account(_request: Request, front: Front) -> Response:
    """A form's address opened without the form."""
    return front.go(front.base + ACCOUNT)


async def nothing_here(_request: Request, front: Front) -> Response:
    """An address that leads nowhere."""
    view = NotHere(
        "There is nothing at this address",
        "The address may be mistyped, or the page is gone.",
        "Start again from the app you want to connect.",
        front.base + "/",
        "See what this server is",
    )
    return front.page(view, 404)


def _ask(
    request: Request, front: Front, username: str = "", problem: str = "", wait_seconds: int = 0
) -> Response:
    known = front.cookies.read(request, front.cookies.visitor)
    visitor = known or front.secret()
    view = SignIn(
        app="",
        server="",
        action=front.base + SIGN_IN,
        csrf=forms.csrf_token(visitor, "sign-in"),
        username=username,
        problem=problem,
        wait_seconds=wait_seconds,
    )
    response = front.page(view)
    if known is None:
        front.cookies.set(response, front.cookies.visitor, visitor, seconds=VISITOR_AGE_S)
    return response


def _account_view(found: Account, secret: str, front: Front, *, told: str = "") -> ConnectedApps:
    return ConnectedApps(
        user=shown(person(found.signed_in.user)),
        cards=tuple(card(grant, front.house.policy, found.now) for grant in found.grants),
        csrf=forms.csrf_token(secret, "account"),
        action=front.base + DISCONNECT,
        sign_out=front.base + SIGN_OUT,
        minutes_left=-(-front.house.policy.lifetimes.access_token // MINUTE),
        told=told,
    )


def _told(done: Disconnected, asked: str | None) -> str:
    if not done.grants:
        return "That app was disconnected already."
    if asked == EVERYTHING:
        return "Everything is disconnected."
    return f"{app_name(done.grants[0].client_name)} is disconnected."
