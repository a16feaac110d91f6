"""What to do when the MCP server refuses a request: a pure decision (RFC 6750 section 3.1, CL-53,
CL-56).
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.client.credential import Credential
from mcplatch.protocol.challenge import Challenge
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import parse_scope

MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class PassOn:
    """Not a matter of tokens: the caller gets the answer as it is."""


@dataclass(frozen=True, slots=True)
class UseStored:
    """Another thread or process has a newer token: send that one."""


@dataclass(frozen=True, slots=True)
class WithNonce:
    """The server wants its nonce in the proof: send again with that (RFC 9449 section 9)."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Renew the token, then send again."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person has to sign in. `scope` is what to ask for, None for what the server says by
    default.
    """

    scope: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class StepUp:
    """The person has to allow more: `missing` is new, `scope` is all that has to be asked for."""

    missing: tuple[str, ...]
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again would go in circles. `why` is a sentence."""

    why: str


Move = PassOn | UseStored | WithNonce | Refresh | SignIn | StepUp | GiveUp


@dataclass(frozen=True, slots=True)
class Tried:
    """What has been done for this one request already; each thing is done once."""

    moves: tuple[type, ...] = ()

    def already(self, move: type) -> bool:
        """Whether `move` has been made."""
        return move in self.moves

    def and_now(self, move: Move) -> Tried:
        """This, with `move` added."""
        return Tried((*self.moves, type(move)))


def next_move(
    status: int,
    challenge: Challenge | None,
    *,
    sent: Credential | None,
    stored: Credential | None,
    tried: Tried,
) -> Move:
    """Decides by the answer (`status`, its Bearer `challenge`), the token that was sent, the token
    that is stored now, and what was tried: newer token, then refresh, then a person; each at most
    once.
    """
    insufficient = challenge is not None and challenge.get("error") == "insufficient_scope"
    needed = _scope_of(challenge)
    if status == 403 and insufficient:
        return _more_scope(needed, sent=sent, stored=stored, tried=tried)
    if status != 401:
        return PassOn()
    asks_for_nonce = challenge is not None and challenge.get("error") == "use_dpop_nonce"
    if asks_for_nonce and not tried.already(WithNonce):
        return WithNonce()
    if stored is not None and insufficient and needed:
        return _more_scope(needed, sent=sent, stored=stored, tried=tried)
    if _is_newer(sent, stored) and not tried.already(UseStored):
        return UseStored()
    if stored is not None and stored.refresh_token and not _spent(tried):
        return Refresh()
    if tried.already(SignIn) or tried.already(StepUp):
        return GiveUp("The server refuses the token that was just issued for it.")
    if stored is None:
        return SignIn(needed or None)
    return SignIn(_union(stored.scope, needed) or None)


def _more_scope(
    needed: tuple[str, ...], *, sent: Credential | None, stored: Credential | None, tried: Tried
) -> Move:
    granted = () if stored is None else stored.scope
    missing = tuple(scope for scope in needed if scope not in granted)
    if _is_newer(sent, stored) and not missing and not tried.already(UseStored):
        return UseStored()
    if not needed:
        return PassOn()
    if tried.already(StepUp):
        return GiveUp(f"More access was asked for once, and {' '.join(needed)} is still refused.")
    if not missing:
        return GiveUp(f"The server asks for {' '.join(needed)}, which was already granted.")
    return StepUp(missing, _union(granted, needed))


def _spent(tried: Tried) -> bool:
    return tried.already(Refresh) or tried.already(SignIn) or tried.already(StepUp)


def _is_newer(sent: Credential | None, stored: Credential | None) -> bool:
    return stored is not None and (sent is None or stored.access_token != sent.access_token)


def _union(*some: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(scope for scopes in some for scope in scopes))


def _scope_of(challenge: Challenge | None) -> tuple[str, ...]:
    scopes = parse_scope(challenge.get("scope")) if challenge is not None else ()
    return () if isinstance(scopes, Refusal) else scopes
