"""The sweeper: what has run out goes, what still says no to somebody stays."""

from __future__ import annotations

import time

import pytest

from mcplatch.authorization_server.policy import DAY, HOUR
from mcplatch.authorization_server.sweep import PIECE, plan, sweep
from mcplatch.records import (
    AuthorizationCode,
    Bucket,
    Client,
    Grant,
    Interaction,
    Record,
    RefreshToken,
    Session,
)
from mcplatch.store.port import Blank, Put, Store, Sweep
from tests.world import NOW, POLICY, client, code, grant, house, refresh_token

pytestmark = pytest.mark.anyio


def session(name: str, expires_at: int) -> Session:
    return Session(
        session_hash=name, user_id="u", created_at=0, authenticated_at=0, expires_at=expires_at
    )


def interaction(name: str, expires_at: int) -> Interaction:
    return Interaction(
        interaction_id=name,
        browser_hash="b",
        client_id="c",
        client_digest="d",
        redirect_uri="http://localhost/",
        scope=(),
        resource="r",
        code_challenge="x",
        created_at=0,
        expires_at=expires_at,
    )


@pytest.mark.requirement("AS-87")
async def test_what_ran_out_goes_and_the_rest_stays(store: Store) -> None:
    now = int(time.time())
    whole = POLICY.lifetimes.refresh_absolute

    def named(age: int, what: str) -> str:
        return f"{now - age:08x}000001{what}"

    records: list[Record] = [
        interaction(named(2 * HOUR, "old"), now),
        interaction(named(HOUR, "young"), now),
        session(named(2 * DAY, "old"), now),
        session(named(DAY, "young"), now),
        code(code_hash=named(whole + 2 * DAY, "old")),
        code(code_hash=named(whole, "young"), spent_at=now - whole),
        refresh_token(token_hash=named(whole + 2 * DAY, "old")),
        refresh_token(token_hash=named(whole, "young")),
        grant(grant_id=named(whole + 3 * DAY, "old")),
        grant(grant_id=named(whole + 2 * DAY, "young")),
        Bucket(key="old", full_at=(now - 2 * HOUR) * 1000),
        Bucket(key="young", full_at=now * 1000),
        client(client_id="old", expires_at=now - 5),
        client(client_id="young", expires_at=now + HOUR),
        client(client_id="forever"),
    ]
    await store.settle(lambda t: t.apply([Put(record) for record in records]))
    assert await sweep(await house(store)) == 7
    for kind, key in (
        (Interaction, "interaction_id"),
        (Session, "session_hash"),
        (AuthorizationCode, "code_hash"),
        (RefreshToken, "token_hash"),
        (Grant, "grant_id"),
        (Bucket, "key"),
    ):
        left = await store.look(lambda t, kind=kind: t.all(kind))  # type: ignore[misc]
        assert [getattr(found, key)[-5:] for found in left] == ["young"]
    clients = await store.look(lambda t: t.all(Client))
    assert {found.client_id for found in clients} == {"young", "forever"}


async def test_more_than_a_piece_goes_in_pieces(store: Store) -> None:
    crowd = [Put(session(f"{number:08x}s", 1)) for number in range(PIECE + 10)]
    await store.settle(lambda t: t.apply(crowd))
    assert await sweep(await house(store)) == PIECE + 10


async def test_a_sealed_answer_is_kept_only_while_it_may_be_asked_for(store: Store) -> None:
    now = int(time.time())
    longest = POLICY.lifetimes.retry_unconfirmed
    late, soon = f"{now - longest - 60:08x}000001", f"{now - longest + 60:08x}000001"
    tokens = [refresh_token(token_hash=name, sealed=b"answer") for name in (late, soon)]
    await store.settle(lambda t: t.apply([Put(token) for token in tokens]))
    assert await sweep(await house(store)) == 1
    left = await store.look(lambda t: t.all(RefreshToken))
    assert {token.token_hash: token.sealed for token in left} == {late: None, soon: b"answer"}


def test_every_piece_is_bounded() -> None:
    for step in plan(NOW, POLICY.lifetimes):
        assert isinstance(step, Sweep | Blank)
        assert 0 < step.limit <= PIECE
        assert step.before
