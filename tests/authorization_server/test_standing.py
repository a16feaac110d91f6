"""What ends a grant without touching it: its person, its client, its resource."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcplatch.authorization_server import standing
from mcplatch.authorization_server.policy import Policy
from mcplatch.authorization_server.standing import fallen
from mcplatch.protocol.refusal import Reason
from mcplatch.records import Client, User
from mcplatch.store.port import Put, Store
from tests.world import MAIL, POLICY, client, grant, person

pytestmark = pytest.mark.anyio

ONLY_MAIL = replace(POLICY, resources=tuple(r for r in POLICY.resources if r.identifier == MAIL))


@pytest.mark.parametrize(
    ("who", "by", "policy", "reason"),
    [
        (person(), client(), POLICY, None),
        (None, client(), POLICY, standing.PERSON_GONE),
        (person(locked_at=1), client(), POLICY, standing.PERSON_GONE),
        (person(), None, POLICY, standing.CLIENT_GONE),
        (person(), client(blocked_at=1), POLICY, standing.CLIENT_GONE),
        (person(), client(), ONLY_MAIL, standing.RESOURCE_GONE),
    ],
)
async def test_a_grant_stands_on_three_legs(
    store: Store, who: User | None, by: Client | None, policy: Policy, reason: Reason | None
) -> None:
    if who is not None:
        await store.settle(lambda t: t.apply((Put(who),)))
    assert await store.look(lambda t: fallen(t, grant(), by, policy)) is reason
