"""Which JWTs are access tokens for this resource, and which only look like it (RFC 9068, RFC 8725)."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx2
import jwt
import pytest

from mcplatch import jose
from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import ISSUER, NOW, RESOURCE, Clock, Issuer, encode
from tests.resource_server.servers import make_app, make_latch, serving
from tests.resource_server.wire import ask, call, challenge, result, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("RS-41", "RS-49", "RS-52")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_a_good_token_lets_in_and_names_its_person(
    anyhow: httpx2.AsyncClient, issuer: Issuer, scheme: str
) -> None:
    spoofed = {"x-forwarded-user": "eve", "x_user": "eve", "x_mcp_identity": "eve"}
    response = await call(
        anyhow, "whoami", authorization=f"{scheme} {issuer.token('notes:read other')}", **spoofed
    )
    assert response.status_code == 200
    assert json.loads(text_of(response)) == {
        "sub": "ada",
        "iss": ISSUER,
        "client_id": "https://client.example/client.json",
        "scopes": ["notes:read", "other"],
        "resource": RESOURCE,
        "expires_at": NOW + 600,
        "claims_iss": ISSUER,
        "grant_id": "grant-1",
        "token": "",
    }


GOOD_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("one audience", {}),
    ("audience in a list", {"aud": ["https://other.example", RESOURCE]}),
    ("audience in upper case", {"aud": "HTTPS://NOTES.example/mcp"}),
    ("audience with its port", {"aud": "https://notes.example:443/mcp"}),
    ("expired within the leeway", {"exp": NOW - 20}),
    ("issued within the leeway", {"iat": NOW + 20}),
    ("valid within the leeway", {"nbf": NOW + 20}),
    ("times with fractions", {"exp": NOW + 60.5, "iat": NOW - 0.5}),
    ("scope as a list", {"scope": ["notes:read", "x"]}),
    ("no jti", {"jti": None}),
    ("no grant", {"grant_id": None}),
    ("no iat", {"iat": None}),
    ("more claims", {"acr": "1", "act": {"sub": "x"}}),
]

BAD_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("no audience", {"aud": None}),
    ("empty audiences", {"aud": []}),
    ("sibling path", {"aud": "https://notes.example/other"}),
    ("parent", {"aud": "https://notes.example"}),
    ("child", {"aud": "https://notes.example/mcp/x"}),
    ("slash at the end", {"aud": "https://notes.example/mcp/"}),
    ("prefix", {"aud": "https://notes.example/mc"}),
    ("other host", {"aud": "https://notes.example.evil/mcp"}),
    ("other scheme", {"aud": "http://notes.example/mcp"}),
    ("other port", {"aud": "https://notes.example:8443/mcp"}),
    ("query", {"aud": "https://notes.example/mcp?x"}),
    ("path in upper case", {"aud": "https://notes.example/MCP"}),
    ("audience is an object", {"aud": {"x": RESOURCE}}),
    ("audience is a number", {"aud": 1}),
    ("a number among audiences", {"aud": [RESOURCE, 1]}),
    ("issuer with a slash", {"iss": ISSUER + "/"}),
    ("issuer in upper case", {"iss": ISSUER.upper()}),
    ("no issuer", {"iss": None}),
    ("issuer in a list", {"iss": [ISSUER]}),
    ("expired", {"exp": NOW - 31}),
    ("no expiry", {"exp": None}),
    ("expiry is text", {"exp": str(NOW + 600)}),
    ("expiry is true", {"exp": True}),
    ("expiry is past all measure", {"exp": 1e300}),
    ("issued in the future", {"iat": NOW + 61}),
    ("issued at a text", {"iat": "now"}),
    ("not yet valid", {"nbf": NOW + 61}),
    ("not before a text", {"nbf": "soon"}),
    ("no subject", {"sub": None}),
    ("empty subject", {"sub": ""}),
    ("subject is a number", {"sub": 7}),
    ("no client", {"client_id": None}),
    ("client is a list", {"client_id": ["x"]}),
    ("scope is an object", {"scope": {"notes:read": True}}),
    ("scope with a quote", {"scope": 'notes:read "'}),
    ("jti is a number", {"jti": 7}),
    ("grant is a number", {"grant_id": 7}),
    ("bound to a key", {"cnf": {"jkt": "x"}}),
]


@pytest.mark.requirement("RS-42", "RS-44")
@pytest.mark.parametrize(("name", "changes"), GOOD_CLAIMS, ids=[n for n, _ in GOOD_CLAIMS])
async def test_claims_that_are_accepted(
    client: httpx2.AsyncClient, issuer: Issuer, name: str, changes: dict[str, Any]
) -> None:
    assert (await call(client, "list_notes", issuer.token(**changes))).status_code == 200


@pytest.mark.requirement("RS-42", "RS-44", "RS-5")
@pytest.mark.parametrize(("name", "changes"), BAD_CLAIMS, ids=[n for n, _ in BAD_CLAIMS])
async def test_claims_that_are_refused(
    client: httpx2.AsyncClient, issuer: Issuer, name: str, changes: dict[str, Any]
) -> None:
    response = await call(client, "list_notes", issuer.token(**changes))
    assert response.status_code == 401
    assert challenge(response).get("error") == "invalid_token"


@pytest.mark.requirement("RS-42")
@pytest.mark.parametrize("audience", ["https://notes.example", "https://notes.example/"])
async def test_one_slash_after_an_origin_is_the_same_resource(
    issuer: Issuer, clock: Clock, audience: str
) -> None:
    latch = make_latch(issuer, clock, resource="https://notes.example")
    async with serving(make_app("mcp", latch, streamable_http_path="/")) as client:
        response = await call(client, "list_notes", issuer.token(aud=audience), path="/")
        assert response.status_code == 200


@pytest.mark.requirement("RS-43", "RS-45")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
async def test_the_type_of_an_access_token(
    client: httpx2.AsyncClient, issuer: Issuer, typ: str
) -> None:
    assert (await call(client, "list_notes", issuer.token(typ=typ))).status_code == 200


@pytest.mark.requirement("RS-43", "RS-45")
@pytest.mark.parametrize(
    "typ",
    ["JWT", "", "jwt", "logout+jwt", "oauth-id-jag+jwt", "dpop+jwt", "client-authentication+jwt",
     "at+jwt ", "x/at+jwt", "application/application/at+jwt", "token-introspection+jwt"],
)  # fmt: skip
async def test_what_the_same_server_signed_for_another_use_is_no_access_token(
    client: httpx2.AsyncClient, issuer: Issuer, typ: str
) -> None:
    response = await call(client, "list_notes", issuer.token(typ=typ))
    assert response.status_code == 401


@pytest.mark.requirement("RS-54", "RS-5")
@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "...",
        "eyJ.eyJ.eyJ",
        "x" * 8192,
        "x" * 8193,
        "x" * 200_000,
        ".".join(["x" * 60_000] * 3),
        "%00",
        "\x00",
        "a b",
        "a,b",
        '"',
        "é",
        "\xff\xfe",
        "=",
        "=a",
        "a=b",
    ],
)
async def test_garbled_tokens_are_401_and_never_500(
    client: httpx2.AsyncClient, issuer: Issuer, token: str
) -> None:
    value = b"Bearer " + token.encode("latin-1")
    response = await client.post(
        "/mcp", json={}, headers=[(b"authorization", value), (b"accept", b"*/*")]
    )
    assert response.status_code == 401
    assert challenge(response).get("error") == "invalid_token"
    assert issuer.asked == []


@pytest.mark.requirement("RS-43", "RS-54")
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        b'{"iss": "\xff"}',
        b'{"sub": "ada", "sub": "eve"}',
        b'{"exp": NaN}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b"{}",
        b"1" * 5000,
    ],
)
async def test_a_well_signed_payload_may_still_be_nonsense(
    client: httpx2.AsyncClient, issuer: Issuer, payload: bytes
) -> None:
    token = jwt.api_jws.encode(payload, issuer.pem, "ES256", headers={"typ": "at+jwt", "kid": "k1"})
    response = await call(client, "list_notes", token)
    assert response.status_code == 401


@pytest.mark.requirement("RS-40")
async def test_a_session_id_never_authenticates(client: httpx2.AsyncClient, issuer: Issuer) -> None:
    """Every request is judged by its own token: with a session and no token, or another's token."""
    era = "2025-11-25"
    token = issuer.token()
    opened = await ask(client, "initialize", era=era, token=token)
    session = opened.headers["mcp-session-id"]
    mine = await call(client, "list_notes", token, era=era, mcp_session_id=session)
    assert mine.status_code == 200
    nobody = await call(client, "list_notes", era=era, mcp_session_id=session)
    assert nobody.status_code == 401
    eve = issuer.token(sub="eve")
    assert (
        await call(client, "list_notes", eve, era=era, mcp_session_id=session)
    ).status_code == 404
    namesake = issuer.token(client_id="https://other.example/client.json")
    other = await call(client, "list_notes", namesake, era=era, mcp_session_id=session)
    assert other.status_code == 404
    for verb in ("GET", "DELETE"):
        ended = await client.request(verb, "/mcp", headers={"mcp-session-id": session})
        assert ended.status_code == 401
    notified = await ask(client, "notifications/initialized", era=era, mcp_session_id=session)
    assert notified.status_code == 401
    still = await call(client, "list_notes", token, era=era, mcp_session_id=session)
    assert still.status_code == 200


