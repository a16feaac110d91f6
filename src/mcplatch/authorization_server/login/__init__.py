"""The ways a person can sign in, one file each; the sign-in page shows them in this order."""

from __future__ import annotations

from mcplatch.authorization_server.login import password

METHODS: tuple[str, ...] = (password.NAME,)
