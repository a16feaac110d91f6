"""The machine endpoints over ASGI: documents, methods, sizes, cross-origin, and what a breakdown shows."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from mcplatch.authorization_server.house import House
from mcplatch.store.port import Put, Store
from mcplatch.web import machine
from mcplatch.web.app import create_app
from tests.world import (
    ISSUER,
    NOTES,
    POLICY,
    SECRET,
    VERIFIER,
    basic,
    client,
    code,
    confidential,
    grant,
    house,
    person,
)

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def at(store: Store) -> House:
    now = int(time.time())
    given = grant(created_at=now, expires_at=now + 9999999)
    fresh = code(created_at=now, expires_at=now + 60)
    await store.settle(
        lambda t: t.apply(
            (Put(person()), Put(client()), Put(confidential()), Put(given), Put(fresh))
        )
    )
    return await house(store)


@pytest.fixture
async def http(at: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(at) as opened:
        yield opened


def browser(at: House, raise_app_exceptions: bool = True) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(
        app=create_app(at), raise_app_exceptions=raise_app_exceptions, client=("192.0.2.1", 1)
    )
    return httpx2.AsyncClient(transport=transport, base_url=ISSUER)


EXCHANGE = {
    "grant_type": "authorization_code",
    "code": "code-1",
    "code_verifier": VERIFIER,
    "client_id": "client-1",
}


@pytest.mark.requirement("AS-1", "AS-2", "AS-3", "AS-4", "AS-5", "AS-6", "AS-7", "AS-8", "E11")
@pytest.mark.requirement("AS-10", "AS-12", "AS-14")
@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
)
async def test_the_metadata_says_what_there_is(http: httpx2.AsyncClient, path: str) -> None:
    answered = await http.get(path)
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["access-control-allow-origin"] == "*"
    document = answered.json()
    assert document["issuer"] == ISSUER
    assert document["response_types_supported"] == ["code"]
    assert document["response_modes_supported"] == ["query"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == [
        "none",
        "client_secret_basic",
        "client_secret_post",
    ]
    # Nobody signs assertions here, so there is nothing to say about algorithms.
    assert "token_endpoint_auth_signing_alg_values_supported" not in document
    assert document["protected_resources"] == [r.identifier for r in POLICY.resources]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["client_id_metadata_document_supported"] is True
    assert document["subject_types_supported"]
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]
    assert set(document["scopes_supported"]) == set(POLICY.scopes_supported())
    for name, url in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert url.startswith(ISSUER + "/")
            assert (await http.get(url)).status_code != 404


@pytest.mark.requirement("AS-1", "AS-2", "AS-3")
async def test_an_issuer_with_a_path_has_its_documents_in_all_three_places(store: Store) -> None:
    issuer = ISSUER + "/tenant"
    at = await house(store, policy=replace(POLICY, issuer=issuer))
    async with browser(at) as http:
        for path in (
            "/.well-known/oauth-authorization-server/tenant",
            "/.well-known/openid-configuration/tenant",
            "/tenant/.well-known/openid-configuration",
        ):
            document = (await http.get(path)).json()
            assert document["issuer"] == issuer
        assert (await http.get("/.well-known/oauth-authorization-server")).status_code == 404
        assert (await http.get("/tenant/jwks.json")).status_code == 200
        assert (await http.post("/token", data=EXCHANGE)).status_code in (404, 405)
        assert (await http.post("/tenant/token", data={})).json()["error"] == "invalid_request"


@pytest.mark.requirement("AS-9")
async def test_what_is_switched_off_is_neither_named_nor_there(store: Store) -> None:
    off = replace(POLICY, dynamic_registration=False, client_documents=False)
    async with browser(await house(store, policy=off)) as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert "registration_endpoint" not in document
        assert document["client_id_metadata_document_supported"] is False
        assert (await http.post("/register", json={})).status_code in (404, 405)


@pytest.mark.requirement("AS-15")
async def test_an_unknown_well_known_path_is_not_a_page_that_says_200(
    http: httpx2.AsyncClient,
) -> None:
    assert (await http.get("/.well-known/anything")).status_code == 404


@pytest.mark.requirement("AS-11")
async def test_the_key_set_is_public_only(http: httpx2.AsyncClient) -> None:
    answered = await http.get("/jwks.json")
    assert "max-age" in answered.headers["cache-control"]
    (key,) = answered.json()["keys"]
    assert {"kty", "crv", "x", "y", "kid", "use", "alg"} == set(key)


@pytest.mark.requirement("AS-13", "AS-20", "AS-108")
async def test_scripts_of_other_sites_may_ask_machines_but_never_the_person(
    http: httpx2.AsyncClient,
) -> None:
    asks = {
        "origin": "https://inspector.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, mcp-protocol-version",
    }
    for path in ("/token", "/register", "/revoke", "/jwks.json"):
        answered = await http.options(path, headers=asks)
        assert answered.status_code == 204
        assert answered.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answered.headers
        allowed = answered.headers["access-control-allow-headers"].lower()
        assert {"authorization", "content-type", "mcp-protocol-version"} <= {
            name.strip() for name in allowed.split(",")
        }
    for path in ("/authorize", "/introspect"):
        answered = await http.options(path, headers=asks)
        assert "access-control-allow-origin" not in answered.headers


@pytest.mark.requirement("AS-105", "AS-106", "AS-107")
async def test_a_token_answer(http: httpx2.AsyncClient) -> None:
    answered = await http.post("/token", data=EXCHANGE)
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["access-control-allow-origin"] == "*"
    assert isinstance(answered.json()["expires_in"], int)


BAD = [
    ("get", "GET", "/token", None, b"", 405, "invalid_request"),
    ("json", "POST", "/token", "application/json", b"{}", 400, "invalid_request"),
    ("multipart", "POST", "/token", "multipart/form-data; boundary=x", b"", 400, "invalid_request"),
    ("no type", "POST", "/token", None, b"grant_type=x", 400, "invalid_request"),
    ("empty", "POST", "/token", FORM, b"", 400, "invalid_request"),
    ("twice", "POST", "/token", FORM, b"grant_type=a&grant_type=b", 400, "invalid_request"),
    ("NUL", "POST", "/token", FORM, b"grant_type=a%00", 400, "invalid_request"),
    ("bad UTF-8", "POST", "/token", FORM, b"grant_type=%ff", 400, "invalid_request"),
    ("bare percent", "POST", "/token", FORM, b"grant_type=%zz", 400, "invalid_request"),
    ("surrogate", "POST", "/token", FORM, b"grant_type=%ed%a0%80", 400, "invalid_request"),
    ("large", "POST", "/token", FORM, b"a=" + b"x" * 70_000, 413, "invalid_request"),
    ("many", "POST", "/token", FORM, b"&".join([b"a%d=1" % n for n in range(99)]), 413, None),
    ("revoke get", "GET", "/revoke", None, b"", 405, "invalid_request"),
    ("revoke nobody", "POST", "/revoke", FORM, b"token=x", 401, "invalid_client"),
    ("introspect nobody", "POST", "/introspect", FORM, b"token=x", 401, "invalid_client"),
    ("register html", "POST", "/register", "text/html", b"<p>", 400, "invalid_client_metadata"),
]


@pytest.mark.requirement("AS-21", "AS-82", "AS-105", "AS-107", "AS-139")
@pytest.mark.parametrize(
    ("_name", "method", "path", "kind", "body", "status", "error"), BAD, ids=[row[0] for row in BAD]
)
async def test_bad_input_is_a_standard_error(
    http: httpx2.AsyncClient,
    _name: str,
    method: str,
    path: str,
    kind: str | None,
    body: bytes,
    status: int,
    error: str | None,
) -> None:
    headers = {"content-type": kind} if kind else {}
    answered = await http.request(method, path, content=body, headers=headers)
    assert answered.status_code == status
    found = answered.json()
    assert found["error"] == (error or "invalid_request")
    assert found["error_description"].isascii()
    assert "location" not in answered.headers


@pytest.mark.requirement("AS-96", "AS-107")
async def test_a_client_that_failed_by_basic_is_challenged(http: httpx2.AsyncClient) -> None:
    header = {"authorization": basic("client-2", "wrong")}
    answered = await http.post("/token", data=EXCHANGE, headers=header)
    # The body names another client: that is a malformed request, not a failed proof.
    assert answered.status_code == 400
    only = {name: value for name, value in EXCHANGE.items() if name != "client_id"}
    answered = await http.post("/token", data=only, headers=header)
    assert answered.status_code == 401
    assert answered.json()["error"] == "invalid_client"
    assert answered.headers["www-authenticate"].startswith("Basic")


@pytest.mark.requirement("AS-105")
async def test_what_is_wrong_is_said(http: httpx2.AsyncClient) -> None:
    got = await http.get("/token")
    assert got.json()["error_description"] == machine.METHOD_NOT_ALLOWED.sentence
    assert got.headers["allow"] == "POST"
    sent = await http.post("/token", json=EXCHANGE)
    assert sent.json()["error_description"] == machine.FORM_EXPECTED.sentence


async def test_two_authorization_headers_are_refused(http: httpx2.AsyncClient) -> None:
    header = ("authorization", basic("client-2", SECRET))
    answered = await http.post("/token", data=EXCHANGE, headers=[header, header])
    assert answered.status_code == 400


@pytest.mark.requirement("AS-141")
async def test_introspection_over_http(http: httpx2.AsyncClient) -> None:
    body = (await http.post("/token", data=EXCHANGE)).json()
    header = {"authorization": basic(NOTES, "notes-secret")}
    answered = await http.post("/introspect", data={"token": body["access_token"]}, headers=header)
    assert answered.json()["active"] is True
    assert answered.json()["aud"] == NOTES
    gone = await http.post("/introspect", data={"token": "x"}, headers=header)
    assert gone.json() == {"active": False}


@pytest.mark.requirement("AS-140", "E12", "E14")
async def test_revocation_over_http(http: httpx2.AsyncClient) -> None:
    body = (await http.post("/token", data=EXCHANGE)).json()
    asked = {"token": body["refresh_token"], "client_id": "client-1"}
    answered = await http.post("/revoke", data=asked)
    assert (answered.status_code, answered.content) == (200, b"")
    again = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
    refused = await http.post("/token", data={**again, "client_id": "client-1"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.mark.requirement("AS-107", "AS-139")
async def test_trouble_of_ours_is_503_and_says_when(at: House) -> None:
    async with browser(at) as http:
        await at.store.close()
        answered = await http.post("/token", data=EXCHANGE)
        assert answered.status_code == 503
        assert answered.json()["error_description"] == machine.STORE_UNAVAILABLE.sentence
        assert answered.json()["error"] == "temporarily_unavailable"
        assert int(answered.headers["retry-after"]) > 0
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503


async def test_a_bug_shows_nothing_of_itself(at: House) -> None:
    class Broken:
        async def settle(self, work: Any) -> Any:
            raise RuntimeError("secret detail")

        look = settle

    at.store = Broken()  # type: ignore[assignment]
    async with browser(at) as http:
        answered = await http.post("/token", data=EXCHANGE)
    assert answered.status_code == 500
    assert "secret detail" not in answered.text
    assert json.loads(answered.text)["error"] == "server_error"


async def test_ready(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/readyz")).json() == {"ready": True}
    head = await http.head("/livez")
    assert (head.status_code, head.content) == (200, b"")
