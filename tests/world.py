"""A small world for tests: one policy, one client, one person, one grant; each test changes one thing."""

from __future__ import annotations

import itertools
from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from mcplatch.authorization_server.house import House, open_house
from mcplatch.authorization_server.policy import Lifetimes, Policy, Resource, Scope
from mcplatch.fetch import Fetch, FetchRules
from mcplatch.moment import Draw, Moment, digest, name_of
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.pkce import challenge_of
from mcplatch.records import AuthorizationCode, Client, Grant, RefreshToken, User
from mcplatch.store.port import Store

NOW = 1_800_000_000
ISSUER = "https://auth.example"
NOTES = "https://notes.example/mcp"
MAIL = "https://mail.example/mcp"
VERIFIER = "v" * 43
SECRET = "s3cret:with%odd&bytes ü"

POLICY = Policy(
    issuer=ISSUER,
    resources=(
        Resource(
            NOTES,
            "Notes",
            (
                Scope("notes:read", "Read your notes", baseline=True),
                Scope("notes:write", "Change your notes", group="change", ticked=False),
                Scope("notes:delete", "Delete your notes", group="delete", ticked=False),
            ),
            introspection_secret_hash=digest("notes-secret"),
        ),
        Resource(
            MAIL,
            "Mail",
            (Scope("mail:read", "Read your mail"),),
            introspection_secret_hash=digest("mail-secret"),
            access_token_format="opaque",
        ),
    ),
    lifetimes=Lifetimes(),
)


def moment(now: int = NOW) -> Moment:
    """A fixed time and a chance that counts."""
    counter = itertools.count(1)
    return Moment(now, lambda size: next(counter).to_bytes(size, "big"))


def client(**changes: Any) -> Client:
    """A public client with a loopback redirect URI."""
    whole = Client(
        client_id="client-1",
        kind="dynamic",
        client_name="Robot",
        redirect_uris=("http://127.0.0.1/callback",),
        grant_types=("authorization_code", "refresh_token"),
        token_endpoint_auth_method="none",
        digest="digest-1",
        created_at=NOW - 1000,
        last_used_at=NOW - 10,
    )
    return replace(whole, **changes)


def confidential(method: str = "client_secret_basic", **changes: Any) -> Client:
    """A client with a secret."""
    return client(
        client_id="client-2",
        token_endpoint_auth_method=method,
        secret_hash=digest(SECRET),
        **changes,
    )


def person(**changes: Any) -> User:
    """Who allowed it."""
    whole = User(user_id="user-1", username="ada", name="Ada", created_at=NOW - 9000)
    return replace(whole, **changes)


def grant(**changes: Any) -> Grant:
    """What the person allowed."""
    whole = Grant(
        grant_id="grant-1",
        user_id="user-1",
        client_id="client-1",
        client_name="Robot",
        redirect_uri="http://127.0.0.1:5000/callback",
        resource=NOTES,
        scope=("notes:read", "notes:write"),
        created_at=NOW - 5,
        expires_at=NOW + 90 * 86400,
        refresh_hash=name_of("refresh-1"),
    )
    return replace(whole, **changes)


def code(**changes: Any) -> AuthorizationCode:
    """A fresh code for `code-1`."""
    whole = AuthorizationCode(
        code_hash=name_of("code-1"),
        grant_id="grant-1",
        redirect_uri="http://127.0.0.1:5000/callback",
        code_challenge=challenge_of(VERIFIER),
        created_at=NOW - 5,
        expires_at=NOW + 55,
    )
    return replace(whole, **changes)


def refresh_token(**changes: Any) -> RefreshToken:
    """The first refresh token of the grant, `refresh-1`."""
    whole = RefreshToken(
        token_hash=name_of("refresh-1"),
        grant_id="grant-1",
        generation=0,
        created_at=NOW - 5,
        expires_at=NOW + 30 * 86400,
    )
    return replace(whole, **changes)


SECRET_KEY = b"k" * 32


async def house(store: Store, *, policy: Policy = POLICY, draw: Draw | None = None) -> House:
    """An authorization server over `store`; it may fetch nothing from this machine."""
    opened = await open_house(
        policy=policy,
        store=store,
        secret_key=SECRET_KEY,
        fetch=Fetch(FetchRules(), issuer=policy.issuer),
    )
    opened.draw = draw
    return opened


def form(**values: str) -> Parameters:
    """Decoded parameters."""
    return Parameters({name: (value,) for name, value in values.items()})


def basic(client_id: str, secret: str) -> str:
    """The `Authorization` header of a confidential client: both halves form-encoded."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + b64encode(pair.encode()).decode()
