"""This project's own server as people run it: `mcplatch serve` on SQLite."""

from __future__ import annotations

from bench.peers import Peer


def authorization_server() -> Peer | None:
    """Not there yet."""
    return None
