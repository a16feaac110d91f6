"""Plays a flow against a table of replies: no socket, no clock, every request written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from mcplatch.client.errors import LatchError, Unreachable
from mcplatch.client.register import Registration
from mcplatch.client.senses import Senses
from mcplatch.client.talk import Get, Listen, Post, Reply, Request, Talk, Visit

T = TypeVar("T")

SERVER = "https://notes.example/mcp"
ISSUER = "https://as.example"
PRM = "https://notes.example/.well-known/oauth-protected-resource/mcp"
ROOT_PRM = "https://notes.example/.well-known/oauth-protected-resource"
META = f"{ISSUER}/.well-known/oauth-authorization-server"
REDIRECT_URI = "http://127.0.0.1:4000/callback"

Answer = Reply | Callable[[Any], Reply] | Exception


def as_json(document: object, status: int = 200) -> Reply:
    return Reply("", status, (("content-type", "application/json"),), json.dumps(document).encode())


def metadata(**changes: object) -> dict[str, object]:
    document: dict[str, object] = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "registration_endpoint": f"{ISSUER}/register",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": True,
        **changes,
    }
    return {name: value for name, value in document.items() if value is not None}


def resource(**changes: object) -> dict[str, object]:
    return {"resource": SERVER, "authorization_servers": [ISSUER], **changes}


def tokens(**changes: object) -> dict[str, object]:
    answer = {
        "access_token": "at-1",
        "token_type": "Bearer",
        "expires_in": 600,
        "refresh_token": "rt-1",
        "scope": "notes:read",
        **changes,
    }
    return {name: value for name, value in answer.items() if value is not None}


def usual(**replies: Answer) -> dict[str, Answer]:
    """A server and its authorization server, all as it should be."""
    return {
        SERVER: Reply("", 401, (("www-authenticate", f'Bearer resource_metadata="{PRM}"'),)),
        PRM: as_json(resource()),
        META: as_json(metadata()),
        f"{ISSUER}/register": as_json({"client_id": "c-1"}, 201),
        f"{ISSUER}/authorize": Reply("", 302),
        f"{ISSUER}/token": as_json(tokens()),
        f"{ISSUER}/revoke": Reply("", 200),
    }


class Notebook:
    """A memory of registrations that is a dict."""

    def __init__(self, *held: Registration) -> None:
        self.held = {registration.issuer: registration for registration in held}

    def registration(self, issuer: str) -> Registration | None:
        return self.held.get(issuer)

    def keep_registration(self, registration: Registration) -> None:
        self.held[registration.issuer] = registration

    def forget_registration(self, issuer: str) -> None:
        self.held.pop(issuer, None)


def says_yes(visit: Visit) -> Reply:
    """The person allows it, and the server says who it is."""
    return Reply(back(visit, code="code-1"))


def back(visit: Visit, **parameters: str) -> str:
    """Where the browser comes back to."""
    asked = dict(parse_qsl(urlsplit(visit.url).query))
    answer = {"state": asked["state"], "iss": ISSUER, **parameters}
    return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in answer.items() if v})}"


@dataclass
class Play:
    """What happened: every request in order, and each kind by name."""

    asked: list[Request] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.asked if isinstance(request, Get | Post)]

    @property
    def visits(self) -> list[Visit]:
        return [request for request in self.asked if isinstance(request, Visit)]

    def query(self, number: int = 0) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.visits[number].url).query))

    def forms(self, url: str) -> list[dict[str, str]]:
        return [
            {name: values[0] for name, values in parse_qs(post.body.decode()).items()}
            for post in self.posts(url)
        ]

    def posts(self, url: str) -> list[Post]:
        return [r for r in self.asked if isinstance(r, Post) and r.url == url]


def play(
    talk: Talk[T],
    replies: dict[str, Answer],
    play_: Play,
    *,
    person: Callable[[Visit], Reply] = says_yes,
    redirect_uri: str = REDIRECT_URI,
) -> T:
    """Runs `talk`; an address that is not in `replies` answers 404. A callable may answer in turn."""
    reply: Reply | None = None
    failure: Exception | None = None
    while True:
        try:
            if failure is not None:
                request = talk.throw(failure)
            else:
                request = next(talk) if reply is None else talk.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        play_.asked.append(request)
        assert len(play_.asked) < 60, "the flow goes in circles"
        reply, failure = None, None
        if isinstance(request, Listen):
            reply = Reply(redirect_uri)
        elif isinstance(request, Visit):
            try:
                reply = person(request)
            except LatchError as nobody:
                failure = nobody
        else:
            found = replies.get(request.url.partition("?")[0], Reply("", 404))
            found = found(request) if callable(found) else found
            if isinstance(found, Exception):
                failure = found
            else:
                reply = Reply(request.url, found.status, found.headers, found.body)


def in_turn(*answers: Reply) -> Callable[[Request], Reply]:
    """Each answer once, the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def down() -> Exception:
    return Unreachable("It cannot be reached.", next_step="Try again.")


def still(now: int = 1000) -> Senses:
    """A clock that stands, and chance that counts."""
    drawn = iter(range(1, 250))
    return Senses(lambda: now, lambda size: bytes([next(drawn)]) * size)
