"""Client ID Metadata Documents: which URLs, which documents, and for how long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol import client_id_document as rules
from mcplatch.protocol.client_id_document import (
    CacheLimits,
    ClientDocument,
    check_client_id_url,
    host_in,
    is_document_url,
    parse_document,
    seconds_fresh,
)
from mcplatch.protocol.client_metadata import ClientOffer
from mcplatch.protocol.refusal import Reason, Refusal

CLIENTS = [
    path
    for path in sorted((Path(__file__).parent.parent / "vectors" / "clients").glob("*.json"))
    if "document" in json.loads(path.read_text())
]
URL = "https://app.example/client.json"
OFFER = ClientOffer(auth_methods=("none",))
BASE: dict[str, Any] = {
    "client_id": URL,
    "client_name": "App",
    "redirect_uris": ["http://localhost/callback"],
}


def parse(
    body: bytes | dict[str, Any],
    *,
    url: str = URL,
    status: int = 200,
    content_type: str = "application/json",
) -> ClientDocument | Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_document(
        client_id=url, status=status, content_type=content_type, body=raw, offer=OFFER
    )


def document(**members: Any) -> ClientDocument:
    found = parse(BASE | members)
    assert isinstance(found, ClientDocument), found
    return found


@pytest.mark.requirement("AS-60")
@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://app.example:8443/client.json",
        "https://app.example/c?v=1",
        "https://app.example/a/b/c",
        "https://localhost:9443/client.json",
    ],
)
def test_client_id_urls(url: str) -> None:
    assert is_document_url(url)
    assert check_client_id_url(url) is None


@pytest.mark.requirement("AS-60")
@pytest.mark.parametrize(
    "url",
    [
        "https://app.example",
        "https://app.example/",
        "https://app.example?x=1",
        "http://app.example/client.json",
        "HTTPS://app.example/client.json",
        "https://App.example/client.json",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/%2e%2e/client.json",
        "https://app.example/client.json#x",
        "https://user@app.example/client.json",
        "https://user:pw@app.example/client.json",
        "https://app.example/client json",
        "https://app.example/client.json\n",
        "https://127.1/client.json",
        "https://0x7f000001/client.json",
        "https://2130706433/client.json",
        "https://[::ffff:127.0.0.1]/client.json",
        "https:///client.json",
        "https:app.example/client.json",
        "https://app.example/" + "a" * 2000,
        "https://ａpp.example/client.json",
    ],
)
def test_not_client_id_urls(url: str) -> None:
    refusal = check_client_id_url(url)
    assert refusal is not None
    assert refusal.reason is rules.CLIENT_ID_URL_MALFORMED


def test_what_looks_like_a_url_is_never_an_ordinary_id() -> None:
    assert is_document_url("HTTPS://app.example/x")
    assert is_document_url("https:x")
    assert not is_document_url("mc_8F3k")
    assert not is_document_url("http://app.example/x")


@pytest.mark.requirement("AS-69", "AS-86")
@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_real_documents(path: Path) -> None:
    published = json.loads(path.read_text())["document"]
    assert check_client_id_url(published["url"]) is None
    found = parse(published["body"], url=published["url"])
    assert isinstance(found, ClientDocument), found
    assert found.metadata.token_endpoint_auth_method == "none"
    assert found.metadata.redirect_uris == tuple(published["body"]["redirect_uris"])
    assert found.metadata.grant_types == ("authorization_code", "refresh_token")


@pytest.mark.requirement("AS-69")
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": None},
        {"token_endpoint_auth_methods_supported": ["none"]},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt", "none"]},
        {
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": "https://app.example/jwks",
        },
        {"jwks_uri": "https://app.example/jwks"},
        {"token_endpoint_auth_methods_supported": ["client_secret_post", "none"]},
        {"token_endpoint_auth_methods_supported": []},
    ],
)
def test_none_is_agreed_on(members: dict[str, Any]) -> None:
    assert document(**members).metadata.token_endpoint_auth_method == "none"


REFUSED: list[tuple[dict[str, Any], Reason]] = [
    ({"client_id": URL + "/"}, rules.DOCUMENT_OF_ANOTHER_CLIENT),
    ({"client_id": URL.upper()}, rules.DOCUMENT_OF_ANOTHER_CLIENT),
    ({"client_id": URL.replace("app", "%61pp")}, rules.DOCUMENT_OF_ANOTHER_CLIENT),
    ({"client_id": None}, rules.DOCUMENT_OF_ANOTHER_CLIENT),
    ({"client_id": [URL]}, rules.DOCUMENT_OF_ANOTHER_CLIENT),
    ({"client_name": None}, rules.DOCUMENT_INCOMPLETE),
    ({"client_name": ""}, rules.DOCUMENT_INCOMPLETE),
    ({"client_name": "\u202e"}, rules.DOCUMENT_INCOMPLETE),
    ({"client_name": {"en": "App"}}, rules.DOCUMENT_INCOMPLETE),
    ({"client_name": "x" * 201}, rules.DOCUMENT_INCOMPLETE),
    ({"redirect_uris": None}, rules.DOCUMENT_INCOMPLETE),
    ({"redirect_uris": []}, rules.DOCUMENT_INCOMPLETE),
    ({"redirect_uris": "https://app.example/cb"}, rules.DOCUMENT_INCOMPLETE),
    ({"redirect_uris": ["http://evil.example/"]}, rules.DOCUMENT_INCOMPLETE),
    ({"redirect_uris": ["https://a.example/"] * 21}, rules.DOCUMENT_INCOMPLETE),
    ({"grant_types": ["client_credentials"]}, rules.DOCUMENT_INCOMPLETE),
    ({"client_secret": "x"}, rules.DOCUMENT_HAS_SECRET),
    ({"client_secret": None}, rules.DOCUMENT_HAS_SECRET),
    ({"client_secret_expires_at": 0}, rules.DOCUMENT_HAS_SECRET),
    ({"token_endpoint_auth_method": "client_secret_basic"}, rules.DOCUMENT_HAS_SECRET),
    ({"token_endpoint_auth_method": "client_secret_post"}, rules.DOCUMENT_HAS_SECRET),
    ({"token_endpoint_auth_method": "client_secret_jwt"}, rules.DOCUMENT_HAS_SECRET),
    ({"token_endpoint_auth_method": "private_key_jwt"}, rules.DOCUMENT_NEEDS_KEY),
    (
        {
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_method": "none",
        },
        rules.DOCUMENT_NEEDS_KEY,
    ),
    ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, rules.DOCUMENT_NEEDS_KEY),
    ({"token_endpoint_auth_method": 1}, rules.DOCUMENT_NOT_JSON),
    ({"x": "y" * 5000}, rules.DOCUMENT_NOT_JSON),
]


@pytest.mark.requirement("AS-61", "AS-63", "AS-64", "AS-68")
@pytest.mark.parametrize(("members", "reason"), REFUSED)
def test_refused(members: dict[str, Any], reason: Reason) -> None:
    found = parse(BASE | members)
    assert isinstance(found, Refusal)
    assert found.reason is reason
    assert reason.error == "invalid_client"


@pytest.mark.requirement("AS-61")
@pytest.mark.parametrize(
    ("status", "content_type", "accepted"),
    [
        (200, "application/json", True),
        (200, "application/json; charset=utf-8", True),
        (200, "Application/JSON", True),
        (200, "application/client-id+json", True),
        (200, "text/html", False),
        (200, "text/json", False),
        (200, "text/plain", False),
        (200, "", False),
        (200, "application/jsonp", False),
        (201, "application/json", False),
        (203, "application/json", False),
        (301, "application/json", False),
        (304, "application/json", False),
        (404, "application/json", False),
        (500, "application/json", False),
    ],
)
def test_only_200_with_json_counts(status: int, content_type: str, accepted: bool) -> None:
    found = parse(BASE, status=status, content_type=content_type)
    assert isinstance(found, ClientDocument) is accepted
    if isinstance(found, Refusal):
        assert found.reason is rules.DOCUMENT_NOT_JSON


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{", b"\xff", b"{}" + b" " * 5200])
def test_bodies_that_are_no_document(body: bytes) -> None:
    found = parse(body)
    assert isinstance(found, Refusal)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    assert isinstance(parse(body), Refusal)


@pytest.mark.requirement("AS-67")
def test_the_digest_notices_what_was_agreed() -> None:
    same = document(logo_uri="https://app.example/l.png", contacts=["a@app.example"])
    assert same.digest == document().digest
    assert document(client_name="Evil").digest != document().digest
    assert document(redirect_uris=["https://app.example/cb"]).digest != document().digest
    assert document(jwks_uri="https://app.example/k").digest != document().digest


LIMITS = CacheLimits(least=10, most=86400, unsaid=3600)


@pytest.mark.requirement("AS-65")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 3600),
        ({"cache-control": ""}, 3600),
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": "public, Max-Age=600, must-revalidate"}, 600),
        ({"cache-control": 'max-age="600"'}, 600),
        ({"cache-control": "max-age=600, max-age=60"}, 60),
        ({"cache-control": "max-age=600", "age": "100"}, 500),
        ({"cache-control": "max-age=600", "age": "-5"}, 600),
        ({"cache-control": "max-age=600", "age": "9999"}, 10),
        ({"cache-control": "max-age=0"}, 10),
        ({"cache-control": "max-age=31536000"}, 86400),
        ({"cache-control": "max-age=" + "9" * 40}, 3600),
        ({"cache-control": "max-age=-1"}, 3600),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "max-age=600, no-cache"}, 0),
        ({"cache-control": 'no-cache="set-cookie"'}, 0),
        ({"cache-control": "private, no-store, max-age=0"}, 0),
    ],
)
def test_freshness(headers: dict[str, str], seconds: int) -> None:
    assert seconds_fresh(headers, LIMITS) == seconds


def test_the_host_people_are_shown() -> None:
    assert host_in("https://app.example:8443/client.json") == "app.example"
    assert host_in("nonsense") == ""
