"""One frozen view a page: all that a template may know (pages of RFC 6749 4.1, RFC 9700 4.16)."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from typing import Literal

Effect = Literal["baseline", "read", "change", "delete"]
Target = Literal["loopback", "web", "program"]

NAME_LIMIT = 60
ADDRESS_LIMIT = 400
MARK_RUN_LIMIT = 2


def shown(text: str | None, *, limit: int = NAME_LIMIT) -> str:
    """Make a stranger's text safe to look at: one line, no control or direction characters.

    Escaping for HTML is the template's; this removes what escaping cannot (AS-148): characters
    that reorder, hide or stack text. Returns at most `limit` characters, "" when nothing is left.
    """
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text or ""):
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if category.startswith("Z") or character in "\t\r\n":
            kept.append(" ")
        elif not category.startswith("C") and marks <= MARK_RUN_LIMIT:
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def app_name(text: str | None) -> str:
    """Name a client chose for itself, or an honest stand-in where it chose none."""
    return shown(text) or "An app without a name"


def initial(name: str) -> str:
    """First letter or digit of a name, for the badge that stands where a logo would (AS-74)."""
    return next((character.upper() for character in name if character.isalnum()), "?")


def compare(expected: str, received: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Cut two addresses into pieces that agree and pieces that differ, for the author's eyes."""
    left, right = expected[:ADDRESS_LIMIT], received[:ADDRESS_LIMIT]
    first: list[Piece] = []
    second: list[Piece] = []
    blocks = difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for verdict, left_from, left_to, right_from, right_to in blocks:
        same = verdict == "equal"
        if left_to > left_from:
            first.append(Piece(left[left_from:left_to], same))
        if right_to > right_from:
            second.append(Piece(right[right_from:right_to], same))
    return tuple(first), tuple(second)


def nearest(registered: tuple[str, ...], received: str) -> str | None:
    """The registered address most like the received one; None where none is registered."""
    limited = received[:ADDRESS_LIMIT]

    def likeness(uri: str) -> float:
        return difflib.SequenceMatcher(None, uri[:ADDRESS_LIMIT], limited, autojunk=False).ratio()

    return max(registered[:20], key=likeness, default=None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an address and whether the other address has it too."""

    text: str
    same: bool


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
