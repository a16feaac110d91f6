"""One account's sign-in at one MCP server: read, renewed, made and given back, one at a time (CL-53
to CL-55, CL-58).

Only a refresh or a sign-in holds a lock, never a request to the MCP server.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import anyio

from mcplatch.client.credential import Credential
from mcplatch.client.drive import Nobody, Person, drive
from mcplatch.client.errors import Denied, LatchError, ServerFault
from mcplatch.client.http import OpenClient, open_client
from mcplatch.client.lock import holding
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in import Hint, ask_server, sign_in, with_more_scope
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.tokens import GrantGone, refresh, revoke
from mcplatch.client.wallet import DEFAULT_ACCOUNT, Wallet

if TYPE_CHECKING:
    from mcplatch.client.program import Program

REFRESH_SECONDS = 60.0
# A sign-in waits for a person; another program that needs the same one waits for that.
SIGN_IN_SECONDS = 330.0


class Account:
    """What `LatchAuth` and the commands do with the wallet and the authorization server.

    person: who is turned to; `Nobody` for programs that may not ask.
    program: credentials of the program itself, used instead of a person.
    """

    def __init__(
        self,
        request: SignInRequest,
        wallet: Wallet,
        *,
        person: Person,
        name: str = DEFAULT_ACCOUNT,
        program: Program | None = None,
        senses: Senses | None = None,
        open_http: OpenClient = open_client,
    ) -> None:
        self.request = request
        self.wallet = wallet
        self.person = person
        self.name = name
        self.program = program
        self.senses = senses or Senses()
        self._open_http = open_http
        self._held: Credential | None = None
        self._version: tuple[int, int] | None = None

    def stored(self) -> Credential | None:
        """What the wallet holds now; read again only when its file has changed."""
        if self._held is not None and self.wallet.version_of(self._held) == self._version:
            return self._held
        self._hold(self.wallet.find(self.request.server_url, self.name))
        return self._held

    async def ready(self) -> Credential | None:
        """The sign-in to use now, renewed if it is about to end; None when there is none.

        Raises `Unreachable` when it has ended and cannot be renewed just now.
        """
        held = self.stored()
        if held is None or held.is_fresh(self.senses.clock()) or held.refresh_token is None:
            return held
        try:
            return await self.renew(held)
        except (ServerFault, Denied):
            # The server may have moved; whether the token still does is for the MCP server to say.
            return held
        except LatchError:
            # Trouble at the authorization server is no reason to stop while the token still lives.
            if held.expires_at is not None and held.expires_at > self.senses.clock():
                return held
            raise

    async def renew(self, seen: Credential) -> Credential | None:
        """Refreshes, unless somebody has since `seen` was read; None when the grant is gone.

        New tokens are stored before anybody uses them, and a caller who gives up waiting does not
        stop that: the server has already replaced the old ones.
        """
        path = self.wallet.lock_path(self.request.server_url, self.name, "refresh")
        done: list[Credential | None] = []
        async with holding(path, seconds=REFRESH_SECONDS):
            with anyio.CancelScope(shield=True):
                done.append(await self._renew_alone(seen))
        return done[0]

    async def sign_in(
        self,
        hint: Hint | None,
        scope: tuple[str, ...] | None = None,
        *,
        seen: Credential | None = None,
    ) -> Credential:
        """Turns to the person (or uses the program's own credentials) and stores what comes of it.

        scope: what to ask for; None for the request's own. `seen` is what was held when this became
        necessary: a sign-in that somebody else has completed meanwhile is used instead.
        """
        if self.program is None:
            self.person.ready(self.request.server_url, scope or self.request.scope or ())
        path = self.wallet.lock_path(self.request.server_url, self.name, "sign-in")
        async with holding(path, seconds=SIGN_IN_SECONDS):
            stored = self.stored()
            newer = stored is not None and (
                seen is None or stored.access_token != seen.access_token
            )
            if stored is not None and newer and set(scope or ()) <= set(stored.scope):
                return stored
            with _request_clock_stopped():
                credential = await self._sign_in_alone(hint, scope, stored)
            self.wallet.keep(credential)
            self._hold(credential)
            return credential

    async def check_signed_in(self) -> None:
        """Raises `SignInNeeded` when nothing is held and the server does ask for a sign-in."""
        if self.stored() is not None:
            return
        talk = ask_server(self.request)
        if await drive(talk, Nobody(), open_http=self._open_http) is not None:
            Nobody().ready(self.request.server_url, self.request.scope or ())

    async def log_in(self, scope: tuple[str, ...] | None = None) -> Credential:
        """Signs in now, whatever is held: asks the server how, turns to the person, stores tokens.

        Raises `NoSignInNeeded` when the server is open to everybody.
        """
        if self.program is None:
            self.person.ready(self.request.server_url, scope or self.request.scope or ())
        hint = await drive(ask_server(self.request), Nobody(), open_http=self._open_http)
        return await self.sign_in(hint, scope, seen=self.stored())

    async def log_out(self) -> tuple[str, ...] | None:
        """Revokes and forgets; answers what the server took back, None when nothing was held.

        What is stored here goes in any case; then trouble at the server is raised (CL-58).
        """
        held = self.stored()
        if held is None:
            return None
        try:
            return await drive(revoke(held), Nobody(), open_http=self._open_http)
        finally:
            self.wallet.forget(held)
            self._hold(None)

    async def _renew_alone(self, seen: Credential) -> Credential | None:
        stored = self.stored()
        if stored is None or stored.refresh_token is None:
            return None
        if stored.access_token != seen.access_token:
            return stored
        talk = refresh(stored, self.senses)
        renewed = await drive(talk, Nobody(), open_http=self._open_http)
        if isinstance(renewed, GrantGone):
            # Somebody may have written without the lock: look once more before anything is dropped.
            again = self.wallet.find(self.request.server_url, self.name)
            if again is not None and again.refresh_token != stored.refresh_token:
                self._hold(again)
                return again
            self.wallet.forget(stored)
            self._hold(None)
            return None
        self.wallet.keep(renewed)
        self._hold(renewed)
        return renewed

    async def _sign_in_alone(
        self, hint: Hint | None, scope: tuple[str, ...] | None, held: Credential | None
    ) -> Credential:
        request = self.request if scope is None else with_more_scope(self.request, scope)
        if self.program is not None:
            from mcplatch.client.program import sign_in_as_program

            talk = sign_in_as_program(
                request, hint or Hint(), self.program, self.senses, account=self.name
            )
        else:
            talk = sign_in(request, hint, self.wallet, self.senses, held=held, account=self.name)
        return await drive(talk, self.person, open_http=self._open_http)

    def _hold(self, credential: Credential | None) -> None:
        self._held = credential
        self._version = None if credential is None else self.wallet.version_of(credential)


def _request_clock_stopped() -> AbstractContextManager[None]:
    """While a person signs in, the time limit the `mcp` client put on the server stands still.

    The hook is not public there; without it the only loss is that a slow person meets that limit.
    """
    module = sys.modules.get("mcp.shared._request_clock")
    pause: Callable[[], AbstractContextManager[None]] | None = getattr(
        module, "waiting_on_a_person", None
    )
    return nullcontext() if pause is None else pause()
