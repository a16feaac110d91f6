"""Introspection, revocation, and guessing of secrets, on both databases."""

from __future__ import annotations

import pytest

from mcplatch.authorization_server import guessing, introspect, revoke, token
from mcplatch.authorization_server.decision import Refused
from mcplatch.moment import name_of
from mcplatch.protocol.access_token import AccessTokenClaims
from mcplatch.protocol.refusal import Reason
from mcplatch.records import AuditEvent
from mcplatch.store.port import Put, Store
from tests.authorization_server.stage import (
    EXCHANGE,
    active,
    answered,
    furnished,
    reason_of,
    refresh_form,
    the_grant,
)
from tests.world import MAIL, NOTES, SECRET, basic, form, grant, refresh_token

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("AS-141")
async def test_introspection_tells_a_resource_server_about_its_own_tokens_only(
    store: Store,
) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    claims = await active(at, body["access_token"])
    assert isinstance(claims, AccessTokenClaims)
    assert (claims.sub, claims.aud, claims.grant_id) == ("user-1", (NOTES,), "grant-1")
    assert await active(at, body["access_token"], MAIL, "mail-secret") is None
    assert await active(at, body["refresh_token"]) is None
    assert await active(at, body["access_token"] + "x") is None
    assert await active(at, "x") is None


@pytest.mark.requirement("AS-141")
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, introspect.CALLER_UNIDENTIFIED),
        ("Bearer x", introspect.CALLER_UNIDENTIFIED),
        (basic(NOTES, "wrong"), introspect.CALLER_UNKNOWN),
        (basic("https://nobody.example/", "x"), introspect.CALLER_UNKNOWN),
    ],
)
async def test_introspection_answers_nobody_else(
    store: Store, header: str | None, reason: Reason
) -> None:
    at = await furnished(store)
    refused = await introspect.answer(form(token="x"), header, at)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert reason.status == 401


@pytest.mark.requirement("AS-132", "AS-141")
async def test_an_opaque_access_token_lives_by_its_row(store: Store) -> None:
    at = await furnished(store, resource=MAIL, scope=("mail:read",))
    body = await answered(EXCHANGE, at)
    opaque = body["access_token"]
    assert "." not in opaque
    claims = await active(at, opaque, MAIL, "mail-secret")
    assert isinstance(claims, AccessTokenClaims)
    assert claims.scope == ("mail:read",)
    assert await active(at, opaque) is None
    assert await revoke.answer(form(token=opaque, client_id="client-1"), None, at) is None
    assert await active(at, opaque, MAIL, "mail-secret") is None


@pytest.mark.requirement("AS-140")
async def test_a_refresh_token_takes_its_grant_along(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    asked = form(token=body["refresh_token"], client_id="client-1", token_type_hint="nonsense")
    assert await revoke.answer(asked, None, at) is None
    assert await revoke.answer(asked, None, at) is None
    assert await active(at, body["access_token"]) is None
    assert await reason_of(refresh_form(body["refresh_token"]), at) == "refresh-grant-ended"
    events = await store.look(lambda t: t.all(AuditEvent, kind="grant-revoked"))
    assert len(events) == 1


@pytest.mark.requirement("AS-73", "AS-140")
async def test_what_one_installation_gives_back_the_other_keeps(store: Store) -> None:
    """All installations of a public client share its id; their grants have nothing in common."""
    at = await furnished(store)
    first = await answered(EXCHANGE, at)
    now = await store.look(lambda t: t.now)
    other = grant(grant_id="grant-2", expires_at=now + 9999, refresh_hash=name_of("refresh-9"))
    token_of_other = refresh_token(
        token_hash=name_of("refresh-9"), grant_id="grant-2", expires_at=now + 9999
    )
    await store.settle(lambda t: t.apply((Put(other), Put(token_of_other))))
    asked = form(token=first["refresh_token"], client_id="client-1")
    assert await revoke.answer(asked, None, at) is None
    assert await reason_of(refresh_form(first["refresh_token"]), at) == "refresh-grant-ended"
    assert await answered(refresh_form("refresh-9"), at)


@pytest.mark.requirement("AS-140")
async def test_an_access_token_goes_alone(store: Store) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    asked = form(token=body["access_token"], client_id="client-1")
    assert await revoke.answer(asked, None, at) is None
    assert await revoke.answer(asked, None, at) is None
    assert await active(at, body["access_token"]) is None
    assert (await the_grant(store)).revoked_at is None
    again = await answered(refresh_form(body["refresh_token"]), at)
    assert await active(at, again["access_token"]) is not None


@pytest.mark.requirement("AS-140")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_strangers_revoke_nothing(store: Store, kind: str) -> None:
    at = await furnished(store)
    body = await answered(EXCHANGE, at)
    refused = await revoke.answer(form(token=body[kind]), basic("client-2", SECRET), at)
    assert isinstance(refused, Refused)
    assert refused.reason.name == "revocation-token-of-another-client"
    assert await active(at, body["access_token"]) is not None
    unknown = await revoke.answer(form(token="unknown", client_id="client-1"), None, at)
    assert unknown is None
    nobody = await revoke.answer(form(token="unknown"), None, at)
    assert isinstance(nobody, Refused)
    nothing = await revoke.answer(form(client_id="client-1"), None, at)
    assert isinstance(nothing, Refused)
    assert nothing.reason.name == "revocation-token-missing"


async def test_introspection_without_a_token_is_a_mistake(store: Store) -> None:
    refused = await introspect.answer(form(), basic(NOTES, "notes-secret"), await furnished(store))
    assert isinstance(refused, Refused)
    assert refused.reason.name == "introspection-token-missing"


@pytest.mark.requirement("AS-99")
async def test_guessing_secrets_is_slowed_down_for_the_guesser_only(store: Store) -> None:
    at = await furnished(store, client_id="client-2")
    asked = form(grant_type="refresh_token", refresh_token="r")
    wrong = basic("client-2", "wrong")
    many = guessing.GUESSES.times + 2
    outcomes = [await token.answer(asked, wrong, at, address="192.0.2.1") for _ in range(many)]
    reasons = [outcome.reason.name for outcome in outcomes if isinstance(outcome, Refused)]
    assert reasons[:-2] == ["client-secret-wrong"] * guessing.GUESSES.times
    assert reasons[-1] == "secret-guesses-too-many"
    right = basic("client-2", SECRET)
    here = await token.answer(asked, right, at, address="192.0.2.1")
    elsewhere = await token.answer(asked, right, at, address="192.0.2.2")
    assert isinstance(here, Refused)
    assert here.reason is guessing.GUESSES_TOO_MANY
    assert isinstance(elsewhere, Refused)
    assert elsewhere.reason.name == "refresh-token-unknown"


@pytest.mark.requirement("AS-99", "AS-141")
async def test_guessing_at_introspection_is_slowed_down(store: Store) -> None:
    at = await furnished(store)
    for _ in range(guessing.GUESSES.times):
        await introspect.answer(form(token="x"), basic(NOTES, "no"), at, address="192.0.2.1")
    refused = await introspect.answer(form(token="x"), basic(NOTES, "no"), at, address="192.0.2.1")
    assert isinstance(refused, Refused)
    assert refused.reason is guessing.GUESSES_TOO_MANY
    right = form(token="x"), basic(NOTES, "notes-secret"), at
    assert await introspect.answer(*right, address="192.0.2.1") is None
