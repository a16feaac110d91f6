"""What a client shows to be recognised."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A claim to be `client_id`, made by `method`, with a secret where the method has one."""

    method: str
    client_id: str
    secret: str | None = field(default=None, repr=False)
