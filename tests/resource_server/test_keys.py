"""Where verification keys come from, how long they last and what an outage does to them (RFC 8414, RFC 7517)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from mcplatch import jose
from mcplatch.jose import PublicKeySet
from mcplatch.resource_server.jwt_verifier import JwtVerifier
from mcplatch.resource_server.key_source import INTERVAL, MOST_AGE, MOST_STALE, KeySource
from mcplatch.resource_server.outbound import Outbound, Unreachable
from mcplatch.resource_server.verdict import Invalid, Unavailable, Valid
from tests.resource_server.issuer import ISSUER, NOW, RESOURCE, Clock, Issuer

pytestmark = pytest.mark.anyio


def verifier(issuer: Issuer, tick: Clock, **options: Any) -> JwtVerifier:
    outbound = Outbound(transport=issuer.transport())
    source = KeySource(issuer.url, outbound, tick=tick, **options)
    return JwtVerifier(
        {issuer.url: source}, resource=RESOURCE, outbound=outbound, clock=lambda: NOW
    )


@pytest.mark.requirement("RS-46")
async def test_twenty_requests_wait_for_one_fetch(issuer: Issuer) -> None:
    judge = verifier(issuer, Clock(0))
    verdicts = await asyncio.gather(*(judge.verify(issuer.token()) for _ in range(20)))
    assert all(isinstance(verdict, Valid) for verdict in verdicts)
    assert issuer.asked == ["/.well-known/oauth-authorization-server", "/jwks"]


@pytest.mark.requirement("RS-46")
async def test_a_flood_of_unknown_keys_costs_one_fetch_an_interval(issuer: Issuer) -> None:
    tick = Clock(0)
    judge = verifier(issuer, tick)
    await judge.verify(issuer.token())
    for step in range(4):
        tick.now = INTERVAL * step + 1
        tokens = (issuer.token(kid=f"{step}-{number}") for number in range(50))
        verdicts = await asyncio.gather(*map(judge.verify, tokens))
        assert all(isinstance(verdict, Invalid) for verdict in verdicts)
        assert issuer.fetched_keys() == step + 1


@pytest.mark.requirement("RS-46")
@pytest.mark.parametrize("kid", ["k2", "k1"])
async def test_a_new_key_is_found_even_under_an_old_name(issuer: Issuer, kid: str) -> None:
    tick = Clock(0)
    judge = verifier(issuer, tick)
    assert isinstance(await judge.verify(issuer.token()), Valid)
    issuer.pem, issuer.kid = jose.new_private_key(), kid
    assert isinstance(await judge.verify(issuer.token()), Invalid)
    tick.now += INTERVAL
    assert isinstance(await judge.verify(issuer.token()), Valid)


@pytest.mark.requirement("RS-46", "RS-14")
async def test_old_keys_serve_for_a_bounded_time_while_the_issuer_is_away(issuer: Issuer) -> None:
    tick = Clock(0)
    judge = verifier(issuer, tick)
    assert isinstance(await judge.verify(issuer.token()), Valid)
    issuer.down = True
    tick.now = MOST_STALE
    assert isinstance(await judge.verify(issuer.token()), Valid)
    assert isinstance(await judge.verify(issuer.token(kid="k2")), Unavailable)
    forged = jose.signer("k1", jose.new_private_key()).sign(issuer.claims(), typ="at+jwt")
    assert isinstance(await judge.verify(forged), Invalid)
    tick.now = MOST_STALE + 1
    assert isinstance(await judge.verify(issuer.token()), Unavailable)
    issuer.down = False
    tick.now += 3
    assert isinstance(await judge.verify(issuer.token()), Valid)


@pytest.mark.requirement("RS-46")
async def test_a_withdrawn_key_goes_when_keys_are_fetched_anew(issuer: Issuer) -> None:
    tick = Clock(0)
    judge = verifier(issuer, tick)
    old = issuer.token()
    assert isinstance(await judge.verify(old), Valid)
    issuer.pem, issuer.kid = jose.new_private_key(), "k2"
    tick.now = MOST_AGE + 1
    assert isinstance(await judge.verify(old), Invalid)
    assert isinstance(await judge.verify(issuer.token()), Valid)


@pytest.mark.requirement("RS-14", "RS-46")
async def test_an_issuer_that_is_away_is_not_asked_by_every_request(issuer: Issuer) -> None:
    tick = Clock(0)
    issuer.down = True
    judge = verifier(issuer, tick)
    for _ in range(30):
        assert isinstance(await judge.verify(issuer.token()), Unavailable)
    assert len(issuer.asked) == 2
    issuer.down = False
    tick.now += 2
    assert isinstance(await judge.verify(issuer.token()), Valid)


async def test_a_token_that_is_wrong_by_itself_costs_no_fetch(issuer: Issuer) -> None:
    judge = verifier(issuer, Clock(0))
    for token in ("x", issuer.token(typ="JWT"), issuer.token() + ".x"):
        assert isinstance(await judge.verify(token), Invalid)
    assert issuer.asked == []


@pytest.mark.requirement("RS-14", "RS-46")
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/jwks", httpx2.Response(404)),
        ("/jwks", httpx2.Response(500)),
        ("/jwks", httpx2.Response(200, text="<html>")),
        ("/jwks", httpx2.Response(200, json=[])),
        ("/jwks", httpx2.Response(200, json={})),
        ("/jwks", httpx2.Response(200, json={"keys": []})),
        ("/jwks", httpx2.Response(200, json={"keys": {"k1": {}}})),
        ("/jwks", httpx2.Response(200, json={"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1"}]})),
        ("/jwks", httpx2.Response(200, content=b" " * 300_000)),
        ("/jwks", httpx2.Response(302, headers={"location": "https://evil.example/jwks"})),
        ("/.well-known/oauth-authorization-server", httpx2.Response(200, json={})),
        (
            "/.well-known/oauth-authorization-server",
            httpx2.Response(200, json={"issuer": ISSUER + "/", "jwks_uri": ISSUER + "/jwks"}),
        ),
        ("/.well-known/oauth-authorization-server", httpx2.Response(200, json={"issuer": ISSUER})),
        (
            "/.well-known/oauth-authorization-server",
            httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://auth.example/jwks"}),
        ),
        (
            "/.well-known/oauth-authorization-server",
            httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}),
        ),
    ],
)
async def test_documents_that_cannot_be_used_are_an_outage(
    issuer: Issuer, path: str, answer: httpx2.Response
) -> None:
    issuer.answers[path] = answer
    assert isinstance(await verifier(issuer, Clock(0)).verify(issuer.token()), Unavailable)


async def test_metadata_is_found_where_openid_puts_it(issuer: Issuer) -> None:
    issuer.answers["/.well-known/oauth-authorization-server"] = httpx2.Response(404)
    issuer.answers["/.well-known/openid-configuration"] = httpx2.Response(
        200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
    )
    assert isinstance(await verifier(issuer, Clock(0)).verify(issuer.token()), Valid)


async def test_the_address_of_the_keys_can_be_configured(issuer: Issuer) -> None:
    judge = verifier(issuer, Clock(0), jwks_uri=f"{ISSUER}/jwks")
    assert isinstance(await judge.verify(issuer.token()), Valid)
    assert issuer.asked == ["/jwks"]


@pytest.mark.requirement("RS-46")
async def test_an_answer_that_never_ends_is_cut_off() -> None:
    class Slow(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, stream=Slow()))
    outbound = Outbound(transport=transport, timeout=0.05)
    answer = await outbound.get_json(f"{ISSUER}/jwks")
    assert isinstance(answer, Unreachable)
    await outbound.aclose()


async def test_newer_keys_than_those_of_another_request_are_taken_as_they_are(
    issuer: Issuer,
) -> None:
    source = KeySource(ISSUER, Outbound(transport=issuer.transport()), tick=Clock(0))
    current = await source.current()
    assert isinstance(current, PublicKeySet)
    assert await source.newer(PublicKeySet({})) is current
    assert await source.newer(current) is current
