"""The interactive session: lists and calls tools, asks before it asks for more (CL-56).

The session runs on a thread of its own; this one reads what is typed, so that Ctrl-C ends a call,
or the shell, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mcplatch.client.account import Account
from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import (
    LatchError,
    NoSignInNeeded,
    ServerFault,
    SignInNeeded,
    Unreachable,
)
from mcplatch.client.mcp_session import Transport, is_connection_lost, open_session
from mcplatch.client.show import result_lines, sign_in_lines, tool_lines
from mcplatch.client.terminal import plain
from mcplatch.moment import clock

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")

PROMPT = "mcp> "
COMMANDS = "Commands: list, call, help, quit"
HELP = """\
list                 the tools this server offers you
call <tool> [json]   call one, for example: call calculator {"expression": "6*7"}
whoami               who you are signed in as
scopes               what you may do here
login                sign in again
logout               give your access back
quit                 leave (so does Ctrl-D)"""

Read = Callable[[str], str]
Say = Callable[[str], None]


@dataclass
class Shell:
    """One server, one account, one person at a keyboard.

    account: signs the person in; its `Person` opens the browser.
    read: asks for a line, raises EOFError at the end; say: shows a line.
    """

    account: Account
    read: Read
    say: Say
    transport: Transport = "auto"
    _open: tuple[Client, LatchAuth] | None = field(default=None, init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _portal: BlockingPortal | None = field(default=None, init=False)

    def run(self) -> None:
        """Until the person leaves. Raises `LatchError` when there is no session to begin with."""
        with start_blocking_portal() as portal, ExitStack() as stack:
            self._portal, self._stack = portal, stack
            self._begin()
            self.say(f"Connected to {self.account.request.server_url}. {COMMANDS}")
            try:
                self._converse()
            finally:
                self._disconnect()

    def _converse(self) -> None:
        while True:
            try:
                line = self.read(PROMPT).strip()
            except (EOFError, KeyboardInterrupt):
                self.say("")
                return
            if line in ("quit", "exit", "q"):
                return
            if line:
                self._obey(line)

    def _obey(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        action = self._actions().get(word)
        if action is None:
            self.say(f"There is no command {plain(word)}. {COMMANDS}")
            return
        try:
            action(rest.strip())
        except KeyboardInterrupt:
            self.say("stopped")
            self._disconnect()
        except LatchError as trouble:
            self._tell(trouble)
            self._disconnect()
        except Exception as trouble:  # noqa: BLE001  a server's odd answer must not end the shell
            self.say(f"The server answered with an error: {plain(str(trouble))}")

    def _actions(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "list": self._list,
            "call": self._call,
            "whoami": self._whoami,
            "scopes": self._scopes,
            "login": self._login,
            "logout": self._logout,
            "help": lambda _: self.say(HELP),
        }

    # -- commands ---------------------------------------------------------------------------------

    def _list(self, _: str) -> None:
        tools = self._with_more_access(lambda client: client.list_tools())
        if tools is not None:
            for line in tool_lines(tools.tools):
                self.say(line)

    def _call(self, rest: str) -> None:
        name, _, text = rest.partition(" ")
        if not name:
            self.say('Which tool? For example: call get_time {"timezone": "UTC"}')
            return
        try:
            arguments = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as wrong:
            self.say(f"The arguments are not JSON: {wrong}")
            return
        if not isinstance(arguments, dict):
            self.say('The arguments must be a JSON object, for example: {"expression": "6*7"}')
            return
        result = self._with_more_access(lambda client: client.call_tool(name, arguments))
        if result is not None:
            for line in result_lines(result):
                self.say(line)

    def _whoami(self, _: str) -> None:
        held = self.account.stored()
        lines = ["You are not signed in."] if held is None else sign_in_lines(held, now=clock())
        for line in lines:
            self.say(line)

    def _scopes(self, _: str) -> None:
        held = self.account.stored()
        for scope in ["(none)"] if held is None or not held.scope else held.scope:
            self.say(plain(scope))

    def _login(self, _: str) -> None:
        try:
            self._wait(self.account.log_in)
        except NoSignInNeeded as open_server:
            self.say(open_server.what)
            return
        self._disconnect()
        self.say("Signed in.")

    def _logout(self, _: str) -> None:
        self._disconnect()
        taken = self._wait(self.account.log_out)
        if taken is None:
            self.say("You were not signed in.")
            return
        back = "The server took" if taken else "The server did not take"
        told = f"{back} your access back."
        self.say(f"Signed out. {told}")

    # -- the session ------------------------------------------------------------------------------

    def _with_more_access(self, ask: Callable[[Client], Coroutine[Any, Any, T]]) -> T | None:
        """The answer to `ask`, after asking for more access if it takes that; None when
        declined.
        """
        try:
            return self._try(ask)
        except SignInNeeded as needed:
            if not self._agreed(needed):
                return None
            scope = needed.scope or None
            self._wait(lambda: self.account.log_in(scope))
            # A session belongs to the sign-in that opened it.
            self._disconnect()
        return self._try(ask)

    def _try(self, ask: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        client, auth = self._connected()
        auth.trouble = None
        try:
            return self._wait(lambda: ask(client))
        except LatchError:
            raise
        except Exception as trouble:
            if auth.trouble is not None:
                raise auth.trouble from trouble
            if is_connection_lost(trouble):
                raise self._disconnect() or _lost(self.account.request.server_url) from trouble
            raise

    def _agreed(self, needed: SignInNeeded) -> bool:
        missing = [plain(scope) for scope in needed.missing]
        if missing:
            many = "permission" if len(missing) == 1 else "permissions"
            self.say(f"This needs {len(missing)} more {many}: {', '.join(missing)}")
            question = "Open the browser and ask for it? [Y/n] "
        else:
            self.say(needed.what)
            question = "Sign in now? [Y/n] "
        try:
            return self.read(question).strip().lower() in ("", "y", "yes")
        except EOFError:
            return False

    def _begin(self) -> None:
        """Connects; whoever starts a shell wants to sign in if that is what it takes."""
        try:
            self._connected()
        except SignInNeeded:
            self._wait(self.account.log_in)
            self._connected()

    def _connected(self) -> tuple[Client, LatchAuth]:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> tuple[Client, LatchAuth]:
        assert self._portal is not None
        account = self.account
        auth = LatchAuth(
            account.request, account.wallet, account=account.name, interactive=False, raises=False
        )
        session = open_session(account.request.server_url, auth, transport=self.transport)
        try:
            client = self._stack.enter_context(self._portal.wrap_async_context_manager(session))
        except LatchError:
            raise
        except Exception as trouble:
            if auth.trouble is not None:
                raise auth.trouble from trouble
            raise ServerFault(
                f"{account.request.server_url} does not answer as an MCP server "
                f"({plain(str(trouble))}).",
                next_step="Check the address.",
            ) from trouble
        return client, auth

    def _disconnect(self) -> LatchError | None:
        """Ends the session; answers why it had ended by itself, if it had."""
        self._open = None
        try:
            self._stack.close()
        except LatchError as trouble:
            return trouble
        except Exception:  # noqa: BLE001  the session is over, whatever its end has to say
            return None
        return None

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        assert self._portal is not None
        future = self._portal.start_task_soon(work)
        try:
            result: T = future.result()
            return result
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _tell(self, trouble: LatchError) -> None:
        self.say(plain(trouble.what))
        self.say(f"  next: {plain(trouble.next_step)}")


def _lost(server_url: str) -> Unreachable:
    return Unreachable(
        f"The connection to {server_url} was lost.", next_step="Try again; it reconnects by itself."
    )
