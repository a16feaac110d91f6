"""Ports for servers whose address has to be known before they start."""

from __future__ import annotations

import socket


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