@pytest.mark.requirement("RS-51")
async def test_each_issuer_signs_for_itself_only(clock: Clock) -> None:
    """Two authorization servers, one subject: two people; and one's key is nothing to the other."""
    one = Issuer(url="https://one.example", pem=jose.new_private_key())
    two = Issuer(url="https://two.example", pem=jose.new_private_key())

    class Both(Issuer):
        def answer(self, request: httpx2.Request) -> httpx2.Response:
            return (one if request.url.host == "one.example" else two).answer(request)

    latch = make_latch(Both(), clock, issuers=(one.url, two.url))
    async with serving(make_app("mcp", latch)) as client:
        seen = []
        for server in (one, two):
            answer = await call(client, "whoami", server.token())
            assert answer.status_code == 200
            seen.append((json.loads(text_of(answer))["iss"], json.loads(text_of(answer))["sub"]))
        assert seen == [("https://one.example", "ada"), ("https://two.example", "ada")]
        crossed = two.token(iss="https://one.example")
        assert (await call(client, "whoami", crossed)).status_code == 401
        assert (await call(client, "whoami", two.token(iss="https://x.example"))).status_code == 401
        unreadable = (
            f"{encode(json.dumps({'alg': 'ES256', 'kid': 'k1', 'typ': 'at+jwt'}).encode())}.!.A"
        )
        assert (await call(client, "whoami", unreadable.replace("!", "AAAA"))).status_code == 401
        one.down = True
        clock.now += 301
        assert (await call(client, "whoami", two.token(iat=NOW))).status_code == 200


