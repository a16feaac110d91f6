"""Puts the whole demonstration on stage: two servers, a client and a person, in one terminal."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from mcplatch.client import browser
from mcplatch.client.errors import LatchError
from mcplatch.client.person import LoopbackPerson
from mcplatch.demo import serving
from mcplatch.demo.account import Account
from mcplatch.demo.browser import NotShown
from mcplatch.demo.guarded import guarded
from mcplatch.demo.mcp_server import TOOLS, USER
from mcplatch.demo.narrator import Narrator
from mcplatch.demo.person import ACCOUNT_PATH, ScriptedPerson
from mcplatch.demo.rendezvous import Announced
from mcplatch.demo.steps import AUTHORIZATION_SERVER, MCP_SERVER
from mcplatch.demo.story import ACTS, REQUIRED, TAKING_BACK, Story
from mcplatch.demo.tap import Tap
from mcplatch.moment import Moment, clock

PORTS = (9000, 8001)
SETTLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is once the servers are up."""

    issuer: str
    server_url: str
    narrator: Narrator
    folder: Path


async def play_itself(
    console: Console, person: Account, ports: tuple[int, int] = PORTS
) -> list[str]:
    """The story with a scripted person; answers what did not happen, nothing if all went well."""
    async with _stage(console, person, ports) as stage:
        story = Story(stage.narrator, stage.issuer, stage.server_url, stage.folder)
        scripted = ScriptedPerson(person, story.expects)
        try:
            await story.tell(scripted, scripted.take_back)
        except (LatchError, NotShown) as stopped:
            story.wrong.append(str(stopped))
        finally:
            await scripted.leave()
        await asyncio.sleep(SETTLE_SECONDS)
        for act in ACTS:
            story.wrong += stage.narrator.missing(act, *REQUIRED[act])
        stage.narrator.verdict(story.wrong, sum(map(len, REQUIRED.values())))
        return story.wrong


async def play_with_person(
    console: Console,
    person: Account,
    *,
    open_browser: bool,
    until: Callable[[], Awaitable[None]],
) -> None:
    """The story with whoever sits at the terminal; then the servers go on `until` it returns.

    Raises the client's `LatchError` when nobody signs in.
    """
    async with _stage(console, person, PORTS) as stage:
        telling = asyncio.create_task(_told_to(stage, open_browser=open_browser))
        stopping = asyncio.ensure_future(until())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await telling
            stage.narrator.act(len(ACTS) + 1, "The servers go on running")
            stage.narrator.say(f"mcplatch call {stage.server_url} get_time")
            stage.narrator.say(f"mcplatch shell {stage.server_url}")
            stage.narrator.say("Ctrl-C ends them and forgets everything.", "dim")
            await stopping
        telling.cancel()


async def _told_to(stage: Stage, *, open_browser: bool) -> None:
    narrator = stage.narrator

    async def take_back(issuer: str) -> None:
        page = issuer + ACCOUNT_PATH
        narrator.say(f"Press Disconnect on {page}")
        if open_browser and browser.can_open():
            await browser.open_page(page)
        await narrator.wait_for(TAKING_BACK, "disconnected")

    narrator.say("You will be asked to sign in; mistype the password once to see what happens.")
    human = LoopbackPerson(open_browser=open_browser, say=partial(narrator.say, style="dim"))
    await Story(narrator, stage.issuer, stage.server_url, stage.folder).tell(human, take_back)


@asynccontextmanager
async def _stage(console: Console, person: Account, ports: tuple[int, int]) -> AsyncIterator[Stage]:
    """Both servers up, each looked on by the narrator; all of it gone at the end."""
    narrator = Narrator(console)
    narrator.title("mcplatch demo", "OAuth for MCP on this machine alone; nothing of it is kept")
    issuer_at, server_at = (_listener(port, narrator) for port in ports)
    issuer = serving.address_of(issuer_at)
    resource = f"{serving.address_of(server_at)}/mcp"
    announced = (Announced(resource, Moment(clock()).secret()),)
    app = guarded(issuer, resource, "streamable-http", secret=announced[0].secret)
    with tempfile.TemporaryDirectory(prefix="mcplatch-demo-") as folder:
        async with (
            serving.authorization_server(
                issuer_at,
                person,
                user_scope=USER,
                always=announced,
                look=lambda: (),
                wrap=lambda issuing: Tap(issuing, AUTHORIZATION_SERVER, narrator.hear),
            ),
            serving.resource_server(
                server_at, app, wrap=lambda protected: Tap(protected, MCP_SERVER, narrator.hear)
            ),
        ):
            _introduce(narrator, issuer, resource, person)
            yield Stage(issuer, resource, narrator, Path(folder))


def _introduce(narrator: Narrator, issuer: str, resource: str, person: Account) -> None:
    password = f"{person.password}   (made up for this run)" if person.made_up else "as you set it"
    narrator.facts(
        [
            ("authorization server", issuer),
            ("MCP server", resource),
            ("its tools", ", ".join(TOOLS)),
            ("sign in as", person.username),
            ("password", password),
        ]
    )


def _listener(port: int, narrator: Narrator) -> socket.socket:
    """The port of the demonstration, or a free one, said aloud, where another program has it."""
    try:
        return serving.listen(port)
    except serving.PortTaken:
        listener = serving.listen(0)
        free = listener.getsockname()[1]
        narrator.say(f"port {port} is in use here, so this one listens on {free}", "yellow")
        return listener
