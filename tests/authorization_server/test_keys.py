"""Signing keys: made once, sealed, published before they sign, gone only when nothing needs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcplatch.authorization_server import keys
from mcplatch.authorization_server.keys import load_ring, new_key, open_ring, rotate
from mcplatch.moment import Moment
from mcplatch.records import AuditEvent, SigningKey
from mcplatch.seal import SealBroken
from mcplatch.store.port import Forget, Put, Replace, Store
from tests.world import NOW, POLICY, SECRET_KEY, house

OVERLAP = POLICY.lifetimes.signing_key_overlap
LIFETIME = POLICY.lifetimes.access_token


def made(at: int, **changes: object) -> SigningKey:
    return replace(new_key(SECRET_KEY, Moment(at), active_at=at), **changes)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_nodes_that_start_together_agree_on_one_key(store: Store) -> None:
    rings = await asyncio.gather(*(load_ring(store, SECRET_KEY, POLICY) for _ in range(8)))
    (kept,) = await store.look(lambda t: t.all(SigningKey))
    assert {tuple(ring.public.keys) for ring in rings} == {(kept.kid,)}
    assert len(await store.look(lambda t: t.all(AuditEvent, kind="key-created"))) == 1


@pytest.mark.anyio
async def test_a_start_after_every_key_was_retired_makes_a_new_one(store: Store) -> None:
    (first,) = (await load_ring(store, SECRET_KEY, POLICY)).records
    retired = replace(first, retired_at=first.created_at)
    await store.settle(lambda t: t.apply((Replace(first, retired),)))
    (second,) = (await load_ring(store, SECRET_KEY, POLICY)).records
    assert second.kid != first.kid


@pytest.mark.anyio
async def test_the_private_key_is_sealed(store: Store) -> None:
    at = await house(store)
    (kept,) = await store.look(lambda t: t.all(SigningKey))
    assert b"PRIVATE" not in kept.sealed_private
    with pytest.raises(SealBroken):
        await load_ring(store, b"x" * 32, POLICY)
    swapped = replace(kept, kid="other")
    with pytest.raises(SealBroken):
        open_ring([swapped], SECRET_KEY, NOW)
    assert at.ring.signers


@pytest.mark.requirement("AS-11")
def test_a_rotation_refuses_nobody_on_the_way() -> None:
    old = made(NOW - 1000)
    fresh = new_key(SECRET_KEY, Moment(NOW), active_at=NOW + OVERLAP)
    changes = rotate([old], fresh, POLICY, NOW)
    leaving = next(change.new for change in changes if isinstance(change, Replace))
    assert isinstance(leaving, SigningKey)
    records = [leaving, fresh]

    published_at_once = open_ring(records, SECRET_KEY, NOW)
    assert set(published_at_once.public.keys) == {old.kid, fresh.kid}
    assert published_at_once.signer(NOW).kid == old.kid
    assert published_at_once.signer(NOW + OVERLAP - 1).kid == old.kid
    assert published_at_once.signer(NOW + OVERLAP).kid == fresh.kid

    last_token_of_the_old_key = NOW + OVERLAP - 1 + LIFETIME
    late = open_ring(records, SECRET_KEY, last_token_of_the_old_key)
    assert old.kid in late.public.keys
    gone = open_ring(records, SECRET_KEY, NOW + OVERLAP + LIFETIME + keys.SKEW)
    assert set(gone.public.keys) == {fresh.kid}


def test_a_rotation_forgets_what_has_long_retired() -> None:
    retired = made(NOW - 9000, retired_at=NOW - 10)
    fresh = new_key(SECRET_KEY, Moment(NOW), active_at=NOW)
    changes = rotate([retired], fresh, POLICY, NOW)
    assert Forget(retired) in changes
    assert Put(fresh) in changes
    events = [c.record for c in changes if isinstance(c, Put) and isinstance(c.record, AuditEvent)]
    assert [event.kind for event in events] == ["key-rotated"]


def test_the_youngest_active_key_signs() -> None:
    records = [made(NOW - 30), made(NOW - 10), made(NOW + 50)]
    assert open_ring(records, SECRET_KEY, NOW).signer(NOW).kid == records[1].kid
