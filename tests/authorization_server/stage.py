"""Helpers of this folder: a house in which a person has just allowed a client, and how to ask it."""

from __future__ import annotations

import json
import time
from typing import Any

from mcplatch.authorization_server import introspect, token
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.house import House
from mcplatch.records import Grant
from mcplatch.store.port import Put, Store
from tests.world import (
    NOTES,
    VERIFIER,
    basic,
    client,
    code,
    confidential,
    form,
    grant,
    house,
    person,
)

EXCHANGE = form(
    grant_type="authorization_code",
    code="code-1",
    code_verifier=VERIFIER,
    client_id="client-1",
    redirect_uri="http://127.0.0.1:5000/callback",
)


def refresh_form(refresh_token: str, **more: str) -> Any:
    return form(
        grant_type="refresh_token", refresh_token=refresh_token, client_id="client-1", **more
    )


async def furnished(store: Store, **changes: Any) -> House:
    """A house in which a person has just allowed client-1, and client-2 has a secret."""
    now = int(time.time())
    given = grant(created_at=now, expires_at=now + 9999999, **changes)
    fresh = code(created_at=now, expires_at=now + 60)
    await store.settle(
        lambda t: t.apply(
            (Put(person()), Put(client()), Put(confidential()), Put(given), Put(fresh))
        )
    )
    return await house(store)


async def answered(asked: Any, at: House, authorization: str | None = None) -> dict[str, Any]:
    body = await token.answer(asked, authorization, at)
    assert isinstance(body, bytes), body
    return dict(json.loads(body))


async def reason_of(asked: Any, at: House, authorization: str | None = None) -> str:
    refused = await token.answer(asked, authorization, at)
    assert isinstance(refused, Refused)
    return refused.reason.name


async def the_grant(store: Store) -> Grant:
    found = await store.look(lambda t: t.one(Grant, grant_id="grant-1"))
    assert found is not None
    return found


async def active(
    at: House, access_token: str, by: str = NOTES, secret: str = "notes-secret"
) -> Any:
    return await introspect.answer(form(token=access_token), basic(by, secret), at)
