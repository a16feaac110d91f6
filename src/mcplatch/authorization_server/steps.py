"""What an interaction needs next: one pure answer from what is known (OAuth 2.1 section 4.1.1).

Every request of a browser asks here, before a page is shown and again before anything is written:
no order of requests, no second tab and no reload skips a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.authorization_server.sessions import SignedIn, read_session
from mcplatch.moment import digest
from mcplatch.protocol.refusal import Reason
from mcplatch.records import Client, Interaction
from mcplatch.store.port import Transaction

LOGIN_REQUIRED = Reason(
    "login-required",
    "login_required",
    "Nobody is signed in, and prompt=none allows no sign-in page.",
    "OpenID Connect Core 3.1.2.6",
)
CONSENT_REQUIRED = Reason(
    "consent-required",
    "consent_required",
    "The person must be asked, and prompt=none allows no consent page.",
    "OpenID Connect Core 3.1.2.6",
)
ACCESS_DENIED = Reason(
    "access-denied", "access_denied", "The person denied the request.", "OAuth 2.1 4.1.2.1"
)


@dataclass(frozen=True, slots=True)
class Browser:
    """What this browser brought: its secrets and where it is."""

    interaction_secret: str = field(repr=False)
    session_secret: str | None = field(repr=False)
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an interaction when its browser asks."""

    interaction: Interaction | None
    client: Client | None
    signed_in: SignedIn | None


@dataclass(frozen=True, slots=True)
class Ended:
    """It ran out, or never was."""


@dataclass(frozen=True, slots=True)
class Answered:
    """It has its answer."""

    interaction: Interaction


@dataclass(frozen=True, slots=True)
class Changed:
    """The client is gone, blocked, or not what it was when it asked (AS-145)."""

    interaction: Interaction


@dataclass(frozen=True, slots=True)
class Refuse:
    """No page may be shown: the client is told so."""

    interaction: Interaction
    client: Client
    reason: Reason


@dataclass(frozen=True, slots=True)
class AskLogin:
    """Its person must sign in; `again` although somebody is signed in already."""

    interaction: Interaction
    client: Client
    again: bool = False


@dataclass(frozen=True, slots=True)
class AskConsent:
    """Its person is known and must be asked. Consent is never taken for granted."""

    interaction: Interaction
    client: Client
    signed_in: SignedIn


Step = Ended | Answered | Changed | Refuse | AskLogin | AskConsent


def read(
    transaction: Transaction, interaction_id: str, browser: Browser, *, lock: bool = False
) -> Facts:
    """What is known of an interaction; nothing for a browser that did not start it (AS-147)."""
    interaction = transaction.one(Interaction, lock=lock, interaction_id=interaction_id)
    if interaction is None or interaction.browser_hash != digest(browser.interaction_secret):
        return Facts(None, None, None)
    return Facts(
        interaction,
        transaction.one(Client, client_id=interaction.client_id),
        read_session(transaction, browser.session_secret),
    )


def next_step(facts: Facts, now: int) -> Step:
    """The step that comes next. `prompt=select_account` needs no page of its own: the consent page
    names the account and offers another one, and it is always shown.
    """
    interaction, client, signed_in = facts.interaction, facts.client, facts.signed_in
    if interaction is None:
        return Ended()
    if interaction.answered_at is not None:
        return Answered(interaction)
    if interaction.expires_at <= now:
        return Ended()
    if (
        client is None
        or client.blocked_at is not None
        or client.digest != interaction.client_digest
    ):
        return Changed(interaction)
    if "none" in interaction.prompt:
        reason = LOGIN_REQUIRED if signed_in is None else CONSENT_REQUIRED
        return Refuse(interaction, client, reason)
    if signed_in is None:
        return AskLogin(interaction, client)
    if "login" in interaction.prompt and interaction.authenticated_at is None:
        return AskLogin(interaction, client, again=True)
    return AskConsent(interaction, client, signed_in)
