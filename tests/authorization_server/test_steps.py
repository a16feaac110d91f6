"""The step that comes next, for everything that can be known of an interaction (AS-26, AS-29, AS-145)."""

from __future__ import annotations

from typing import Any

import pytest

from mcplatch.authorization_server import steps
from mcplatch.authorization_server.sessions import SignedIn
from mcplatch.records import Interaction, Session, User
from tests.world import NOTES, NOW, client


def interaction(**changes: Any) -> Interaction:
    usual: dict[str, Any] = {
        "interaction_id": "i",
        "browser_hash": "b",
        "client_id": "client-1",
        "client_digest": "digest-1",
        "redirect_uri": "http://127.0.0.1:5000/callback",
        "scope": ("notes:read",),
        "resource": NOTES,
        "code_challenge": "c",
        "created_at": NOW - 5,
        "expires_at": NOW + 1,
    }
    return Interaction(**(usual | changes))


ANA = SignedIn(
    Session(session_hash="s", user_id="u", created_at=1, authenticated_at=1, expires_at=NOW + 9),
    User(user_id="u", username="ana", name="Ana", created_at=1),
)
CASES: list[tuple[str, Any, Any, Any, type[Any]]] = [
    ("unknown", None, client(), ANA, steps.Ended),
    ("expired", interaction(expires_at=NOW), client(), ANA, steps.Ended),
    ("answered", interaction(answered_at=NOW), client(), ANA, steps.Answered),
    ("answered, expired", interaction(answered_at=1, expires_at=2), client(), None, steps.Answered),
    ("client gone", interaction(), None, ANA, steps.Changed),
    ("client blocked", interaction(), client(blocked_at=1), ANA, steps.Changed),
    ("client changed", interaction(), client(digest="other"), ANA, steps.Changed),
    ("client changed, nobody there", interaction(), client(digest="other"), None, steps.Changed),
    ("nobody there", interaction(), client(), None, steps.AskLogin),
    ("somebody there", interaction(), client(), ANA, steps.AskConsent),
    ("login", interaction(prompt=("login",)), client(), ANA, steps.AskLogin),
    (
        "login, done",
        interaction(prompt=("login",), authenticated_at=NOW),
        client(),
        ANA,
        steps.AskConsent,
    ),
    (
        "login, done, signed out",
        interaction(prompt=("login",), authenticated_at=NOW),
        client(),
        None,
        steps.AskLogin,
    ),
    ("consent", interaction(prompt=("consent",)), client(), ANA, steps.AskConsent),
    ("select account", interaction(prompt=("select_account",)), client(), ANA, steps.AskConsent),
    ("none, nobody", interaction(prompt=("none",)), client(), None, steps.Refuse),
    ("none, somebody", interaction(prompt=("none",)), client(), ANA, steps.Refuse),
    ("registered by hand", interaction(), client(kind="registered"), ANA, steps.AskConsent),
]


@pytest.mark.requirement("AS-29", "AS-145")
@pytest.mark.parametrize(
    ("pending", "app", "signed_in", "step"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_next_step(pending: Any, app: Any, signed_in: Any, step: type[Any]) -> None:
    assert type(steps.next_step(steps.Facts(pending, app, signed_in), NOW)) is step


@pytest.mark.requirement("AS-29")
@pytest.mark.parametrize(
    ("signed_in", "name", "error"),
    [(None, "login-required", "login_required"), (ANA, "consent-required", "consent_required")],
)
def test_prompt_none_names_what_is_missing(
    signed_in: SignedIn | None, name: str, error: str
) -> None:
    facts = steps.Facts(interaction(prompt=("none",)), client(), signed_in)
    step = steps.next_step(facts, NOW)
    assert isinstance(step, steps.Refuse)
    assert (step.reason.name, step.reason.error) == (name, error)
