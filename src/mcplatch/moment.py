"""The door of time and chance: everything else is given a `Moment` and stays deterministic."""

from __future__ import annotations

import itertools
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

Draw = Callable[[int], bytes]

TIME_CHARACTERS = 14

# Which of the many made in one second came first; nothing but the order of rows hangs on it.
_ORDER = itertools.count(secrets.randbelow(1 << 24))


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is decided (`now`, whole seconds since the epoch) and chance to decide it
    with.
    """

    now: int
    draw: Draw = secrets.token_bytes

    def secret(self, bytes_drawn: int = 32) -> str:
        """A fresh unguessable text, base64url; 32 bytes are 256 bits."""
        return urlsafe_b64encode(self.draw(bytes_drawn)).rstrip(b"=").decode()

    def token(self, bytes_drawn: int = 32) -> str:
        """A fresh secret that will name a row: it begins with the time and a count, the rest is
        chance.

        Rows made together then lie together, and a commit touches a few pages instead of one a row.
        """
        return f"{self.now:08x}{next(_ORDER) & 0xFFFFFF:06x}{self.secret(bytes_drawn)}"


def clock() -> int:
    """This machine's clock, whole seconds since the epoch."""
    return int(time.time())


def digest(secret: str) -> str:
    """What is stored of a random secret: SHA-256, base64url; random secrets need no slow hash."""
    return urlsafe_b64encode(sha256(secret.encode()).digest()).rstrip(b"=").decode()


def name_of(token: str) -> str:
    """The name of the row of a token from `Moment.token`: its time, and a digest of all of it.

    A stranger's text may begin with anything, also with what a database cannot keep (NUL).
    """
    time = token[:TIME_CHARACTERS]
    return (time if time.isascii() and time.isalnum() else "") + digest(token)


def made_by(moment: int) -> str:
    """A text that comes after every name and token made before `moment`, and before all others."""
    return f"{max(0, moment):08x}"
