"""Puts records into words for people; what a client said of itself is cleaned here (AS-146)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from mcplatch.authorization_server.policy import DAY, HOUR, MINUTE, Policy, Scope
from mcplatch.protocol.raw_uri import read_uri
from mcplatch.protocol.redirect_uri import host_of, is_loopback
from mcplatch.records import Client, Grant, User
from mcplatch.web.strangers import ADDRESS_LIMIT, app_name, shown
from mcplatch.web.views import (
    AppCard,
    Effect,
    ScopeGroup,
    ScopeLine,
    Target,
    ToolLine,
)

GROUPS: Final[tuple[tuple[Effect, str], ...]] = (
    ("baseline", "Always included"),
    ("read", "Can read"),
    ("change", "Can change"),
    ("delete", "Can delete, or cannot be undone"),
)
MOST_TOOLS: Final = 50
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def effect_of(scope: Scope) -> Effect:
    """The group a scope is shown in; one with an unknown group is shown as the most dangerous."""
    if scope.baseline:
        return "baseline"
    if scope.group == "read":
        return "read"
    return "change" if scope.group == "change" else "delete"


def scope_groups(
    scopes: Iterable[Scope],
    *,
    ticked: frozenset[str] | None = None,
    new: frozenset[str] = frozenset(),
) -> tuple[ScopeGroup, ...]:
    """The scopes as groups of boxes. Without `ticked` the policy proposes, but never danger."""
    lines: dict[Effect, list[ScopeLine]] = {}
    for scope in scopes:
        effect = effect_of(scope)
        proposed = scope.ticked and effect != "delete"
        line = ScopeLine(
            scope.name,
            shown(scope.description, limit=200) or shown(scope.name),
            tuple(ToolLine(shown(tool, limit=80)) for tool in scope.tools[:MOST_TOOLS]),
            ticked=proposed if ticked is None else scope.name in ticked,
            locked=scope.baseline,
            new=scope.name in new,
        )
        lines.setdefault(effect, []).append(line)
    return tuple(
        ScopeGroup(effect, title, tuple(lines[effect]))
        for effect, title in GROUPS
        if effect in lines
    )


def client_origin(client: Client) -> tuple[str, str, bool]:
    """Where a client comes from, how far that is known, and whether an address was checked."""
    if client.kind == "document":
        note = "This server read the app's description from that address."
        return shown(host_of(client.client_id), limit=200), note, True
    if client.kind == "registered":
        return "Added by the administrator of this server", "It is known here.", False
    return "Registered itself, not checked", "Nobody here knows who made it.", False


def target_of(redirect_uri: str) -> tuple[Target, str]:
    """Where an answer goes: what kind of place, and its name with any unusual port."""
    parts = read_uri(redirect_uri)
    if parts is None:
        return "program", shown(redirect_uri.partition("://")[0], limit=40) + "://"
    usual = parts.port == DEFAULT_PORTS[parts.scheme]
    host = shown(parts.host if usual else f"{parts.host}:{parts.port}", limit=ADDRESS_LIMIT)
    return ("loopback" if is_loopback(redirect_uri) else "web"), host


def person(user: User) -> str:
    """A person as she is shown to herself."""
    return user.username if user.name in ("", user.username) else f"{user.name} ({user.username})"


def ago(then: int, now: int) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, now - then)
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "a moment ago"


def on_day(moment: int) -> str:
    """A day, spelled out so that no country reads it differently; in UTC."""
    day = datetime.fromtimestamp(moment, UTC)
    return f"{day.day} {day:%B %Y}"


def card(grant: Grant, policy: Policy, now: int) -> AppCard:
    """One connected app. A scope that the configuration no longer knows is shown by its name."""
    resource = policy.resource(grant.resource)
    known = {scope.name: scope for scope in resource.scopes} if resource else {}
    scopes = (known.get(name) or Scope(name, name, group="delete") for name in grant.scope)
    target, host = target_of(grant.redirect_uri)
    return AppCard(
        grant_id=grant.grant_id,
        app=app_name(grant.client_name),
        app_host=f"a program on your computer ({host})" if target == "loopback" else host,
        server=shown(resource.name) if resource else shown(grant.resource),
        resource=shown(grant.resource, limit=ADDRESS_LIMIT),
        groups=scope_groups(scopes),
        since=f"{on_day(grant.created_at)} ({ago(grant.created_at, now)})",
        last_used="never" if grant.last_used_at is None else ago(grant.last_used_at, now),
        until=on_day(grant.expires_at),
    )
