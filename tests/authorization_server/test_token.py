"""The token endpoint as a whole, on both databases: exchange, refresh, racers, replays, breakdowns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import jwt
import pytest

from mcplatch.authorization_server import introspect, revoke, token
from mcplatch.authorization_server.client_authentication import client_secret_basic
from mcplatch.authorization_server.decision import Refused
from mcplatch.moment import name_of
from mcplatch.protocol.access_token import AccessTokenClaims
from mcplatch.records import AccessToken, AuditEvent, AuthorizationCode, RefreshToken
from mcplatch.store.port import Put, Store, StoreDown, Transaction
from tests.authorization_server.stage import (
    EXCHANGE,
    answered,
    furnished,
    reason_of,
    refresh_form,
    the_grant,
)
from tests.world import (
    ISSUER,
    MAIL,
    NOTES,
    POLICY,
    SECRET,
    VERIFIER,
    basic,
    client,
    form,
)

pytestmark = pytest.mark.anyio

T = TypeVar("T")


@pytest.mark.requirement("AS-3", "AS-106", "AS-117", "AS-130", "AS-131", "AS-134")
async def test_a_code_becomes_tokens(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert body["scope"] == "notes:read notes:write"
    # A second opinion on the token, by another library.
    header = jwt.get_unverified_header(body["access_token"])
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": next(iter(at.ring.signers))}
    key = jwt.PyJWK(json.loads(at.ring.document)["keys"][0])
    claims = jwt.decode(body["access_token"], key, algorithms=["ES256"], audience=NOTES)
    assert claims["iss"] == ISSUER
    assert (claims["sub"], claims["client_id"]) == ("user-1", "client-1")
    assert claims["exp"] - claims["iat"] == 600
    assert claims["grant_id"] == "grant-1"


@pytest.mark.requirement("AS-32", "AS-132")
async def test_only_digests_are_kept(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    kept = await store.look(lambda t: t.one(RefreshToken, grant_id="grant-1"))
    assert kept is not None
    assert kept.token_hash == name_of(body["refresh_token"])
    events = await store.look(lambda t: t.all(AuditEvent, kind="code-exchanged"))
    assert [event.client_id for event in events] == ["client-1"]
    everything = repr((kept, events))
    assert body["refresh_token"] not in everything
    assert body["access_token"] not in everything


@pytest.mark.requirement("AS-30")
async def test_of_twenty_racers_for_one_code_one_wins(store: Store) -> None:
    at = await furnished(store)
    outcomes = await asyncio.gather(*(token.answer(EXCHANGE, None, at) for _ in range(20)))
    assert sum(isinstance(outcome, bytes) for outcome in outcomes) == 1
    refused = {o.reason.error for o in outcomes if isinstance(o, Refused)}
    assert refused == {"invalid_grant"}
    assert len(await store.look(lambda t: t.all(RefreshToken))) == 1


@pytest.mark.requirement("AS-38")
async def test_a_valid_replay_ends_what_the_code_had_given(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    assert await reason_of(EXCHANGE, at) == "code-replayed"
    assert (await the_grant(store)).revoked_because == "code-replayed"
    assert await reason_of(refresh_form(body["refresh_token"]), at) == "refresh-grant-ended"
    events = await store.look(lambda t: t.all(AuditEvent, outcome="refused"))
    assert [event.reason for event in events] == ["code-replayed"]


@pytest.mark.requirement("AS-38", "AS-40")
async def test_a_replay_with_a_wrong_verifier_ends_nothing(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    wrong = form(
        grant_type="authorization_code",
        code="code-1",
        code_verifier="w" * 43,
        client_id="client-1",
    )
    assert await reason_of(wrong, at) == "code-verifier-wrong"
    assert await answered(refresh_form(body["refresh_token"]), at)


@pytest.mark.requirement("AS-40", "AS-118")
async def test_a_refused_request_leaves_the_code_for_the_right_one(store: Store) -> None:
    at = await furnished(store)
    wrong = form(
        grant_type="authorization_code",
        code="code-1",
        code_verifier=VERIFIER,
        client_id="client-1",
        resource=MAIL,
    )
    assert await reason_of(wrong, at) == "resource-not-granted"
    assert await answered(EXCHANGE, at)


@pytest.mark.requirement("AS-135", "AS-136", "AS-137")
async def test_twenty_parallel_refreshes_give_one_successor_and_lose_nobody(store: Store) -> None:
    at = await furnished(store)
    first = (await answered(EXCHANGE, at))["refresh_token"]
    # One more than the limit of retries would end the grant, by design.
    many = POLICY.most_retries + 1
    bodies = await asyncio.gather(
        *(token.answer(refresh_form(first), None, at) for _ in range(many))
    )
    assert len(set(map(bytes, bodies))) == 1  # type: ignore[arg-type]
    successor = json.loads(bodies[0])["refresh_token"]  # type: ignore[arg-type]
    assert (await the_grant(store)).generation == 1
    assert (await answered(refresh_form(successor), at))["refresh_token"] != successor


@pytest.mark.requirement("AS-135")
async def test_an_older_refresh_token_ends_the_grant(store: Store) -> None:
    at = await furnished(store)
    first = (await answered(EXCHANGE, at))["refresh_token"]
    second = (await answered(refresh_form(first), at))["refresh_token"]
    third = (await answered(refresh_form(second), at))["refresh_token"]
    assert await reason_of(refresh_form(first), at) == "refresh-token-reused"
    assert await reason_of(refresh_form(third), at) == "refresh-grant-ended"
    assert (await the_grant(store)).revoked_because == "refresh-token-reused"


@pytest.mark.requirement("AS-136", "AS-141")
async def test_use_of_the_new_token_closes_the_late_window(store: Store) -> None:
    at = await furnished(store)
    first = (await answered(EXCHANGE, at))["refresh_token"]
    second = await answered(refresh_form(first), at)
    claims = await introspect.answer(
        form(token=second["access_token"]), basic(NOTES, "notes-secret"), at
    )
    assert isinstance(claims, AccessTokenClaims)
    confirmed = await store.look(lambda t: t.one(RefreshToken, generation=1))
    assert confirmed is not None
    assert confirmed.confirmed_at is not None


@pytest.mark.requirement("AS-95", "AS-96", "AS-135", "E13")
async def test_a_confidential_client_refreshes_without_rotation(store: Store) -> None:
    at = await furnished(store, client_id="client-2")
    asked = form(grant_type="authorization_code", code="code-1", code_verifier=VERIFIER)
    header = basic("client-2", SECRET)
    first = (await answered(asked, at, header))["refresh_token"]
    again = form(grant_type="refresh_token", refresh_token=first)
    assert "refresh_token" not in await answered(again, at, header)
    assert "refresh_token" not in await answered(again, at, header)


AUTHENTICATION = [
    ("nobody", form(), None, "client-unidentified"),
    ("unknown", form(client_id="x"), None, "client-unknown"),
    (
        "id alone for a client with a secret",
        form(client_id="client-2"),
        None,
        "client-authentication-method-wrong",
    ),
    (
        "post for a basic client",
        form(client_id="client-2", client_secret=SECRET),
        None,
        "client-authentication-method-wrong",
    ),
    (
        "secret for a public client",
        form(client_id="client-1", client_secret="x"),
        None,
        "client-authentication-method-wrong",
    ),
    ("wrong secret", form(), basic("client-2", "wrong"), "client-secret-wrong"),
    ("empty secret", form(), basic("client-2", ""), "authorization-header-malformed"),
    ("bearer", form(client_id="client-1"), "Bearer x", "authorization-header-malformed"),
    ("no base64", form(), "Basic %%%", "authorization-header-malformed"),
    (
        "two methods",
        form(client_id="client-2", client_secret=SECRET),
        basic("client-2", SECRET),
        "client-authentication-mixed",
    ),
    ("two ids", form(client_id="client-1"), basic("client-2", SECRET), "client-ids-differ"),
    ("secret without id", form(client_secret="x"), None, "client-secret-without-client-id"),
]


@pytest.mark.requirement("AS-97", "AS-100")
@pytest.mark.parametrize(
    ("_name", "who", "header", "reason"), AUTHENTICATION, ids=[row[0] for row in AUTHENTICATION]
)
async def test_a_client_that_does_not_prove_itself_gets_nothing(
    store: Store, _name: str, who: Any, header: str | None, reason: str
) -> None:
    at = await furnished(store, client_id="client-2")
    base = {"grant_type": "authorization_code", "code": "code-1", "code_verifier": VERIFIER}
    asked = form(**base, **{name: who.get(name) for name in who.names()})
    found = await reason_of(asked, at, header)
    assert reason in found
    spent = await store.look(lambda t: t.one(AuthorizationCode, grant_id="grant-1"))
    assert spent is not None
    assert spent.spent_at is None


@pytest.mark.requirement("AS-24", "AS-105")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (form(client_id="client-1"), "grant-type-missing"),
        (form(client_id="client-1", grant_type="password"), "grant-type-unsupported"),
        (form(client_id="client-1", grant_type="client_credentials"), "grant-type-unsupported"),
        (form(grant_type="authorization_code", code="c"), "client-unidentified"),
        (form(client_id="client-1", grant_type="refresh_token"), "refresh-token-missing"),
    ],
)
async def test_what_is_not_a_request_of_ours(store: Store, asked: Any, reason: str) -> None:
    assert await reason_of(asked, await furnished(store)) == reason


async def test_a_grant_type_the_client_did_not_register_is_refused(store: Store) -> None:
    at = await furnished(store)
    only = client(client_id="client-3", grant_types=("authorization_code",))
    await store.settle(lambda t: t.apply((Put(only),)))
    asked = form(grant_type="refresh_token", refresh_token="r", client_id="client-3")
    assert await reason_of(asked, at) == "grant-type-not-allowed"


@pytest.mark.requirement("AS-88")
async def test_a_blocked_client_is_refused(store: Store) -> None:
    at = await furnished(store)
    blocked = client(client_id="client-3", blocked_at=1)
    await store.settle(lambda t: t.apply((Put(blocked),)))
    asked = form(grant_type="refresh_token", refresh_token="r", client_id="client-3")
    assert await reason_of(asked, at) == "client-blocked"


def test_basic_reads_what_the_standard_client_writes() -> None:
    found = client_secret_basic.present(form(), basic("client 2/ü", SECRET))
    assert getattr(found, "client_id", None) == "client 2/ü"
    assert getattr(found, "secret", None) == SECRET


# ── breakdowns ──────────────────────────────────────────────────────────────────────────────────


class RunsTwice:
    """A store that rehearses each work, undoes it, and runs it again: decisions have no side effects."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.look = inner.look
        self.close = inner.close

    async def settle(self, work: Callable[[Transaction], T]) -> T:
        def rehearsal(transaction: Transaction) -> None:
            work(transaction)
            raise Rehearsed("rehearsed")

        with pytest.raises(Rehearsed):
            await self._inner.settle(rehearsal)
        return await self._inner.settle(work)


class Rehearsed(Exception):
    """Undoes a rehearsal."""


async def test_every_work_may_run_twice(store: Store) -> None:
    at = replace(await furnished(store), store=RunsTwice(store))
    first = await answered(EXCHANGE, at)
    second = await answered(refresh_form(first["refresh_token"]), at)
    assert await answered(refresh_form(first["refresh_token"]), at) == second
    asked = form(token=second["access_token"], client_id="client-1")
    assert await revoke.answer(asked, None, at) is None
    assert len(await store.look(lambda t: t.all(RefreshToken))) == 2
    assert len(await store.look(lambda t: t.all(AccessToken))) == 1


async def test_a_signature_that_fails_leaves_the_code_unspent(store: Store) -> None:
    at = await furnished(store)
    ring = at.ring
    at.ring = replace(ring, signers={})
    with pytest.raises(KeyError):
        await token.answer(EXCHANGE, None, at)
    at.ring = ring
    assert await answered(EXCHANGE, at)


async def test_a_database_that_is_gone_is_not_a_refusal(store: Store) -> None:
    at = await furnished(store)
    await store.close()
    with pytest.raises(StoreDown):
        await token.answer(EXCHANGE, None, at)
