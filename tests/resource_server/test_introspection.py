"""Asking the authorization server about a token: what is believed, for how long, and what an outage is (RFC 7662)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from mcplatch.resource_server.introspection_verifier import basic
from tests.resource_server.issuer import NOW, Clock, Issuer
from tests.resource_server.servers import introspecting, make_app, make_latch, serving
from tests.resource_server.wire import call, challenge

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asking(issuer: Issuer, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that introspects tokens."""
    latch = make_latch(issuer, clock, **introspecting())
    async with serving(make_app("mcp", latch, json_response=True)) as client:
        yield client


def active(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    return {"active": True, "token_type": "Bearer", **issuer.claims(**changes)}


@pytest.mark.requirement("RS-47")
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth", "fastmcp", "any app"])
async def test_an_active_token_lets_in_whatever_it_looks_like(
    issuer: Issuer, clock: Clock, way: str
) -> None:
    issuer.introspected["opaque-1"] = active(issuer)
    latch = make_latch(issuer, clock, **introspecting())
    async with serving(make_app(way, latch)) as client:
        assert (await call(client, "whoami", "opaque-1")).status_code == 200
        assert (await call(client, "delete_note", "opaque-1")).status_code == 403
        assert (await call(client, "whoami", "opaque-2")).status_code == 401


@pytest.mark.requirement("RS-47")
async def test_the_question_is_authenticated_and_carries_the_token_in_its_body(
    issuer: Issuer, clock: Clock
) -> None:
    seen: list[httpx2.Request] = []

    class Recording(Issuer):
        def answer(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            return super().answer(request)

    server = Recording()
    server.introspected["opaque-1"] = active(server)
    latch = make_latch(server, clock, **introspecting())
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "whoami", "opaque-1")).status_code == 200
    question = seen[-1]
    assert question.method == "POST"
    assert question.headers["authorization"] == "Basic bm90ZXM6czNjJTNBcmV0"
    assert question.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(question.content.decode()) == {
        "token": ["opaque-1"],
        "token_type_hint": ["access_token"],
    }
    assert "opaque-1" not in str(question.url)


@pytest.mark.requirement("RS-47")
def test_both_halves_of_the_credentials_are_encoded() -> None:
    assert basic("a b:c", "p%q+r") == "Basic YStiJTNBYzpwJTI1cSUyQnI="


@pytest.mark.requirement("RS-47")
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://mail.example/mcp"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 100},
        {"sub": None},
        {"client_id": None},
        {"cnf": {"jkt": "x"}},
    ],
)
async def test_what_the_answer_says_is_checked_again(
    asking: httpx2.AsyncClient, issuer: Issuer, changes: dict[str, Any]
) -> None:
    issuer.introspected["opaque-1"] = active(issuer, **changes)
    response = await call(asking, "list_notes", "opaque-1")
    # An answer without what it must have is the server's fault: the token may be good.
    assert response.status_code == (503 if None in changes.values() else 401)
    assert response.status_code != 200


@pytest.mark.requirement("RS-47", "RS-50")
async def test_a_revoked_token_stops_when_the_answer_is_no_longer_reused(
    asking: httpx2.AsyncClient, issuer: Issuer, clock: Clock
) -> None:
    issuer.introspected["opaque-1"] = active(issuer)
    for _ in range(5):
        assert (await call(asking, "list_notes", "opaque-1")).status_code == 200
    assert issuer.asked.count("/introspect") == 1
    issuer.introspected["opaque-1"] = {"active": False}
    assert (await call(asking, "list_notes", "opaque-1")).status_code == 200
    clock.now += 3
    assert (await call(asking, "list_notes", "opaque-1")).status_code == 401


@pytest.mark.requirement("RS-47")
async def test_an_answer_is_never_reused_past_the_tokens_end(
    asking: httpx2.AsyncClient, issuer: Issuer, clock: Clock
) -> None:
    issuer.introspected["opaque-1"] = active(issuer, exp=NOW + 1)
    assert (await call(asking, "list_notes", "opaque-1")).status_code == 200
    clock.now += 1
    issuer.introspected["opaque-1"] = {"active": False}
    assert (await call(asking, "list_notes", "opaque-1")).status_code == 401


@pytest.mark.requirement("RS-14", "RS-47")
@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(401, json={"error": "invalid_client"}),
        httpx2.Response(403),
        httpx2.Response(404),
        httpx2.Response(429),
        httpx2.Response(500, text="Traceback"),
        httpx2.Response(503),
        httpx2.Response(302, headers={"location": "https://evil.example/"}),
        httpx2.Response(204),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json={"active": "true"}),
        httpx2.Response(200, json={"active": 1}),
        httpx2.Response(200, content=b'{"active": true, "active": false}'),
        httpx2.Response(200, json={"active": True}),
        httpx2.Response(200, content=b"x" * 300_000),
        httpx2.Response(200, content=b"[" * 100_000),
    ],
)
async def test_an_answer_that_cannot_be_used_is_an_outage_and_lets_nobody_in(
    asking: httpx2.AsyncClient, issuer: Issuer, answer: httpx2.Response
) -> None:
    issuer.answers["/introspect"] = answer
    response = await call(asking, "list_notes", "opaque-1")
    assert response.status_code == 503
    assert "retry-after" in response.headers
    assert "www-authenticate" not in response.headers


@pytest.mark.requirement("RS-14")
async def test_an_outage_is_over_when_it_is_over(
    asking: httpx2.AsyncClient, issuer: Issuer
) -> None:
    issuer.introspected["opaque-1"] = active(issuer)
    assert (await call(asking, "list_notes", "opaque-1")).status_code == 200
    issuer.down = True
    assert (await call(asking, "list_notes", "opaque-2")).status_code == 503
    issuer.down = False
    response = await call(asking, "list_notes", "opaque-2")
    assert response.status_code == 401
    assert challenge(response).get("error") == "invalid_token"


@pytest.mark.requirement("RS-14")
async def test_metadata_without_an_endpoint_is_an_outage(issuer: Issuer, clock: Clock) -> None:
    issuer.answers["/.well-known/oauth-authorization-server"] = httpx2.Response(
        200, json={"issuer": issuer.url}
    )
    latch = make_latch(issuer, clock, **introspecting())
    async with serving(make_app("mcp", latch)) as client:
        for _ in range(3):
            assert (await call(client, "list_notes", "opaque-1")).status_code == 503
    assert issuer.asked.count("/.well-known/oauth-authorization-server") == 1


async def test_the_endpoint_can_be_configured(issuer: Issuer, clock: Clock) -> None:
    issuer.introspected["opaque-1"] = active(issuer)
    latch = make_latch(issuer, clock, **introspecting(endpoint="https://auth.example/introspect"))
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "list_notes", "opaque-1")).status_code == 200
    assert issuer.asked == ["/introspect"]


@pytest.mark.requirement("RS-53")
async def test_a_secret_never_leaves_in_clear(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, **introspecting(endpoint="http://auth.example/introspect"))
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "list_notes", "opaque-1")).status_code == 503
    assert issuer.asked == []


def test_one_server_is_asked_and_its_secret_is_not_shown(issuer: Issuer, clock: Clock) -> None:
    two = ("https://one.example", "https://two.example")
    with pytest.raises(ValueError, match="one authorization server"):
        make_latch(issuer, clock, issuers=two, **introspecting())
    assert "s3c:ret" not in repr(introspecting())
