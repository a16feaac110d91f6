"""Bearer authentication for httpx2 that signs in, refreshes and steps up by itself (RFC 6750, CL-50
to CL-56)."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

import httpx2

from mcplatch.client.account import Account
from mcplatch.client.credential import Credential
from mcplatch.client.discover import token_challenge
from mcplatch.client.drive import Nobody, Person, in_a_thread
from mcplatch.client.errors import Denied, LatchError, ServerFault, SignInNeeded, sign_in_command
from mcplatch.client.http import OpenClient, open_client
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in import Hint, hint_of
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
    WithNonce,
    next_move,
)
from mcplatch.client.talk import Reply
from mcplatch.client.wallet import DEFAULT_ACCOUNT, Wallet
from mcplatch.protocol.challenge import Challenge

if TYPE_CHECKING:
    from mcplatch.client.program import Program

StepUpQuestion = Callable[[StepUp], bool | Awaitable[bool]]


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
        program: Program | None = None,
        raises: bool = True,
        senses: Senses | None = None,
        open_http: OpenClient = open_client,
    ) -> None:
        self.request = request
        self.account = Account(
            request,
            wallet,
            person=_person_for(interactive, person),
            name=account,
            program=program,
            senses=senses,
            open_http=open_http,
        )
        self.trouble: LatchError | None = None
        self._interactive = interactive
        self._on_step_up = on_step_up
        self._raises = raises
        self._origin = origin_of(request.server_url)
        self._nonce: str | None = None
        self._step_ups: dict[tuple[str, ...], int] = {}

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Sends `request` with a token, mends what can be mended, sends it again."""
        if not self._is_ours(request.url):
            yield request
            return
        sent, tried = await self.account.ready(), Tried()
        while True:
            self._attach(request, sent)
            response = yield request
            self._keep_nonce(response)
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
        sent, tried = in_a_thread(self.account.ready), Tried()
        while True:
            self._attach(request, sent)
            response = yield request
            self._keep_nonce(response)
            move = self._move(response, sent, tried)
            if isinstance(move, PassOn):
                return
            tried = tried.and_now(move)
            try:
                sent = in_a_thread(partial(self._make, move, response, sent))
            except LatchError as trouble:
                self.trouble = trouble
                if self._raises:
                    raise
                return

    def _move(self, response: httpx2.Response, sent: Credential | None, tried: Tried) -> Move:
        # A redirect may have led elsewhere: another server's refusal is no business of this one's.
        if response.status_code not in (401, 403) or not self._is_ours(response.request.url):
            return PassOn()
        return next_move(
            response.status_code,
            _challenge_of(response),
            sent=sent,
            stored=self.account.stored(),
            tried=tried,
        )

    async def _make(
        self, move: Move, response: httpx2.Response, sent: Credential | None
    ) -> Credential | None:
        hint = hint_of(_challenge_of(response))
        if isinstance(move, WithNonce):
            return sent
        if isinstance(move, Refresh) and sent is not None:
            return await self._renew(sent, hint)
        if isinstance(move, SignIn):
            return await self.account.sign_in(hint, move.scope, seen=sent)
        if isinstance(move, StepUp):
            return await self._step_up(move, hint, sent)
        if isinstance(move, GiveUp):
            raise Denied(move.why, next_step="Look at what you hold: mcplatch status")
        return self.account.stored()

    async def _renew(self, sent: Credential, hint: Hint) -> Credential | None:
        try:
            return await self.account.renew(sent)
        except (ServerFault, Denied):
            # An endpoint that is gone, or a client it no longer knows: a sign-in finds the new
            # ones.
            if not self._interactive:
                raise
            scope = tuple(dict.fromkeys((*sent.scope, *(hint.scope or ())))) or None
            return await self.account.sign_in(hint, scope, seen=sent)

    async def _step_up(self, move: StepUp, hint: Hint, sent: Credential | None) -> Credential:
        command = sign_in_command(self.request.server_url, move.scope)
        asked = self._step_ups.get(move.missing, 0)
        if not self._interactive:
            raise SignInNeeded(
                f"This needs more access: {' '.join(move.missing)}.",
                next_step=f"Run: {command}",
                scope=move.scope,
                missing=move.missing,
            )
        if asked >= MOST_ATTEMPTS:
            raise Denied(
                f"{' '.join(move.missing)} was asked for {asked} times and not granted.",
                next_step=f"To ask again: {command}",
                error="insufficient_scope",
            )
        self.account.person.ready(self.request.server_url, move.scope)
        if self._on_step_up is not None and not await _ask(self._on_step_up, move):
            raise Denied(
                f"This needs {' '.join(move.missing)}, which was not asked for.",
                next_step=f"To allow it: {command}",
                error="insufficient_scope",
            )
        self._step_ups[move.missing] = asked + 1
        return await self.account.sign_in(hint, move.scope, seen=sent)

    def _attach(self, request: httpx2.Request, credential: Credential | None) -> None:
        request.headers.pop("authorization", None)
        request.headers.pop("dpop", None)
        if credential is None:
            return
        prover = credential.prover(self.account.senses)
        scheme, token = ("Bearer" if prover is None else "DPoP"), credential.access_token
        request.headers["authorization"] = f"{scheme} {token}"
        if prover is not None:
            request.headers["dpop"] = prover.proof(
                request.method, str(request.url), nonce=self._nonce, token=token
            )

    def _keep_nonce(self, response: httpx2.Response) -> None:
        if self._is_ours(response.request.url) and "dpop-nonce" in response.headers:
            self._nonce = response.headers["dpop-nonce"]

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


def _challenge_of(response: httpx2.Response) -> Challenge | None:
    headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    return token_challenge(Reply(str(response.request.url), response.status_code, headers))


async def _ask(question: StepUpQuestion, move: StepUp) -> bool:
    answer = question(move)
    return bool(await answer) if inspect.isawaitable(answer) else bool(answer)
