"""What can go wrong for the person at a client, as types; each says what to do next.

LatchError
  SignInNeeded        exit 3   a person has to sign in, and this program may not ask them to
  Denied              exit 4   somebody said no: the person, the server, or this client's own checks
    Untrusted                  what a server answered fails a check that protects the person
  Unreachable         exit 5   the network, or a server that does not answer
  ServerFault         exit 6   a server answered with something that is not OAuth
  WalletTrouble       exit 2   the stored tokens cannot be read or written
"""

from __future__ import annotations


class LatchError(Exception):
    """Something the person at the client has to know. `what` happened; `next_step` mends it."""

    exit_code = 6

    def __init__(self, what: str, *, next_step: str) -> None:
        super().__init__(f"{what} {next_step}")
        self.what = what
        self.next_step = next_step


class NoSignInNeeded(LatchError):
    """The server neither asks for a sign-in nor describes one."""

    exit_code = 0


class SignInNeeded(LatchError):
    """A person has to sign in. `scope` is what would have to be asked for, `missing` what is new in
    it.
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        next_step: str,
        scope: tuple[str, ...] = (),
        missing: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, next_step=next_step)
        self.scope = scope
        self.missing = missing


class Denied(LatchError):
    """The answer is no. `error` is the OAuth error code where there was one."""

    exit_code = 4

    def __init__(self, what: str, *, next_step: str, error: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.error = error


class Untrusted(Denied):
    """An answer that fails a check made for the person's safety; nothing was sent on."""


class Unreachable(LatchError):
    """No answer: network, name resolution, time limit, or a server that says it is busy."""

    exit_code = 5


class ServerFault(LatchError):
    """An answer that is not what the protocol allows. `error` is the OAuth error code, if any."""

    exit_code = 6

    def __init__(self, what: str, *, next_step: str, error: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.error = error


class WalletTrouble(LatchError):
    """The wallet cannot be opened, read or written."""

    exit_code = 2


def sign_in_command(server_url: str, scope: tuple[str, ...] = ()) -> str:
    """The command that signs a person in to `server_url`, ready to copy."""
    words = ["mcplatch login", _quoted(server_url)]
    if scope:
        words.append(f"--scope {_quoted(' '.join(scope))}")
    return " ".join(words)


def _quoted(text: str) -> str:
    plain = text.isascii() and not set(text) & set(" \t\n\"'`$&|;<>()*?[]#~!\\{}")
    return text if plain and text else "'" + text.replace("'", "'\\''") + "'"
