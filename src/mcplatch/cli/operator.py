"""How the operator's commands reach the house: the running server's socket, or the house itself."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mcplatch.cli.options import loaded
from mcplatch.cli.outcome import Exit, Stop
from mcplatch.config import Config

Json = dict[str, Any]

SECONDS_TO_ANSWER = 30


def ask(file: str | None, act: str, **given: Any) -> Json:
    """The answer to one act. Raises Stop with the server's sentence where it says no.

    A server that runs is asked; while none does, the act is done here, with the database held so
    that none can start in between.
    """
    config = loaded(file).config
    with _connected(config.admin_socket) as connection:
        if connection is None:
            status, answered = _without_server(config, act, given)
        else:
            status, answered = _asked(connection, act, given)
    if status >= 400:
        about = f" ({answered['detail']})" if answered.get("detail") else ""
        code = Exit.SERVER_FAULT if status >= 500 else Exit.USAGE
        raise Stop(f"{answered['error']}{about}", code)
    return answered


def _asked(connection: http.client.HTTPConnection, act: str, given: Json) -> tuple[int, Json]:
    try:
        connection.request("POST", f"/{act}", json.dumps(given))
        response = connection.getresponse()
        answered: Json = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as broken:
        raise Stop(f"the running server did not answer: {broken}", Exit.SERVER_FAULT) from None
    return response.status, answered


def _without_server(config: Config, act: str, given: Json) -> tuple[int, Json]:
    import asyncio

    from mcplatch.cli.wiring import house_of
    from mcplatch.passwords import Passwords
    from mcplatch.protocol.refusal import Refusal
    from mcplatch.web.admin_socket import Desk, perform, refused

    async def act_here() -> Json | Refusal:
        async with house_of(config) as house:
            return await perform(Desk(house, Passwords()), act, given)

    answered = asyncio.run(act_here())
    if isinstance(answered, Refusal):
        return answered.reason.status, refused(answered)
    return 200, answered


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket that is connected already."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__("localhost", timeout=SECONDS_TO_ANSWER)
        self.sock = connected


@contextmanager
def _connected(path: Path) -> Iterator[http.client.HTTPConnection | None]:
    """A connection to the running server, or None where none listens."""
    with socket.socket(socket.AF_UNIX) as unix:
        unix.settimeout(SECONDS_TO_ANSWER)
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            yield None
            return
        try:
            unix.connect(f"/proc/self/fd/{folder}/{path.name}")
        except (FileNotFoundError, ConnectionRefusedError):
            yield None
            return
        except OSError as trouble:
            raise Stop(f"{path}: {trouble.strerror}", Exit.DENIED) from None
        finally:
            os.close(folder)
        yield _Connection(unix)


def new_password(*, from_stdin: bool) -> str:
    """A password typed twice at the terminal, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Stop(
            "there is no terminal to ask for the password",
            next_step="give it on standard input: --password-stdin",
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def when(seconds: int | None) -> str:
    """A time for people: UTC to the minute, or a dash."""
    if seconds is None:
        return "-"
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def table(rows: Sequence[tuple[str, ...]], otherwise: str) -> list[str]:
    """Lines with columns below each other; `otherwise` where there is no row but the first."""
    if len(rows) < 2:
        return [otherwise]
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip()
        for row in rows
    ]
