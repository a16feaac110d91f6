"""Builds the views of an authorization request from what was decided about it (OAuth 2.1 4.1.2)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlencode

from mcplatch.authorization_server import authorize
from mcplatch.authorization_server.consent import USUAL_DAYS, Answer
from mcplatch.authorization_server.discovery import AUTHORIZE
from mcplatch.authorization_server.policy import Policy
from mcplatch.authorization_server.question import Question
from mcplatch.protocol.authorization import ReturnTo, code_response, error_response
from mcplatch.protocol.refusal import Reason
from mcplatch.protocol.scope import format_scope
from mcplatch.records import Client, Interaction
from mcplatch.web.forms import csrf_token
from mcplatch.web.strangers import ADDRESS_LIMIT, app_name, compare, nearest, shown
from mcplatch.web.views import (
    AccessChoice,
    Answered,
    Consent,
    Denied,
    Held,
    NoRedirect,
    NotHere,
    Returning,
    SignIn,
)
from mcplatch.web.wording import ago, client_origin, person, scope_groups, target_of

MOST_RAW: Final = 2000
PASSING: Final = frozenset({429, 503})
# A browser would run these, or show what somebody wrote into them; no registration may have one.
_RUNS: Final = re.compile(r"(javascript|data|vbscript|blob|file|about|filesystem):", re.IGNORECASE)


def path_of(base: str, interaction_id: str, step: str = "") -> str:
    """The address of an interaction, or of one of its forms."""
    # Quoted, because it may be whatever a stranger wrote into a path and goes into a header.
    return f"{base}/interaction/{quote(interaction_id, safe='')}" + (f"/{step}" if step else "")


def server_name(policy: Policy, identifier: str) -> str:
    """What people call a resource."""
    resource = policy.resource(identifier)
    return shown(resource.name if resource else identifier)


def sign_in_view(
    interaction: Interaction,
    client: Client,
    secret: str,
    policy: Policy,
    base: str,
    *,
    username: str = "",
    problem: str = "",
    wait_seconds: int = 0,
    again: bool = False,
) -> SignIn:
    """The sign-in page of an interaction: why, and for whom."""
    return SignIn(
        app=app_name(client.client_name),
        server=server_name(policy, interaction.resource),
        action=path_of(base, interaction.interaction_id, "password"),
        csrf=csrf_token(secret, "password", interaction.interaction_id),
        username=username,
        problem=problem,
        wait_seconds=wait_seconds,
        again=again,
    )


def consent_view(
    question: Question,
    secret: str,
    base: str,
    now: int,
    *,
    answer: Answer | None = None,
    problem: str = "",
) -> Consent:
    """The consent page: who asks, for whom, where the answer goes, and what may be ticked."""
    interaction, client = question.step.interaction, question.step.client
    user, last = question.step.signed_in.user, question.last_grant
    kind, note, checked = client_origin(client)
    target, host = target_of(interaction.redirect_uri)
    new = frozenset(interaction.scope).difference(last.scope) if last else frozenset[str]()
    groups = scope_groups(question.scopes, ticked=answer.ticked if answer else None, new=new)
    effects = {group.effect for group in groups}
    return Consent(
        app=app_name(client.client_name),
        app_kind=kind,
        app_kind_note=note,
        app_checked=checked,
        server=shown(question.resource.name),
        resource=shown(question.resource.identifier, limit=ADDRESS_LIMIT),
        user=shown(person(user)),
        target=target,
        target_host=host,
        groups=groups,
        choices=_choices(question.days, answer.days if answer else USUAL_DAYS),
        action=path_of(base, interaction.interaction_id, "consent"),
        another_account=path_of(base, interaction.interaction_id, "another-account"),
        csrf=csrf_token(secret, "consent", interaction.interaction_id, user.user_id),
        csrf_another=csrf_token(secret, "another-account", interaction.interaction_id),
        client_id=shown(client.client_id, limit=MOST_RAW),
        redirect_uri=shown(interaction.redirect_uri, limit=MOST_RAW),
        raw_scope=shown(format_scope(interaction.scope), limit=MOST_RAW),
        offers_reading_only="read" in effects and bool(effects & {"change", "delete"}),
        last_allowed=ago(last.created_at, now) if last else "",
        look_alike=shown(question.look_alike or "", limit=ADDRESS_LIMIT),
        problem=problem,
    )


def code_address(interaction: Interaction, code: str, policy: Policy) -> str:
    """Where the browser goes with a code."""
    return code_response(_return_to(interaction, policy), code)


def error_address(interaction: Interaction, reason: Reason, policy: Policy) -> str:
    """Where the browser goes with a refusal."""
    return error_response(_return_to(interaction, policy), reason)


def returning_view(interaction: Interaction, app: str, address: str) -> Returning | NotHere:
    """The way back with a code."""
    if _RUNS.match(address):
        return changed_view(app)
    return Returning(app_name(app), address, *target_of(interaction.redirect_uri))


def denied_view(
    interaction: Interaction, app: str, address: str, policy: Policy, base: str
) -> Denied | NotHere:
    """The way back with a no, and the way to think again."""
    if _RUNS.match(address):
        return changed_view(app)
    server = server_name(policy, interaction.resource)
    target, host = target_of(interaction.redirect_uri)
    return Denied(app_name(app), server, address, target, host, again_address(interaction, base))


def answered_view(interaction: Interaction, app: str, address: str | None, base: str) -> Answered:
    """An interaction that is over; `address` leads on while its code can still be used."""
    onward = "" if address is None or _RUNS.match(address) else address
    denied = interaction.denied_at is not None
    return Answered(app_name(app), again_address(interaction, base), onward, denied)


def held_view(client: Client, reason: Reason, return_to: ReturnTo) -> Held | NotHere:
    """A refusal that a person must carry back herself (RFC 9700 section 4.11.2)."""
    address = error_response(return_to, reason)
    if _RUNS.match(address):
        return changed_view(client.client_name)
    _, host = target_of(return_to.redirect_uri)
    return Held(app_name(client.client_name), reason.sentence, address, host)


def changed_view(app: str) -> NotHere:
    """The client is not what it was when it asked."""
    return NotHere(
        "The app changed while it was waiting",
        f"{app_name(app)} is no longer registered here as it was when it asked, "
        "so your answer could reach somebody else. Nothing was shared.",
        "Go back to the app and start again.",
    )


def no_redirect_view(outcome: authorize.ShownOnly) -> NoRedirect | NotHere:
    """A request that has no address to answer to (AS-22, AS-66), or comes at a bad moment."""
    reason, client, presented = outcome.reason, outcome.client, outcome.presented_redirect_uri
    if reason.status in PASSING:
        advice = "Wait a minute, then go back to the app and start again."
        return NotHere("This cannot be answered right now", reason.sentence, advice)
    if reason is authorize.REDIRECT_URI_UNKNOWN and client is not None and presented is not None:
        return _unknown_redirect(client, presented)
    detail = f" {shown(outcome.detail, limit=ADDRESS_LIMIT)}." if outcome.detail else ""
    return NoRedirect(
        "This request cannot be answered",
        "An app sent you here with a request that this server cannot accept.",
        f"{reason.sentence}{detail} ({reason.source})",
    )


def again_address(interaction: Interaction, base: str) -> str:
    """The same request anew."""
    asked = {
        "response_type": "code",
        "client_id": interaction.client_id,
        "redirect_uri": interaction.redirect_uri,
        "scope": format_scope(interaction.scope),
        "resource": interaction.resource,
        "code_challenge": interaction.code_challenge,
        "code_challenge_method": "S256",
    }
    if interaction.state is not None:
        asked["state"] = interaction.state
    return f"{base}{AUTHORIZE}?{urlencode(asked, quote_via=quote)}"


def _choices(offered: tuple[int, ...], wanted: int) -> tuple[AccessChoice, ...]:
    chosen = wanted if wanted in offered else offered[-1]
    return tuple(AccessChoice(days, days == chosen) for days in offered)


def _unknown_redirect(client: Client, presented: str) -> NoRedirect:
    closest = nearest(client.redirect_uris, presented)
    # The marked pieces keep every character but those nobody could see.
    received = shown(presented, limit=ADDRESS_LIMIT)
    expected, got = compare(closest or "", received)
    return NoRedirect(
        f"{app_name(client.client_name)} wants to send you to an address it has not registered",
        "An app asked that you sign in here, and that the answer go somewhere it never named "
        "before. That is how answers are stolen.",
        "The redirect_uri must be one of the registered redirect_uris, character for character; "
        "only the port of a loopback address may differ. Marked is what differs.",
        expected,
        got,
        max(0, len(client.redirect_uris) - 1),
    )


def _return_to(interaction: Interaction, policy: Policy) -> ReturnTo:
    return ReturnTo(interaction.redirect_uri, interaction.state, policy.issuer)
