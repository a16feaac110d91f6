"""Cookies of the pages: one secret for a session, one for each interaction (RFC 6265bis 4.1.3).

An interaction has a cookie of its own, so that two tabs opened at the same moment cannot overwrite
each other's. On https every name starts with `__Host-`. On loopback http that prefix and `Secure`
would keep the cookies of command-line clients from being sent, and because browsers share cookies
between the ports of a host, the port is part of the name there.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

MOST_OPEN = 20
ID_PART = 12
ROOM_S = 60
VISITOR_AGE_S = 3600
MOST_SECRET = 100


@dataclass(frozen=True, slots=True)
class Cookies:
    """How this deployment names and sets its cookies."""

    https: bool
    prefix: str

    @property
    def session(self) -> str:
        """Name of the cookie of a signed-in browser."""
        return f"{self.prefix}session"

    @property
    def visitor(self) -> str:
        """Name of the cookie that a sign-in form without an interaction is bound to."""
        return f"{self.prefix}visitor"

    def interaction(self, interaction_id: str) -> str:
        """Name of the cookie of one interaction."""
        return f"{self.prefix}i-{interaction_id[-ID_PART:]}"

    def read(self, request: Request, name: str) -> str | None:
        """A cookie's value; None when it is missing or cannot be one of ours."""
        value = request.cookies.get(name)
        if not value or len(value) > MOST_SECRET or not value.isascii():
            return None
        return value

    def set(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Give the browser a secret: unreadable for scripts, not sent on other sites' posts."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self.https, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, name: str) -> None:
        """Take a secret back from the browser."""
        self.set(response, name, "", seconds=0)

    def drop_surplus(self, request: Request, response: Response) -> None:
        """Keep the Cookie header small: the oldest of many unanswered interactions go first."""
        open_ones = [name for name in request.cookies if name.startswith(f"{self.prefix}i-")]
        for name in open_ones[: max(0, len(open_ones) - MOST_OPEN + 1)]:
            self.drop(response, name)


def open_cookies(issuer: str) -> Cookies:
    """The cookies of a deployment, from the configured issuer string."""
    scheme, _, rest = issuer.partition("://")
    if scheme == "https":
        return Cookies(True, "__Host-mcplatch-")
    port = rest.partition("/")[0].rpartition(":")[2]
    return Cookies(False, f"mcplatch-{port}-" if port.isdigit() else "mcplatch-")
