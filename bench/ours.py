"""This project's own server as people run it: `mcplatch serve` on SQLite."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote_plus

from bench.machine import Server, free_port, interpreter, start
from bench.peers import CONCURRENCY, OURS, Peer
from mcplatch import __version__
from mcplatch.moment import Moment, clock
from mcplatch.passwords import Passwords
from mcplatch.records import User
from mcplatch.store import open_store
from mcplatch.store.port import Put

RESOURCE = "http://localhost:8001/mcp"
SECRET = secrets.token_urlsafe(32)
PASSWORD = "the password of the bench"
MOST_ROUNDS = 40

# Limits as wide as this are counted as ever, but a load from one address does not meet them.
CONFIGURATION = """
issuer = "http://localhost:{port}"
listen = "127.0.0.1:{port}"
database = "sqlite:///{folder}/bench.db"
admin_socket = "{folder}/admin.sock"
secret_key_file = "{folder}/key"

[limits]
registrations_per_address = "1000000/1s"
authorizations_per_address = "1000000/1s"

[[resource]]
identifier = "{resource}"
name = "Bench"
introspection_secret_file = "{folder}/introspection"
[resource.scopes.user]
description = "use the tools"
tools = ["echo"]
baseline = true
"""


def authorization_server() -> Peer:
    """`mcplatch serve` on a new SQLite database, durable as it is by default."""
    return Peer(
        OURS,
        __version__,
        "SQLite, FULL",
        _launch,
        resource=RESOURCE,
        person=(("username", "person-{}"), ("password", PASSWORD)),
        asker=f"{quote_plus(RESOURCE)}:{SECRET}",
        passing="-i-",
    )


def _launch(logs: Path) -> Server:
    port = free_port()
    folder = logs / f"{OURS}-{port}"
    folder.mkdir(mode=0o700)
    (folder / "key").write_text(secrets.token_urlsafe(32))
    (folder / "introspection").write_text(SECRET)
    file = folder / "mcplatch.toml"
    file.write_text(CONFIGURATION.format(port=port, folder=folder, resource=RESOURCE))
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, _add_people(f"sqlite:///{folder}/bench.db")).result()
    command = [interpreter(), "-m", "mcplatch", "serve", "--config", str(file)]
    return start(OURS, command, port, logs / f"{OURS}.log")


async def _add_people(database: str) -> None:
    """More people than any run takes: one for each connection and round."""
    moment = Moment(clock())
    store = open_store(database)
    hashed = await Passwords().hash(PASSWORD)
    people = [
        User(
            user_id=moment.secret(12),
            username=f"person-{number}",
            name=f"Person {number}",
            created_at=moment.now,
            password_hash=hashed,
        )
        for number in range(CONCURRENCY * MOST_ROUNDS)
    ]
    await store.settle(lambda transaction: transaction.apply(map(Put, people)))
    await store.close()
