"""`mcplatch serve`: the authorization server, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mcplatch.cli.options import config_option, loaded
from mcplatch.cli.outcome import Exit, Stop
from mcplatch.config import Config


@click.command()
@config_option()
def command(file: str | None) -> None:
    """Run the authorization server. Stops on Ctrl-C or SIGTERM, when open requests are answered."""
    from mcplatch.log import log, set_up

    found = loaded(file)
    config = found.config
    set_up(config.log_format, access=config.log_requests)
    for note in found.notes:
        log().warning(note)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(config))


async def _serve(config: Config) -> None:
    from mcplatch.cli.wiring import house_of
    from mcplatch.web.admin_socket import admin_app
    from mcplatch.web.app import create_app
    from mcplatch.web.edge import EdgeLimits
    from mcplatch.web.serving import running, until_signal

    limits = EdgeLimits(
        head_seconds=config.limits.head_seconds,
        body_seconds=config.limits.body_seconds,
        connections=config.limits.connections,
    )
    async with house_of(config) as house:
        with _listener(config) as public, _unix_listener(config.admin_socket) as private:
            try:
                async with (
                    running(admin_app(house), private),
                    running(
                        create_app(house),
                        public,
                        limits=limits,
                        trusted_proxies=config.trusted_proxies,
                    ),
                ):
                    click.echo(f"mcplatch serves {config.issuer} on {config.listen}")
                    await until_signal()
            except RuntimeError as failed:
                raise Stop(str(failed), Exit.SERVER_FAULT) from None


@contextmanager
def _listener(config: Config) -> Iterator[socket.socket]:
    from mcplatch.web.serving import listening

    try:
        listener = listening(config.listen)
    except OSError as taken:
        raise Stop(
            f"cannot listen on {config.listen}: {taken.strerror}", Exit.SERVER_FAULT
        ) from None
    with listener:
        yield listener


@contextmanager
def _unix_listener(path: Path) -> Iterator[socket.socket]:
    """A socket that only this user can open; one left by a process that was killed is replaced.

    Bound through the folder's descriptor: the address of a socket has room for 107 bytes only.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        listener.listen()
    except OSError as trouble:
        raise Stop(f"cannot make {path}: {trouble.strerror}", Exit.SERVER_FAULT) from None
    finally:
        os.umask(mask)
        os.close(folder)
    with listener:
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # where it has no build, asyncio's own loop serves
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
