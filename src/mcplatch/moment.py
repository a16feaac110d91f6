"""The door of time and chance: everything else is given a `Moment` and stays deterministic."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

Draw = Callable[[int], bytes]


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


def clock() -> int:
    """This machine's clock, whole seconds since the epoch."""
    return int(time.time())


def digest(secret: str) -> str:
    """What is stored of a random secret: SHA-256, base64url; random secrets need no slow hash."""
    return urlsafe_b64encode(sha256(secret.encode()).digest()).rstrip(b"=").decode()
