"""A resource that the operator has taken out of the configuration gets no more tokens, and nothing is spent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcplatch.authorization_server import token
from mcplatch.authorization_server.decision import Refused
from mcplatch.records import AuthorizationCode
from mcplatch.store.port import Store
from tests.authorization_server.stage import EXCHANGE, furnished
from tests.world import NOTES, POLICY

pytestmark = pytest.mark.anyio


async def test_a_code_for_a_resource_that_is_gone_is_refused_and_stays(store: Store) -> None:
    at = await furnished(store)
    at.policy = replace(
        POLICY, resources=tuple(r for r in POLICY.resources if r.identifier != NOTES)
    )
    refused = await token.answer(EXCHANGE, None, at)
    assert isinstance(refused, Refused)
    assert refused.reason.name == "resource-gone"
    assert refused.reason.error == "invalid_target"
    (code,) = await store.look(lambda t: t.all(AuthorizationCode))
    assert code.spent_at is None
