"""The vocabulary of the client's flows: what a flow asks of the world, and what it is told.

A flow is a plain generator that yields requests and is sent replies, so that the order of its steps
is straight-line code, joined by `yield from`, and tested with a table of replies instead of a
socket. The drivers in `drive.py` do the I/O, one for threads and one for coroutines.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Get:
    """Fetch `url`. With `head_only` the body is not read: the answer may be a stream without
    end.
    """

    url: str
    accept: str = JSON
    head_only: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """Send `body`. `authorization` and `dpop` are the values of those headers, where there are
    any.
    """

    url: str
    body: bytes = field(repr=False)
    content_type: str = FORM
    accept: str = JSON
    authorization: str | None = field(default=None, repr=False)
    dpop: str | None = field(default=None, repr=False)
    head_only: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Be ready for the browser to come back; the reply's `url` is the redirect URI to use.

    `preferred` is the redirect URI an earlier registration holds: worth taking the same port for.
    """

    preferred: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """Send a person to `url`; the reply's `url` is where their browser came back to."""

    url: str
    state: str
    server_url: str
    issuer: str
    scope: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request. Header names are in lower case."""

    url: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def all(self, name: str) -> list[str]:
        """Every value of the header `name`."""
        return [value for key, value in self.headers if key == name]


Request = Get | Post | Listen | Visit
Talk = Generator[Request, Reply, T]
