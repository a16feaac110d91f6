"""The story of the demonstration, from a client that may do nothing to access taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcplatch.client.auth import LatchAuth
from mcplatch.client.drive import Person
from mcplatch.client.errors import SignInNeeded
from mcplatch.client.mcp_session import open_session
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Visit
from mcplatch.client.wallet import Wallet
from mcplatch.demo.narrator import Narrator
from mcplatch.moment import Moment, clock

if TYPE_CHECKING:
    from mcp import Client

MOST_LOOKS = 60
ASKING: Final = "A client calls get_time, and is told to ask a person first"
STEPPING_UP: Final = "The client calls admin-action, which needs more"
TAKING_BACK: Final = "You take it back"
ACTS: Final = (ASKING, STEPPING_UP, TAKING_BACK)
REQUIRED: Final = {
    ASKING: (
        "refused",
        "resource-metadata",
        "server-metadata",
        "registered",
        "authorization-request",
        "wrong-password",
        "signed-in",
        "allowed",
        "code-exchanged",
        "token-valid",
        "tool-called",
    ),
    STEPPING_UP: (
        "needs-more",
        "authorization-request",
        "allowed",
        "code-exchanged",
        "tool-called",
    ),
    TAKING_BACK: ("disconnected", "token-dead", "token-refused"),
}
SECONDS_OFF: Final = 5


class Reachable:
    """A `Person` who can go away: from then on nobody is there to be asked."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.away = False

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Raises `SignInNeeded` once the person is away."""
        if self.away:
            raise SignInNeeded(
                f"{server_url} wants a person to sign in again.",
                next_step="Start the demonstration again.",
                scope=scope,
            )
        self._person.ready(server_url, scope)

    async def listen(self, preferred: str | None) -> str:
        """As the person does."""
        return await self._person.listen(preferred)

    async def visit(self, visit: Visit) -> str:
        """As the person does."""
        return await self._person.visit(visit)

    async def close(self) -> None:
        """As the person does."""
        await self._person.close()


@dataclass(slots=True)
class Story:
    """One run of the story; `wrong` collects what should have happened and did not."""

    narrator: Narrator
    issuer: str
    server_url: str
    wallet_folder: Path
    wrong: list[str] = field(default_factory=list)

    def expects(self, what: str, happened: bool) -> None:
        """Note what was expected and did not happen."""
        if not happened:
            self.wrong.append(what)

    async def tell(self, person: Person, take_back: Callable[[str], Awaitable[None]]) -> None:
        """All three acts: `person` signs in and allows, `take_back` ends it at an issuer.

        Raises the client's `LatchError` where the story cannot go on.
        """
        reachable = Reachable(person)
        request = SignInRequest(self.server_url)
        auth = LatchAuth(request, self._wallet(), person=reachable, raises=False)
        async with AsyncExitStack() as session:
            self.narrator.act(1, ASKING)
            client = await session.enter_async_context(open_session(self.server_url, auth))
            told = await self._call(client, auth, "get_time")
            self.expects(
                "get_time tells the time", abs(told.get("timestamp", 0) - clock()) < SECONDS_OFF
            )
            self.narrator.answer(str(told.get("formatted", told)))
            self.narrator.act(2, STEPPING_UP)
            told = await self._call(client, auth, "admin-action")
            self.expects("admin-action says by whom it was allowed", "allowed_by" in told)
            self.narrator.answer(str(told.get("done", told)))
            self.narrator.act(3, TAKING_BACK)
            await take_back(self.issuer)
            reachable.away = True
            await self._refused(client, auth)

    async def _call(self, client: Client, auth: LatchAuth, tool: str) -> dict[str, Any]:
        """What `tool` answers, as an object; what stopped the client is raised."""
        try:
            result = await client.call_tool(tool, {})
        except Exception:
            if auth.trouble is not None:
                raise auth.trouble from None
            raise
        self.expects(f"{tool} answers", not result.is_error)
        text = next((part.text for part in result.content if part.type == "text"), "{}")
        found = json.loads(text) if not result.is_error else {}
        return found if isinstance(found, dict) else {}

    async def _refused(self, client: Client, auth: LatchAuth) -> None:
        """Two permissions were given, one in each act; a person may take back either first."""
        for look in range(MOST_LOOKS):
            try:
                await client.call_tool("get_time", {})
            except Exception:  # noqa: BLE001 - whatever the client makes of it, it got no answer
                self.expects("the client knows it has to sign in again", auth.trouble is not None)
                return
            if look == 0:
                self.narrator.say("It still has the other permission: press Disconnect there too.")
            await asyncio.sleep(1)
        self.wrong.append("get_time is refused after access was taken back")

    def _wallet(self) -> Wallet:
        """A wallet in the demonstration's own folder: the person's keyring is left alone."""
        key = Moment(clock()).secret()
        return Wallet(self.wallet_folder, store_key=key, find_keyring=lambda: None)
