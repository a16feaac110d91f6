"""401, 403, 400 and 503: when each comes and what it says, on every kind of server (RFC 6750 section 3)."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import NOW, ORIGIN, Clock, Issuer
from tests.resource_server.servers import make_app, make_latch, serving
from tests.resource_server.wire import (
    LEGACY,
    MODERN,
    ask,
    call,
    challenge,
    headers,
    message,
    result,
    text_of,
)

pytestmark = pytest.mark.anyio

METADATA = f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"


@pytest.mark.requirement("RS-1", "RS-2", "RS-4", "RS-8", "RS-90")
@pytest.mark.parametrize(
    ("method", "era"),
    [
        ("initialize", LEGACY),
        ("server/discover", MODERN),
        ("tools/list", MODERN),
        ("tools/list", LEGACY),
        ("tools/call", MODERN),
        ("tools/call", LEGACY),
        ("resources/list", MODERN),
        ("notifications/initialized", LEGACY),
        ("subscriptions/listen", MODERN),
    ],
)
async def test_without_a_token_every_method_is_sent_to_sign_in(
    anyhow: httpx2.AsyncClient, method: str, era: str
) -> None:
    name = "list_notes" if method == "tools/call" else None
    response = await ask(anyhow, method, name, era=era)
    assert response.status_code == 401
    found = challenge(response)
    assert found.get("resource_metadata") == METADATA
    assert found.get("error") is None
    assert found.get("error_description") is None
    assert found.get("scope") == "notes:read"
    metadata = await anyhow.get(METADATA)
    assert metadata.status_code == 200


@pytest.mark.requirement("RS-1", "RS-84")
@pytest.mark.parametrize("verb", ["GET", "HEAD", "DELETE", "PUT", "PATCH"])
@pytest.mark.parametrize("accept", ["text/event-stream", "*/*"])
async def test_every_verb_is_challenged(client: httpx2.AsyncClient, verb: str, accept: str) -> None:
    response = await client.request(verb, "/mcp", headers={"accept": accept})
    assert response.status_code == 401
    assert challenge(response).get("scope") == "notes:read"
    assert bool(response.content) == (verb != "HEAD")


@pytest.mark.requirement("RS-1")
@pytest.mark.parametrize(
    "path", ["/", "/mcp/", "/MCP", "/health", "/mcp/../health", "/%2e", "//mcp"]
)
async def test_no_path_is_a_side_door(anyhow: httpx2.AsyncClient, path: str) -> None:
    assert (await anyhow.get(path)).status_code == 401
    assert (await anyhow.post(path, json=message("tools/list"))).status_code == 401


@pytest.mark.requirement("RS-3")
async def test_the_challenge_asks_for_what_the_attempted_call_needs(
    anyhow: httpx2.AsyncClient,
) -> None:
    assert challenge(await call(anyhow, "list_notes")).get("scope") == "notes:read"
    elevated = await call(anyhow, "delete_note")
    assert challenge(elevated).get("scope") == "notes:read notes:delete"
    legacy = await call(anyhow, "delete_note", era=LEGACY)
    assert challenge(legacy).get("scope") == "notes:read notes:delete"


@pytest.mark.requirement("RS-5", "RS-9", "RS-45")
@pytest.mark.parametrize(
    "defect",
    [
        {"exp": NOW - 60},
        {"aud": "https://other.example/mcp"},
        {"iss": "https://evil.example"},
        {"typ": "JWT"},
        {"kid": "unknown"},
    ],
)
async def test_a_token_that_does_not_hold_is_said_to_be_invalid(
    client: httpx2.AsyncClient, issuer: Issuer, defect: dict[str, Any]
) -> None:
    token = issuer.token(**defect)
    response = await call(client, "delete_note", token)
    assert response.status_code == 401
    found = challenge(response)
    assert found.get("error") == "invalid_token"
    assert found.get("resource_metadata") == METADATA
    assert found.get("scope") == "notes:read notes:delete"
    assert token not in response.text
    assert len(response.content) < 500


@pytest.mark.requirement("RS-6", "RS-9", "RS-11")
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_too_little_scope_names_everything_the_call_needs(
    anyhow: httpx2.AsyncClient, issuer: Issuer, era: str
) -> None:
    response = await call(anyhow, "delete_note", issuer.token("notes:read"), era=era)
    assert response.status_code == 403
    found = challenge(response)
    assert found.get("error") == "insufficient_scope"
    assert found.get("scope") == "notes:read notes:delete"
    assert found.get("resource_metadata") == METADATA
    sentence = found.get("error_description")
    assert sentence is not None
    assert "delete_note" in sentence
    assert "notes:delete (Delete your notes)" in sentence
    assert "notes:read" not in sentence
    body = response.json()
    assert body["id"] == 1
    assert body["error"]["message"] == sentence
    assert body["error"]["data"] == {
        "error": "insufficient_scope",
        "scope": "notes:read notes:delete",
    }


@pytest.mark.requirement("RS-11")
async def test_with_the_scope_of_the_403_the_same_call_succeeds(
    anyhow: httpx2.AsyncClient, issuer: Issuer
) -> None:
    refused = await call(anyhow, "delete_note", issuer.token("notes:read"))
    wanted = challenge(refused).get("scope")
    assert wanted is not None
    response = await call(anyhow, "delete_note", issuer.token(wanted))
    assert response.status_code == 200
    assert text_of(response) == "gone"


@pytest.mark.requirement("RS-7")
@pytest.mark.parametrize(
    ("lines", "query"),
    [
        (["Bearer {}", "Bearer {}"], ""),
        (["Bearer {}", "Basic eDp5"], ""),
        (["Bearer"], ""),
        (["Bearer "], ""),
        (["bearer    "], ""),
        (["Bearer {}"], "?access_token={}"),
        (["Bearer {}"], "?a=1&access_token="),
    ],
)
async def test_credentials_that_can_be_read_in_two_ways_are_malformed(
    client: httpx2.AsyncClient, issuer: Issuer, lines: list[str], query: str
) -> None:
    token = issuer.token()
    sent = [*headers("tools/list").items(), *(("authorization", s.format(token)) for s in lines)]
    response = await client.post(
        "/mcp" + query.format(token), json=message("tools/list"), headers=sent
    )
    assert response.status_code == 400
    assert challenge(response).get("error") == "invalid_request"


@pytest.mark.requirement("RS-41")
@pytest.mark.parametrize("value", ["Basic eDp5", "DPoP abc", "Negotiate", "", "BearerX abc"])
async def test_another_scheme_is_no_token(client: httpx2.AsyncClient, value: str) -> None:
    response = await client.get("/mcp", headers={"authorization": value})
    assert response.status_code == 401
    assert challenge(response).get("error") is None


@pytest.mark.requirement("RS-14")
async def test_an_outage_is_503_and_the_token_survives_it(
    anyhow: httpx2.AsyncClient, issuer: Issuer, clock: Clock
) -> None:
    issuer.down = True
    response = await call(anyhow, "list_notes", issuer.token())
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert (await call(anyhow, "list_notes")).status_code == 401


@pytest.mark.requirement("RS-10", "RS-25")
@pytest.mark.parametrize("scope", ["offline_access", "*", "two words", 'quo"te', "", "ünï"])
def test_a_scope_that_no_challenge_may_name_cannot_be_configured(latch: Latch, scope: str) -> None:
    with pytest.raises(ValueError, match=r"scope|offline_access"):
        latch.policy({"tool": scope})


@pytest.mark.requirement("RS-12")
async def test_a_broader_scope_satisfies_a_narrower_need(issuer: Issuer, clock: Clock) -> None:
    hierarchy = {"admin": ["notes:delete"], "notes:delete": ["notes:read"]}
    latch = make_latch(issuer, clock, hierarchy=hierarchy)
    async with serving(make_app("mcp", latch)) as client:
        assert (await call(client, "delete_note", issuer.token("admin"))).status_code == 200
        assert (await call(client, "list_notes", issuer.token("admin"))).status_code == 200
        assert (await call(client, "list_notes", issuer.token("notes:delete"))).status_code == 200
        assert (await call(client, "delete_note", issuer.token("notes:read"))).status_code == 403


@pytest.mark.requirement("RS-13")
async def test_a_shortfall_can_be_told_as_a_tool_result(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, options={"tool_result_challenges": True})
    async with serving(make_app("mcp", latch)) as client:
        response = await call(client, "delete_note", issuer.token("notes:read"))
        assert response.status_code == 200
        answer = result(response)["result"]
        assert answer["isError"] is True
        told = answer["_meta"]["mcp/www_authenticate"]
        assert told[0].startswith('Bearer error="insufficient_scope", scope="notes:read notes:')
        # Signing in stays a matter of HTTP.
        assert (await call(client, "delete_note")).status_code == 401


@pytest.mark.requirement("RS-8", "RS-6")
@pytest.mark.parametrize("name", ['delete_"x"', "delete_\\", "delete_é☃", "delete_ scope=admin"])
async def test_no_tool_name_can_bend_a_challenge(
    client: httpx2.AsyncClient, issuer: Issuer, name: str
) -> None:
    response = await call(client, name, issuer.token("notes:read"), era=LEGACY)
    assert response.status_code == 403
    found = challenge(response)
    assert set(found.parameters) == {"error", "scope", "resource_metadata", "error_description"}
    assert found.get("scope") == "notes:read notes:delete"
    line = response.headers["www-authenticate"]
    assert line.index('scope="notes:read') < line.index("error_description")
