"""Every page with sample contents, so that it can be looked at and measured without a server."""

from __future__ import annotations

from mcplatch.web.render import open_site
from mcplatch.web.strangers import compare
from mcplatch.web.views import (
    AccessChoice,
    Answered,
    AppCard,
    ConnectedApps,
    Consent,
    Denied,
    Ended,
    Held,
    Home,
    NoRedirect,
    NotHere,
    OurFault,
    Returning,
    ScopeGroup,
    ScopeLine,
    SignedOut,
    SignIn,
    Site,
    ToolLine,
    View,
)

SITE: Site = open_site("https://auth.example.com", "Example Works")
LOOPBACK = "http://localhost:53112/callback"
ANSWER = (
    f"{LOOPBACK}?code=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6"
    "&state=9c1bXfG2&iss=https%3A%2F%2Fauth.example.com"
)
CALENDAR = "https://calendar.example.com/mcp"
LONG = "Wörkflow-Automatisierungs-und-Termin-Abstimmungs-Assistent für Vertriebsteams"

READ = ScopeGroup(
    "read",
    "Can read",
    (
        ScopeLine(
            "events:read",
            "See your events and who is invited",
            (ToolLine("list_events"), ToolLine("get_event"), ToolLine("search_events")),
            ticked=True,
        ),
        ScopeLine("free:read", "See when you are free", (ToolLine("find_slot"),), ticked=True),
    ),
)
CHANGE = ScopeGroup(
    "change",
    "Can change",
    (
        ScopeLine(
            "events:write",
            "Create and edit events",
            (ToolLine("create_event", "Create an event"), ToolLine("move_event")),
            new=True,
        ),
    ),
)
DELETE = ScopeGroup(
    "delete",
    "Can delete, or cannot be undone",
    (ScopeLine("events:delete", "Delete events for everybody", (ToolLine("delete_event"),)),),
)
BASELINE = ScopeGroup(
    "baseline",
    "Always included",
    (ScopeLine("profile", "Know your user name", ticked=True, locked=True),),
)
CHOICES = (AccessChoice(1, False), AccessChoice(30, True), AccessChoice(90, False))


def consent(**changed: object) -> Consent:
    """A consent page for a loopback app that registered itself; name what differs."""
    usual: dict[str, object] = {
        "app": "Claude Code",
        "app_kind": "Registered itself, not checked",
        "app_kind_note": "Nobody here knows who made it.",
        "app_checked": False,
        "server": "Team Calendar",
        "resource": CALENDAR,
        "user": "Ana López (ana)",
        "target": "loopback",
        "target_host": "localhost:53112",
        "groups": (BASELINE, READ, CHANGE, DELETE),
        "choices": CHOICES,
        "action": "/interaction/x/consent",
        "another_account": "/interaction/x/another-account",
        "csrf": "t",
        "csrf_another": "t",
        "client_id": "c-9f1e2d",
        "redirect_uri": LOOPBACK,
        "raw_scope": "profile events:read free:read events:write events:delete",
        "offers_reading_only": True,
    }
    return Consent(**(usual | changed))  # type: ignore[arg-type]


def sign_in(**changed: object) -> SignIn:
    """A sign-in page for the same request."""
    usual: dict[str, object] = {
        "app": "Claude Code",
        "server": "Team Calendar",
        "action": "/interaction/x/password",
        "csrf": "t",
    }
    return SignIn(**(usual | changed))  # type: ignore[arg-type]


def card(grant_id: str, app: str, last_used: str) -> AppCard:
    """One connected app."""
    return AppCard(
        grant_id,
        app,
        "a program on your computer (localhost:53112)",
        "Team Calendar",
        CALENDAR,
        (READ, CHANGE),
        "24 November 2026",
        last_used,
        "24 December 2026",
    )


REGISTERED = "https://app.example.net/oauth/callback"
RECEIVED = "https://app.example.net.evil.test/oauth/callback/"
EXPECTED_PIECES, RECEIVED_PIECES = compare(REGISTERED, RECEIVED)

GALLERY: dict[str, View] = {
    "sign-in": sign_in(),
    "sign-in-wrong": sign_in(username="ana", problem="The user name or the password is wrong"),
    "sign-in-wait": sign_in(username="ana", wait_seconds=40),
    "sign-in-account": sign_in(app="", server="", action="/sign-in"),
    "consent": consent(),
    "consent-checked": consent(
        app="Wayfarer",
        app_kind="wayfarer.example",
        app_kind_note="Its description was read from that address a moment ago.",
        app_checked=True,
        target="web",
        target_host="wayfarer.example",
        client_id="https://wayfarer.example/oauth/client.json",
        redirect_uri="https://wayfarer.example/cb",
        last_allowed="3 days ago",
        groups=(READ,),
        offers_reading_only=False,
    ),
    "consent-look-alike": consent(
        app=LONG[:59] + "…",
        look_alike="wayfarer.example",
        problem="Tick at least one thing, or choose Deny",
        resource="https://calendar.example.com/" + "very-long-path-segment/" * 6 + "mcp",
        client_id="https://example.org/" + "x" * 180,
        target="program",
        target_host="cursor:",
    ),
    "returning": Returning("Claude Code", ANSWER, "loopback", "localhost:53112"),
    "returning-web": Returning(
        "Wayfarer", "https://wayfarer.example/cb?code=x", "web", "wayfarer.example"
    ),
    "denied": Denied(
        "Claude Code",
        "Team Calendar",
        f"{LOOPBACK}?error=access_denied",
        "loopback",
        "localhost:53112",
        "/authorize?x=1",
    ),
    "no-redirect": NoRedirect(
        "This app asked to send you somewhere unknown",
        "An app asked that you sign in here, and that the answer go to an address it has not "
        "registered.",
        "The redirect_uri of the request must be one of the registered redirect_uris, "
        "character for character.",
        EXPECTED_PIECES,
        RECEIVED_PIECES,
        2,
    ),
    "no-client": NoRedirect(
        "This app is not known here",
        "An app asked that you sign in here, but no app is registered under its client_id.",
        "Register the client, or publish its metadata document at its client_id.",
    ),
    "held": Held(
        "Claude Code",
        "It asked for a permission that Team Calendar does not have.",
        "https://app.example.net/cb?error=invalid_scope",
        "app.example.net",
    ),
    "answered": Answered("Claude Code", "/authorize?x=1"),
    "answered-denied": Answered("Claude Code", "/authorize?x=1", denied=True),
    "answered-waiting": Answered("Claude Code", "/authorize?x=1", ANSWER),
    "ended": Ended(),
    "not-here": NotHere(
        "This page belongs to another browser",
        "The sign-in was started in a different browser or a private window, or cookies are off.",
        "Go back to the app and start again, in the browser you want to use. Cookies must be on "
        "for this site.",
    ),
    "our-fault": OurFault("7f3k-9q2m"),
    "busy": OurFault("7f3k-9q2m", busy_seconds=5),
    "connected-apps": ConnectedApps(
        "Ana López (ana)",
        (card("g1", "Claude Code", "2 minutes ago"), card("g2", "Wayfarer", "never")),
        "t",
        "/account/disconnect",
        "/sign-out",
        10,
        "Cursor is disconnected from Team Calendar.",
    ),
    "connected-none": ConnectedApps(
        "Ana López (ana)", (), "t", "/account/disconnect", "/sign-out", 10
    ),
    "signed-out": SignedOut("/account"),
    "home": Home("/account"),
}
