"""What a flow may know of time and chance: a clock to look at, and a source to draw from."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mcplatch.moment import Draw, clock


@dataclass(frozen=True, slots=True)
class Senses:
    """For flows that wait for people: a moment would be over when they come back."""

    clock: Callable[[], int] = clock
    draw: Draw = secrets.token_bytes