@pytest.mark.requirement("RS-46")
async def test_keys_are_fetched_once_and_at_most_once_an_interval(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    for number in range(5):
        assert (await call(client, "list_notes", issuer.token(jti=str(number)))).status_code == 200
    assert issuer.fetched_keys() == 1
    for number in range(20):
        unknown = issuer.token(kid=f"random-{number}")
        assert (await call(client, "list_notes", unknown)).status_code == 401
    assert issuer.fetched_keys() <= 2


@pytest.mark.requirement("RS-52")
async def test_a_token_is_never_logged(
    client: httpx2.AsyncClient, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, bad = issuer.token(), issuer.token(exp=NOW - 100)
    await call(client, "list_notes", good)
    await call(client, "list_notes", bad)
    await client.get(f"/mcp?access_token={good}")
    assert "token-expired" in caplog.text
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("mcplatch")]
    assert ours
    for token in (good, bad):
        assert token not in " ".join(ours)
        assert token.split(".")[2] not in " ".join(ours)


@pytest.mark.requirement("RS-52")
async def test_what_a_token_brought_is_stored_nowhere(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    response = await call(client, "list_notes", issuer.token())
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("RS-41")
async def test_a_token_in_the_query_is_not_looked_at(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    response = await client.get(f"/mcp?access_token={issuer.token()}")
    assert response.status_code == 401
    assert challenge(response).get("error") is None
    assert issuer.asked == []


@pytest.mark.requirement("RS-48", "RS-49")
async def test_the_application_does_not_see_the_token(issuer: Issuer, latch: Latch) -> None:
    token = issuer.token()
    for way in ("mcp", "fastmcp auth", "fastmcp", "any app"):
        async with serving(make_app(way, latch)) as client:
            response = await client.get("/health", headers={"authorization": f"Bearer {token}"})
            assert response.status_code == 200
            assert token not in response.text


@pytest.mark.requirement("RS-48")
async def test_the_token_can_be_kept_for_an_exchange(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, options={"keep_token": True})
    token = issuer.token()
    async with serving(make_app("mcp", latch)) as client:
        answer = await call(client, "whoami", token)
        assert json.loads(text_of(answer))["token"] == token * 2
        assert result(answer)["id"] == 1
