"""The wire of one OAuth client, request by request, so that a server can be killed between any two of them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.outside.form_browser import Browser, Outcome, Page, Person, visit

REDIRECT = "http://127.0.0.1:49152/callback"
SECONDS_A_REQUEST = 20.0


class Broken(Exception):
    """The server went away before its answer was complete: the client knows nothing."""


class ServerFault(Exception):
    """A page was answered with 5xx, which nothing a person does may lead to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, as a client received it."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))


@dataclass(frozen=True, slots=True)
class Held:
    """A code that was handed to the client, and what it takes to redeem it."""

    code: str
    verifier: str


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send one request; raise Broken unless the whole answer arrived."""
    request = Request(url, body, headers)
    try:
        with urlopen(request, timeout=SECONDS_A_REQUEST) as answer:
            return Answer(answer.status, json.loads(answer.read() or b"{}"))
    except HTTPError as refused:
        with refused:
            return Answer(refused.code, json.loads(refused.read() or b"{}"))
    except (URLError, HTTPException, OSError, json.JSONDecodeError) as gone:
        raise Broken(repr(gone)) from gone


@dataclass(slots=True)
class Wire:
    """A public client of the authorization server at `issuer`; `after` runs when an answer is in."""

    issuer: str
    resource: str
    after: Callable[[], None] = lambda: None
    client_id: str = ""

    def register(self) -> None:
        wanted = {
            "client_name": "kill -9",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        body = json.dumps(wanted).encode()
        answer = post(f"{self.issuer}/register", body, {"content-type": "application/json"})
        assert answer.status == 201, answer
        self.client_id = answer.body["client_id"]
        self.after()

    def authorization_url(self, verifier: str) -> str:
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": self.resource,
            "scope": "user",
            "state": "s",
        }
        return f"{self.issuer}/authorize?{urlencode(asked)}"

    def authorize(self, person: Person, browser: Browser) -> Held:
        """Let the person sign in and allow; answer with the code."""
        verifier = os.urandom(32).hex()
        outcome: Outcome = visit(self.authorization_url(verifier), person, browser)
        assert outcome.redirect, outcome
        return Held(outcome.answer()["code"], verifier)

    def token(self, **form: str) -> Answer:
        pairs = {"client_id": self.client_id, "resource": self.resource, **form}
        answer = post(f"{self.issuer}/token", urlencode(pairs).encode(), {})
        self.after()
        return answer

    def exchange(self, held: Held) -> Answer:
        return self.token(
            grant_type="authorization_code",
            code=held.code,
            code_verifier=held.verifier,
            redirect_uri=REDIRECT,
        )

    def refresh(self, refresh_token: str) -> Answer:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> Answer:
        pairs = {"client_id": self.client_id, "token": token}
        answer = post(f"{self.issuer}/revoke", urlencode(pairs).encode(), {})
        self.after()
        return answer

    def is_active(self, access_token: str, secret: str) -> bool:
        """Ask as the resource server does (RFC 7662)."""
        word = base64.b64encode(f"{form(self.resource)}:{form(secret)}".encode()).decode()
        body = urlencode({"token": access_token}).encode()
        answer = post(f"{self.issuer}/introspect", body, {"authorization": f"Basic {word}"})
        assert answer.status == 200, answer
        return bool(answer.body["active"])


def form(text: str) -> str:
    """Encode one half of HTTP Basic credentials as RFC 6749 2.3.1 wants it."""
    return urlencode({"": text})[1:]


class Interrupted(Browser):
    """A browser that tells somebody after every page, and presses reload when the server went away."""

    def __init__(
        self, after: Callable[[], None], before: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__()
        self.after = after
        self.before = before

    def fetch(self, url: str, form: list[tuple[str, str]] | None = None, origin: str = "") -> Page:
        self.before()
        try:
            page = super().fetch(url, form, origin)
        except (URLError, HTTPException, OSError):
            self.after()
            page = super().fetch(url, form, origin)
        else:
            self.after()
        if page.status >= 500:
            raise ServerFault(page)
        return page
