"""Runs a flow: takes each request it yields to the world and sends the reply back in.

There is one implementation of the I/O, for coroutines; a thread that has no event loop borrows one.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio

from mcplatch.client.errors import LatchError, SignInNeeded, sign_in_command
from mcplatch.client.http import OpenClient, open_client, send
from mcplatch.client.talk import Get, Listen, Post, Reply, Talk, Visit

T = TypeVar("T")


class Person(Protocol):
    """Somebody at a browser, or nobody."""

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Raises `SignInNeeded` when nobody can be asked, before anything is begun."""

    async def listen(self, preferred: str | None) -> str:
        """Gets ready for the browser to come back; answers the redirect URI."""

    async def visit(self, visit: Visit) -> str:
        """Sends the person to `visit.url`; answers the URL their browser came back to."""

    async def close(self) -> None:
        """Stops listening."""


class Nobody:
    """For flows in which no person may be asked."""

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Refuses."""
        raise SignInNeeded(
            f"{server_url} wants a person to sign in.",
            next_step=f"Run: {sign_in_command(server_url, scope)}",
            scope=scope,
        )

    async def listen(self, preferred: str | None) -> str:
        """Refuses; `ready` has said so before."""
        raise AssertionError("a flow without a person asked for one")

    async def visit(self, visit: Visit) -> str:
        """Refuses; `ready` has said so before."""
        raise AssertionError("a flow without a person asked for one")

    async def close(self) -> None:
        """Nothing to stop."""


async def drive(talk: Talk[T], person: Person, *, open_http: OpenClient = open_client) -> T:
    """The result of the flow. What goes wrong in the world is raised where the flow waits for
    it.
    """
    async with open_http() as client:
        try:
            request = next(talk)
            while True:
                try:
                    if isinstance(request, Get | Post):
                        reply = await send(client, request)
                    elif isinstance(request, Listen):
                        reply = Reply(await person.listen(request.preferred))
                    else:
                        reply = Reply(await person.visit(request))
                except LatchError as trouble:
                    request = talk.throw(trouble)
                else:
                    request = talk.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            talk.close()
            with anyio.CancelScope(shield=True):
                await person.close()


def in_a_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Runs `work` on an event loop of its own and waits: for callers that are not coroutines."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    async def run() -> None:
        outcome.append(await work())

    def target() -> None:
        try:
            anyio.run(run)
        except BaseException as trouble:  # noqa: BLE001  carried over to the caller's thread
            failure.append(trouble)

    thread = threading.Thread(target=target, name="mcplatch-client")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
