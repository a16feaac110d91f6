"""What the operator's commands ask of the running server, over a socket only the operator can open.

One path an act, one JSON object in and one out. Nobody else opens the live database: the command
line asks here, or runs the same acts itself while no server runs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcplatch.authorization_server.clients.registered import configured_client
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.operator import clients, grants, keys, people
from mcplatch.log import log
from mcplatch.moment import Moment, clock
from mcplatch.passwords import Passwords, PasswordsBusy
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, Client, Grant, SigningKey, User
from mcplatch.store.port import Contended, StoreDown

Json = dict[str, Any]

ACT_UNKNOWN = Reason(
    "operator-act-unknown",
    "invalid_request",
    "The running server does not know this; is it of another version?",
    "DESIGN 4.3",
    404,
)
ACT_MALFORMED = Reason(
    "operator-act-malformed",
    "invalid_request",
    "The request is not a JSON object with the texts that this needs.",
    "DESIGN 4.3",
)
MOST_BYTES: Final = 64 * 1024
MOST_EVENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Desk:
    """What an act works with."""

    house: House
    passwords: Passwords


class _Malformed(Exception):
    """A member is missing or of the wrong type; answered as ACT_MALFORMED."""


async def user_add(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    password, username, name = _text(given, "password"), _text(given, "username"), given.get("name")
    if (wrong := people.check_password(password)) is not None:
        return wrong
    hashed = await desk.passwords.hash(password)
    added = await desk.house.store.settle(
        lambda t: people.add_user(
            t, desk.house.moment(t), username=username, name=str(name or ""), password_hash=hashed
        )
    )
    return added if isinstance(added, Refusal) else {"user": _user(added)}


async def user_list(desk: Desk, given: Mapping[str, Any]) -> Json:
    return {"users": [_user(one) for one in await desk.house.store.look(people.list_users)]}


async def user_set_password(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    password, username = _text(given, "password"), _text(given, "username")
    if (wrong := people.check_password(password)) is not None:
        return wrong
    hashed = await desk.passwords.hash(password)
    changed = await desk.house.store.settle(
        lambda t: people.set_password(t, username=username, password_hash=hashed)
    )
    return changed if isinstance(changed, Refusal) else {"user": _user(changed)}


async def user_lock(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    username = _text(given, "username")
    changed = await desk.house.store.settle(lambda t: people.lock_user(t, username=username))
    return changed if isinstance(changed, Refusal) else {"user": _user(changed)}


async def user_unlock(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    username = _text(given, "username")
    changed = await desk.house.store.settle(lambda t: people.unlock_user(t, username=username))
    return changed if isinstance(changed, Refusal) else {"user": _user(changed)}


async def client_add(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    secret = Moment(clock()).secret() if given.get("confidential") else None
    client = configured_client(
        _text(given, "client_id"),
        name=_text(given, "name"),
        redirect_uris=_texts(given, "redirect_uris"),
        secret=secret,
    )
    allowed = desk.house.policy.private_redirect_uris
    added = await desk.house.store.settle(
        lambda t: clients.add_client(t, client, private_uris=allowed)
    )
    if isinstance(added, Refusal):
        return added
    return {"client": _client(added)} | ({} if secret is None else {"client_secret": secret})


async def client_list(desk: Desk, given: Mapping[str, Any]) -> Json:
    return {"clients": [_client(one) for one in await desk.house.store.look(clients.list_clients)]}


async def client_remove(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    named = _text(given, "client_id")
    gone = await desk.house.store.settle(lambda t: clients.remove_client(t, client_id=named))
    return gone if isinstance(gone, Refusal) else {"client": _client(gone)}


async def grant_list(desk: Desk, given: Mapping[str, Any]) -> Json:
    username, client_id = given.get("username"), given.get("client_id")
    found = await desk.house.store.look(
        lambda t: grants.list_grants(t, username=username, client_id=client_id)
    )
    return {"grants": [_grant(one) for one in found]}


async def grant_revoke(desk: Desk, given: Mapping[str, Any]) -> Json | Refusal:
    named = _text(given, "grant_id")
    ended = await desk.house.store.settle(lambda t: grants.revoke_grant(t, grant_id=named))
    return ended if isinstance(ended, Refusal) else {"grant": _grant(ended)}


async def key_list(desk: Desk, given: Mapping[str, Any]) -> Json:
    return {"keys": [_key(one) for one in await keys.list_keys(desk.house)]}


async def key_rotate(desk: Desk, given: Mapping[str, Any]) -> Json:
    return {"key": _key(await keys.rotate(desk.house))}


async def audit_tail(desk: Desk, given: Mapping[str, Any]) -> Json:
    """The newest events, oldest of them first; with `after`, those with a higher number."""
    after = given.get("after") or 0
    most = min(int(given.get("limit") or 20), MOST_EVENTS)
    newest = await desk.house.store.look(lambda t: t.all(AuditEvent, limit=most, newest="event_id"))
    return {"events": [_event(one) for one in reversed(newest) if (one.event_id or 0) > after]}


Act = Callable[[Desk, Mapping[str, Any]], Awaitable[Json | Refusal]]
ACTS: Final[Mapping[str, Act]] = {
    "user/add": user_add,
    "user/list": user_list,
    "user/set-password": user_set_password,
    "user/lock": user_lock,
    "user/unlock": user_unlock,
    "client/add": client_add,
    "client/list": client_list,
    "client/remove": client_remove,
    "grant/list": grant_list,
    "grant/revoke": grant_revoke,
    "key/list": key_list,
    "key/rotate": key_rotate,
    "audit/tail": audit_tail,
}


async def perform(desk: Desk, act: str, given: object) -> Json | Refusal:
    """One act. Raises `StoreDown`, `Contended`, `PasswordsBusy`."""
    found = ACTS.get(act)
    if found is None:
        return Refusal(ACT_UNKNOWN, act)
    if not isinstance(given, Mapping):
        return Refusal(ACT_MALFORMED)
    try:
        return await found(desk, given)
    except _Malformed as wrong:
        return Refusal(ACT_MALFORMED, str(wrong))


def admin_app(house: House) -> Starlette:
    """The application behind the operator's socket."""
    desk = Desk(house, Passwords())

    async def answer(request: Request) -> Response:
        body = await request.body()
        try:
            given = json.loads(body) if len(body) <= MOST_BYTES else None
        except ValueError:
            given = None
        try:
            answered = await perform(desk, request.path_params["act"], given)
        except (StoreDown, Contended, PasswordsBusy) as broken:
            log().warning("the operator could not be answered", error=repr(broken))
            return JSONResponse({"error": "The server cannot do this now; try again."}, 503)
        if isinstance(answered, Refusal):
            return JSONResponse(refused(answered), answered.reason.status)
        return JSONResponse(answered)

    return Starlette(routes=[Route("/{act:path}", answer, methods=["POST"])])


