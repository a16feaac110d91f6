"""One frozen view a page: all that a template may know (pages of RFC 6749 4.1, RFC 9700 4.16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcplatch.web.strangers import Piece

Effect = Literal["baseline", "read", "change", "delete"]
Target = Literal["loopback", "web", "program"]


@dataclass(frozen=True, slots=True)
class Site:
    """What every page shows of the server itself; from configuration, never from a request."""

    name: str
    host: str
    prefix: str
    stylesheet: str
    icon: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """Ask for a name and password; `app` and `server` say why, "" means to see the account."""

    app: str
    server: str
    action: str
    csrf: str
    username: str = ""
    problem: str = ""
    wait_seconds: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool as a consent page names it."""

    name: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """One tick box: a scope in words and the tools it opens."""

    scope: str
    sentence: str
    tools: tuple[ToolLine, ...] = ()
    ticked: bool = False
    locked: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True)
class ScopeGroup:
    """Tick boxes of one effect, in the order read, change, delete."""

    effect: Effect
    title: str
    lines: tuple[ScopeLine, ...]


@dataclass(frozen=True, slots=True)
class AccessChoice:
    """One radio button of "Keep access for"."""

    days: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """The question itself; RFC 9700 4.16 and the MCP security text name what must be on it."""

    app: str
    app_kind: str
    app_kind_note: str
    app_checked: bool
    server: str
    resource: str
    user: str
    target: Target
    target_host: str
    groups: tuple[ScopeGroup, ...]
    choices: tuple[AccessChoice, ...]
    action: str
    another_account: str
    csrf: str
    csrf_another: str
    client_id: str
    redirect_uri: str
    raw_scope: str
    offers_reading_only: bool = False
    last_allowed: str = ""
    look_alike: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Returning:
    """The way back to the app with an answer; a page, so that `form-action 'self'` can stay."""

    app: str
    address: str
    target: Target
    target_host: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The person said no: the app is told, and the person is told how to ask again."""

    app: str
    server: str
    address: str
    target: Target
    target_host: str
    again: str


@dataclass(frozen=True, slots=True)
class NoRedirect:
    """An authorization request whose sender cannot be trusted with an answer (RFC 6749 4.1.2.1)."""

    headline: str
    happened: str
    for_author: str
    expected: tuple[Piece, ...] = ()
    received: tuple[Piece, ...] = ()
    other_addresses: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """An error that is not sent on by itself to an address nobody vouches for (RFC 9700 4.11.2)."""

    app: str
    sentence: str
    address: str
    target_host: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An interaction that has its answer already."""

    app: str
    again: str
    address: str = ""
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An interaction that ran out, or never was."""


@dataclass(frozen=True, slots=True)
class NotHere:
    """A form or link that this browser did not start, or whose page is out of date."""

    headline: str
    happened: str
    advice: str
    onward: str = ""
    onward_label: str = ""


@dataclass(frozen=True, slots=True)
class OurFault:
    """Something broke here; the reference finds it in the log."""

    reference: str
    busy_seconds: int = 0


@dataclass(frozen=True, slots=True)
class AppCard:
    """One thing a person allowed: an app at a server."""

    grant_id: str
    app: str
    app_host: str
    server: str
    resource: str
    groups: tuple[ScopeGroup, ...]
    since: str
    last_used: str
    until: str


@dataclass(frozen=True, slots=True)
class ConnectedApps:
    """All that a person allowed and has not taken back."""

    user: str
    cards: tuple[AppCard, ...]
    csrf: str
    action: str
    sign_out: str
    minutes_left: int
    told: str = ""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Nobody is signed in here any more."""

    account: str


@dataclass(frozen=True, slots=True)
class Home:
    """What this address is, for somebody who typed it."""

    account: str
    user: str = ""


View = (
    SignIn
    | Consent
    | Returning
    | Denied
    | NoRedirect
    | Held
    | Answered
    | Ended
    | NotHere
    | OurFault
    | ConnectedApps
    | SignedOut
    | Home
)
