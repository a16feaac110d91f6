"""Bearer authentication for httpx2 that signs in, refreshes and steps up by itself (RFC 6750, CL-50
to CL-56).

No lock is held while a request to the MCP server is under way: only a refresh or a sign-in is one
at a time, across tasks, threads and processes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import anyio
import httpx2

from mcplatch.client.credential import Credential
from mcplatch.client.discover import bearer_challenge
from mcplatch.client.drive import Nobody, Person, drive, in_a_thread
from mcplatch.client.errors import Denied, LatchError, sign_in_command
from mcplatch.client.http import OpenClient, open_client
from mcplatch.client.lock import holding
from mcplatch.client.sign_in import Hint, Senses, hint_of, sign_in, with_more_scope
from mcplatch.client.sign_in_request import SignInRequest, origin_of
from mcplatch.client.step_up import (
    MOST_ATTEMPTS,
    GiveUp,
    Move,
    PassOn,
    Refresh,
    SignIn,
    StepUp,
    Tried,
    next_move,
)
from mcplatch.client.talk import Reply
from mcplatch.client.tokens import GrantGone, refresh
from mcplatch.client.wallet import DEFAULT_ACCOUNT, LOCK_SECONDS, Wallet
from mcplatch.protocol.challenge import Challenge

if TYPE_CHECKING:
    from mcplatch.client.client_credentials import ClientCredentials

StepUpQuestion = Callable[[StepUp], bool | Awaitable[bool]]

# A sign-in waits for a person; another program that needs the same one waits for that.
SIGN_IN_SECONDS = 330.0


class LatchAuth(httpx2.Auth):
    """Pass it as `auth=` to `mcp`'s `create_mcp_http_client`, `fastmcp.Client` or httpx2 itself.

    interactive: False never turns to a person; `SignInNeeded` is raised with the command to run.
    person: who is asked to sign in; a browser on this machine by default.
    on_step_up: asked before more access is requested; False declines with `Denied`.
    raises: False hands the caller the server's refusal instead of raising; `trouble` says why.

    Raises the `LatchError`s of `mcplatch.client.errors` out of the request they concern.
    """

    def __init__(
        self,
        request: SignInRequest,
        wallet: Wallet,
        *,
        account: str = DEFAULT_ACCOUNT,
        interactive: bool = True,
        person: Person | None = None,
        on_step_up: StepUpQuestion | None = None,
        client_credentials: ClientCredentials | None = None,
        raises: bool = True,
        senses: Senses | None = None,
        open_http: OpenClient = open_client,
    ) -> None:
        self.request = request
        self.wallet = wallet
        self.account = account
        self.trouble: LatchError | None = None
        self._person = _person_for(interactive, person)
        self._on_step_up = on_step_up
        self._program = client_credentials
        self._raises = raises
        self._senses = senses or Senses()
        self._open_http = open_http
        self._origin = origin_of(request.server_url)
        self._held: Credential | None = None
        self._version: tuple[int, int] | None = None
        self._step_ups: dict[tuple[str, ...], int] = {}

    # -- httpx2 -----------------------------------------------------------------------------------

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Sends `request` with a token, mends what can be mended, sends it again."""
        if not self._is_ours(request.url):
            yield request
            return
        sent, tried = await self.ready(), Tried()
        while True:
            _attach(request, sent)
            response = yield request
            move = self._move(response, sent, tried)
            if isinstance(move, PassOn):
                return
            tried = tried.and_now(move)
            try:
                sent = await self._make(move, response, sent)
            except LatchError as trouble:
                self.trouble = trouble
                if self._raises:
                    raise
                return

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """The same for `httpx2.Client`; what waits runs on a thread of its own."""
        if not self._is_ours(request.url):
            yield request
            return
        sent, tried = in_a_thread(self.ready), Tried()
        while True:
            _attach(request, sent)
            response = yield request
            move = self._move(response, sent, tried)
            if isinstance(move, PassOn):
                return
            tried = tried.and_now(move)
            before, refused = sent, response
            try:
                sent = in_a_thread(lambda: self._make(move, refused, before))  # noqa: B023
            except LatchError as trouble:
                self.trouble = trouble
                if self._raises:
                    raise
                return

    # -- what it is made of ------------------------------------------------------------------------

    async def ready(self) -> Credential | None:
        """The sign-in to use now, renewed if it is about to end; None when there is none.

        Raises `Unreachable` or `ServerFault` when it has ended and cannot be renewed just now.
        """
        held = self._stored()
        if held is None or held.is_fresh(self._senses.clock()):
            return held
        if held.refresh_token is None:
            return held
        try:
            return await self.renew(held)
        except LatchError:
            # Trouble at the authorization server is no reason to stop while the token still lives.
            if held.expires_at is not None and held.expires_at > self._senses.clock():
                return held
            raise

    async def renew(self, seen: Credential) -> Credential | None:
        """Refreshes, unless somebody else has since `seen` was read; None when the grant is gone.

        New tokens are stored before anybody uses them, and a caller who gives up waiting does not
        stop that: the server has already replaced the old ones.
        """
        path = self.wallet.lock_path(self.request.server_url, self.account, "refresh")
        async with holding(path, seconds=LOCK_SECONDS):
            done: list[Credential | None] = []
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
        if self._program is None:
            self._person.ready(self.request.server_url, scope or self.request.scope or ())
        path = self.wallet.lock_path(self.request.server_url, self.account, "sign-in")
        async with holding(path, seconds=SIGN_IN_SECONDS):
            stored = self._stored()
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

    async def _renew_alone(self, seen: Credential) -> Credential | None:
        stored = self._stored()
        if stored is None or stored.refresh_token is None:
            return None
        if stored.access_token != seen.access_token:
            return stored
        renewed = await self._drive_refresh(stored)
        if isinstance(renewed, GrantGone):
            # Somebody may have written without the lock: look once more before anything is dropped.
            again = self._stored()
            if again is not None and again.refresh_token != stored.refresh_token:
                return again
            self.wallet.forget(stored)
            self._hold(None)
            return None
        self.wallet.keep(renewed)
        self._hold(renewed)
        return renewed

    async def _drive_refresh(self, stored: Credential) -> Credential | GrantGone:
        talk = refresh(stored, now=self._senses.clock())
        return await drive(talk, Nobody(), open_http=self._open_http)

    async def _sign_in_alone(
        self, hint: Hint | None, scope: tuple[str, ...] | None, held: Credential | None
    ) -> Credential:
        request = self.request if scope is None else with_more_scope(self.request, scope)
        if self._program is not None:
            from mcplatch.client.client_credentials import sign_in_as_program

            talk = sign_in_as_program(
                request, hint or Hint(), self._program, self._senses, account=self.account
            )
        else:
            talk = sign_in(
                request, hint, self.wallet, self._senses, held=held, account=self.account
            )
        return await drive(talk, self._person, open_http=self._open_http)

    # -- after a refusal ---------------------------------------------------------------------------

    def _move(self, response: httpx2.Response, sent: Credential | None, tried: Tried) -> Move:
        # A redirect may have led elsewhere: another server's refusal is none of this one's
        # business.
        if response.status_code not in (401, 403) or not self._is_ours(response.request.url):
            return PassOn()
        challenge = _challenge_of(response)
        return next_move(
            response.status_code, challenge, sent=sent, stored=self._stored(), tried=tried
        )

    async def _make(
        self, move: Move, response: httpx2.Response, sent: Credential | None
    ) -> Credential | None:
        challenge = _challenge_of(response)
        hint = hint_of(
            challenge.get("resource_metadata") if challenge else None,
            challenge.get("scope") if challenge else None,
        )
        if isinstance(move, Refresh) and sent is not None:
            return await self.renew(sent)
        if isinstance(move, SignIn):
            return await self.sign_in(hint, move.scope, seen=sent)
        if isinstance(move, StepUp):
            return await self._step_up(move, hint, sent)
        if isinstance(move, GiveUp):
            server_url = self.request.server_url
            raise Denied(
                move.why, next_step=f"Look at what you hold: mcplatch status; server: {server_url}"
            )
        return self._stored()

    async def _step_up(self, move: StepUp, hint: Hint, sent: Credential | None) -> Credential:
        command = sign_in_command(self.request.server_url, move.scope)
        asked = self._step_ups.get(move.missing, 0)
        if asked >= MOST_ATTEMPTS:
            raise Denied(
                f"{' '.join(move.missing)} was asked for {asked} times and not granted.",
                next_step=f"To ask again: {command}",
                error="insufficient_scope",
            )
        self._person.ready(self.request.server_url, move.scope)
        if self._on_step_up is not None and not await _ask(self._on_step_up, move):
            raise Denied(
                f"This needs {' '.join(move.missing)}, which was not asked for.",
                next_step=f"To allow it: {command}",
                error="insufficient_scope",
            )
        self._step_ups[move.missing] = asked + 1
        return await self.sign_in(hint, move.scope, seen=sent)

    # -- the stored sign-in ------------------------------------------------------------------------

    def _stored(self) -> Credential | None:
        """What the wallet holds now; read again only when its file has changed."""
        if self._held is not None and self.wallet.version_of(self._held) == self._version:
            return self._held
        self._hold(self.wallet.find(self.request.server_url, self.account))
        return self._held

    def _hold(self, credential: Credential | None) -> None:
        self._held = credential
        self._version = None if credential is None else self.wallet.version_of(credential)

    def _is_ours(self, url: httpx2.URL) -> bool:
        """Whether the token may go to `url`: the server's own origin, nowhere else (CL-50)."""
        return origin_of(str(url)) == self._origin


def _person_for(interactive: bool, person: Person | None) -> Person:
    if not interactive:
        return Nobody()
    if person is not None:
        return person
    from mcplatch.client.person import LoopbackPerson

    return LoopbackPerson()


def _attach(request: httpx2.Request, credential: Credential | None) -> None:
    if credential is None:
        request.headers.pop("authorization", None)
    else:
        request.headers["authorization"] = f"Bearer {credential.access_token}"


def _challenge_of(response: httpx2.Response) -> Challenge | None:
    headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    return bearer_challenge(Reply(str(response.request.url), response.status_code, headers))


async def _ask(question: StepUpQuestion, move: StepUp) -> bool:
    answer = question(move)
    return bool(await answer) if inspect.isawaitable(answer) else bool(answer)


def _request_clock_stopped() -> AbstractContextManager[None]:
    """While a person signs in, the time limit the `mcp` client put on the server stands still.

    The hook is not public there; without it the only loss is that a slow person meets that limit.
    """
    module = sys.modules.get("mcp.shared._request_clock")
    pause: Callable[[], AbstractContextManager[None]] | None = getattr(
        module, "waiting_on_a_person", None
    )
    return nullcontext() if pause is None else pause()