def refused(refusal: Refusal) -> Json:
    """A refusal as the operator reads it: the sentence, its name, and what it is about."""
    return {
        "error": refusal.reason.sentence,
        "reason": refusal.reason.name,
        "detail": refusal.detail,
    }


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise _Malformed(name)
    return value


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise _Malformed(name)
    return tuple(value)


def _user(user: User) -> Json:
    return {
        "user_id": user.user_id,
        "username": user.username,
        "name": user.name,
        "created_at": user.created_at,
        "locked_at": user.locked_at,
    }


def _client(client: Client) -> Json:
    return {
        "client_id": client.client_id,
        "kind": client.kind,
        "name": client.client_name,
        "redirect_uris": list(client.redirect_uris),
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "created_at": client.created_at,
        "last_used_at": client.last_used_at,
        "blocked_at": client.blocked_at,
    }


def _grant(grant: Grant) -> Json:
    return {
        "grant_id": grant.grant_id,
        "user_id": grant.user_id,
        "client_id": grant.client_id,
        "client_name": grant.client_name,
        "resource": grant.resource,
        "scope": list(grant.scope),
        "created_at": grant.created_at,
        "last_used_at": grant.last_used_at,
        "expires_at": grant.expires_at,
    }


def _key(key: SigningKey) -> Json:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "created_at": key.created_at,
        "active_at": key.active_at,
        "retired_at": key.retired_at,
    }


def _event(event: AuditEvent) -> Json:
    return {
        "event_id": event.event_id,
        "at": event.at,
        "kind": event.kind,
        "outcome": event.outcome,
        "reason": event.reason,
        "user_id": event.user_id,
        "client_id": event.client_id,
        "grant_id": event.grant_id,
        "resource": event.resource,
        "scope": list(event.scope),
        "address": event.address,
        "detail": event.detail,
    }
