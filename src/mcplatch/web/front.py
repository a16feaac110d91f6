"""What every page needs, and the one place where a breakdown is caught (RFC 6749 4.1.2.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.sessions import SignedIn, read_session
from mcplatch.authorization_server.steps import Browser
from mcplatch.log import log
from mcplatch.moment import Moment, clock
from mcplatch.passwords import Passwords, PasswordsBusy
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.store.port import Contended, StoreDown
from mcplatch.web import forms, render
from mcplatch.web.cookies import Cookies, open_cookies
from mcplatch.web.views import NotHere, OurFault, Site, View

BUSY_SECONDS = 2

Endpoint = Callable[[Request, "Front"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Front:
    """The authorization server as its pages see it."""

    house: House
    passwords: Passwords
    site: Site
    cookies: Cookies
    origin: str
    base: str

    def page(self, view: View, status: int = 200) -> Response:
        """The page of a view."""
        return render.page(view, self.site, status=status, https=self.cookies.https)

    def go(self, address: str) -> Response:
        """Send the browser on by GET, whatever it came with (AS-27). `address` is used as it is."""
        headers = render.page_headers(https=self.cookies.https) | {"location": address}
        return Response(status_code=303, headers=headers)

    def secret(self) -> str:
        """A fresh secret for a browser."""
        draw = self.house.draw
        return (Moment(clock()) if draw is None else Moment(clock(), draw)).secret()

    def browser(self, request: Request, interaction_id: str) -> Browser | None:
        """What this browser brought for an interaction; None when it did not start it."""
        secret = self.cookies.read(request, self.cookies.interaction(interaction_id))
        if secret is None:
            return None
        return Browser(secret, self.session_secret(request), address_of(request))

    def session_secret(self, request: Request) -> str | None:
        """The secret of the browser's session, whether or not it still opens anything."""
        return self.cookies.read(request, self.cookies.session)

    async def signed_in(self, request: Request) -> SignedIn | None:
        """Who is signed in at this browser. Raises `StoreDown`."""
        secret = self.session_secret(request)
        return await self.house.store.look(lambda transaction: read_session(transaction, secret))


def open_front(house: House, base: str) -> Front:
    """The pages of a house under `base`, the path of its issuer."""
    issuer = house.policy.issuer
    scheme, _, rest = issuer.partition("://")
    return Front(
        house,
        Passwords(),
        render.open_site(issuer, house.policy.operator),
        open_cookies(issuer),
        f"{scheme}://{rest.partition('/')[0]}",
        base,
    )


def guarded(endpoint: Endpoint, front: Front) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose breakdown becomes a page with a reference that the log line has too."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request, front)
        except (StoreDown, Contended, PasswordsBusy) as busy:
            log().warning("page not served", path=request.scope["path"], error=repr(busy))
            response = front.page(OurFault("", BUSY_SECONDS), 503)
            response.headers["retry-after"] = str(BUSY_SECONDS)
            return response
        except Exception:  # noqa: BLE001 - a page must never show a trace, whatever broke
            reference = front.secret()[:12]
            log().exception("page failed", path=request.scope["path"], reference=reference)
            return front.page(OurFault(reference), 500)

    return answer


def refused_form(refusal: Refusal, front: Front, onward: str) -> Response:
    """A form that is not taken; `onward` is where its page can be seen afresh."""
    reason: Reason = refusal.reason
    if reason is forms.FOREIGN:
        view = NotHere(
            "This did not come from a page of this server",
            "Another site, or another address of this one, tried to answer for you. "
            "Nothing was changed.",
            f"If you did this yourself, open the page at {front.origin} and answer there.",
        )
    else:
        view = NotHere(
            "That page was out of date",
            "It was opened before you signed in again or changed something in another tab. "
            "Nothing was changed.",
            "Look at the question afresh and answer it there.",
            onward,
            "Open it afresh",
        )
    return front.page(view, max(reason.status, 400))


def address_of(request: Request) -> str | None:
    """The address of whoever asks, as the edge of the server established it."""
    client = request.scope.get("client")
    return str(client[0]) if client else None
