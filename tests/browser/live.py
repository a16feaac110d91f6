"""A real server on a loopback port, and a client's callback beside it, for a real browser."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn

from mcplatch.records import Record
from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import POLICY, Stage, app_client, authorization_query, open_stage

PAGE = b"<!doctype html><html lang=en><title>Client</title><h1>The client has its answer</h1>"


@dataclass(slots=True)
class Live:
    """A running authorization server and what its client has been told."""

    issuer: str
    callback: str
    stage: Stage
    loop: asyncio.AbstractEventLoop
    told: list[str] = field(default_factory=list)

    def link(self, **changes: str | None) -> str:
        """The link an app opens in the browser."""
        return (
            f"{self.issuer}/authorize?{authorization_query(redirect_uri=self.callback, **changes)}"
        )

    def all(self, record: type[Any], **equal: Any) -> list[Any]:
        """What the server remembers."""
        work = self.stage.all(record, **equal)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def put(self, *records: Record) -> None:
        """Make the server remember something."""
        asyncio.run_coroutine_threadsafe(self.stage.put(*records), self.loop).result(10)


@contextmanager
def live(database: Path, template: Path) -> Iterator[Live]:
    """Serve the stage of the in-process tests over HTTP until the test is done."""
    shutil.copy(template, database)
    listening = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://localhost:{listening.getsockname()[1]}"
    ready: threading.Event = threading.Event()
    running: dict[str, Any] = {}

    async def serve() -> None:
        store = SqliteStore(str(database))
        stage = await open_stage(store, app_client(), policy=replace(POLICY, issuer=issuer))
        server = uvicorn.Server(uvicorn.Config(stage.app, log_level="warning", lifespan="off"))
        running.update(stage=stage, server=server, loop=asyncio.get_running_loop())
        ready.set()
        await server.serve(sockets=[listening])
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    with _callback() as (address, told):
        yield Live(issuer, address, running["stage"], running["loop"], told)
    running["server"].should_exit = True
    thread.join(20)


@contextmanager
def _callback() -> Iterator[tuple[str, list[str]]]:
    told: list[str] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/favicon"):
                self.send_error(404)
                return
            if self.path.startswith("/hops"):
                self.send_response(302)
                self.send_header("location", "/callback" + self.path.removeprefix("/hops"))
                self.end_headers()
                return
            told.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/callback", told
    server.shutdown()
    thread.join(5)
    server.server_close()
