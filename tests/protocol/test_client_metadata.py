"""Registration bodies: what is taken, what is left out, what is refused, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol import client_metadata as rules
from mcplatch.protocol.client_metadata import (
    ClientMetadata,
    ClientOffer,
    digest_of,
    parse_client_metadata,
    registration_answer,
)
from mcplatch.protocol.redirect_uri import (
    REDIRECT_URI_MALFORMED,
    REDIRECT_URI_NOT_LOOPBACK,
    REDIRECT_URI_SCHEME,
)
from mcplatch.protocol.refusal import Reason, Refusal

CLIENTS = [
    path
    for path in sorted((Path(__file__).parent.parent / "vectors" / "clients").glob("*.json"))
    if "registration" in json.loads(path.read_text())
]
OFFER = ClientOffer(scopes=frozenset({"mcp:read", "mcp:write", "admin"}))
BASE: dict[str, Any] = {"redirect_uris": ["http://127.0.0.1:3000/callback"]}


def parsed(**members: Any) -> ClientMetadata:
    found = parse_client_metadata(json.dumps(BASE | members).encode(), OFFER)
    assert isinstance(found, ClientMetadata), found
    return found


def refused(body: bytes | dict[str, Any]) -> Reason:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = parse_client_metadata(raw, OFFER)
    assert isinstance(found, Refusal), found
    return found.reason


@pytest.mark.requirement("AS-51", "AS-81", "AS-84", "AS-85", "AS-86")
@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_real_clients_are_registered(path: Path) -> None:
    body = json.loads(path.read_text())["registration"]
    found = parse_client_metadata(json.dumps(body).encode(), OFFER)
    assert isinstance(found, ClientMetadata), found
    assert found.redirect_uris == tuple(body["redirect_uris"])
    assert found.grant_types == ("authorization_code", "refresh_token")
    asked = body.get("token_endpoint_auth_method") or "client_secret_basic"
    assert found.token_endpoint_auth_method == asked


@pytest.mark.requirement("AS-81", "AS-83")
def test_the_smallest_body_has_defaults() -> None:
    assert parsed() == ClientMetadata(
        redirect_uris=("http://127.0.0.1:3000/callback",),
        client_name="Unnamed application",
        token_endpoint_auth_method="client_secret_basic",
        grant_types=("authorization_code", "refresh_token"),
        application_type="native",
    )


@pytest.mark.requirement("AS-81")
def test_nulls_empty_texts_and_unknown_members_are_absent() -> None:
    unsaid: dict[str, Any] = dict.fromkeys(["scope", "client_name", "grant_types", "jwks"])
    assert parsed(**unsaid, software_id="x", x={"y": []}) == parsed()
    assert parsed(scope="", client_name="", token_endpoint_auth_method="") == parsed()


def test_a_byte_order_mark_is_skipped() -> None:
    found = parse_client_metadata(b"\xef\xbb\xbf" + json.dumps(BASE).encode(), OFFER)
    assert found == parsed()


@pytest.mark.requirement("AS-51")
def test_the_acceptable_redirects_are_registered() -> None:
    uris = ["javascript:1", "https://app.example/cb", "http://evil.example/", "cursor://evil"]
    assert parsed(redirect_uris=uris).redirect_uris == ("https://app.example/cb",)
    twice = ["https://app.example/cb", "https://app.example/cb"]
    assert parsed(redirect_uris=twice).redirect_uris == ("https://app.example/cb",)


@pytest.mark.requirement("AS-86")
@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["authorization_code"], ("authorization_code",)),
        (["refresh_token", "authorization_code"], ("authorization_code", "refresh_token")),
        (["authorization_code", "implicit", "password"], ("authorization_code",)),
        (
            ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            ("authorization_code", "refresh_token"),
        ),
        ([], ("authorization_code", "refresh_token")),
    ],
)
def test_grant_types_are_filtered(asked: list[str], kept: tuple[str, ...]) -> None:
    assert parsed(grant_types=asked).grant_types == kept


@pytest.mark.requirement("AS-85")
@pytest.mark.parametrize(
    ("said", "uris", "effective"),
    [
        (None, ["https://app.example/cb"], "web"),
        (None, ["http://localhost/cb"], "native"),
        (None, ["https://app.example/cb", "http://127.0.0.1/"], "native"),
        (None, ["cursor://anysphere.cursor-mcp/oauth/callback"], "native"),
        ("web", ["http://localhost:6274/cb"], "native"),
        ("native", ["https://vscode.dev/redirect"], "native"),
        ("robot", ["https://app.example/cb"], "web"),
    ],
)
def test_application_type_is_consistent_with_the_redirects(
    said: str | None, uris: list[str], effective: str
) -> None:
    assert parsed(application_type=said, redirect_uris=uris).application_type == effective


@pytest.mark.parametrize(
    ("asked", "kept"),
    [("mcp:read nonsense admin", ("mcp:read", "admin")), ("nonsense", ()), ("", ())],
)
def test_scope_is_reduced_to_what_there_is(asked: str, kept: tuple[str, ...]) -> None:
    assert parsed(scope=asked).scope == kept


@pytest.mark.requirement("AS-148")
@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Claude", "Claude"),
        ("  My\tapp \n v2 ", "My app v2"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("Clau\u200bde\u2066\u2069", "Claude"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("\ud800x", "x"),
        ("Z" + "\u0310" * 50, "Z\u0310\u0310"),
        ("Приложение 日本 é", "Приложение 日本 é"),
        ("\u202e\u200b", "Unnamed application"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_names_are_made_fit_to_show(given_name: str, shown: str) -> None:
    assert parsed(client_name=given_name).client_name == shown


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        ("https://app.example/about", "https://app.example/about"),
        ("http://app.example/", None),
        ("javascript:alert(1)", None),
        ("https://app.example/ x", None),
        (7, None),
    ],
)
def test_client_uri_is_dropped_unless_https(page: object, kept: str | None) -> None:
    assert parsed(client_uri=page).client_uri == kept


REFUSED: list[tuple[bytes | dict[str, Any], Reason]] = [
    (b"", rules.METADATA_MALFORMED),
    (b"null", rules.METADATA_MALFORMED),
    (b"[]", rules.METADATA_MALFORMED),
    (b'"x"', rules.METADATA_MALFORMED),
    (b"redirect_uris=x", rules.METADATA_MALFORMED),
    (b"{", rules.METADATA_MALFORMED),
    (b'{"redirect_uris":["https://a.example/"]} {}', rules.METADATA_MALFORMED),
    (b'{"redirect_uris":["https://a.example/\xff"]}', rules.METADATA_MALFORMED),
    (b'{"a":1,"a":2,"redirect_uris":["https://a.example/"]}', rules.METADATA_MALFORMED),
    (b'{"x":{"a":1,"a":2},"redirect_uris":["https://a.example/"]}', rules.METADATA_MALFORMED),
    (b'{"x":NaN,"redirect_uris":["https://a.example/"]}', rules.METADATA_MALFORMED),
    (b'{"x":' + b"9" * 5000 + b"}", rules.METADATA_MALFORMED),
    (b"[" * 15000, rules.METADATA_MALFORMED),
    (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", rules.METADATA_MALFORMED),
    (b'{"x":' + b"[" * 12 + b"]" * 12 + b"}", rules.METADATA_MALFORMED),
    (b" " * 16385, rules.METADATA_TOO_LARGE),
    ({}, rules.REDIRECT_URIS_MISSING),
    ({"redirect_uris": []}, rules.REDIRECT_URIS_MISSING),
    ({"redirect_uris": None}, rules.REDIRECT_URIS_MISSING),
    ({"redirect_uris": "https://a.example/"}, rules.METADATA_MALFORMED),
    ({"redirect_uris": [1]}, rules.METADATA_MALFORMED),
    ({"redirect_uris": {"0": "https://a.example/"}}, rules.METADATA_MALFORMED),
    ({"redirect_uris": ["https://a.example/"] * 21}, rules.REDIRECT_URIS_TOO_MANY),
    ({"redirect_uris": [""]}, REDIRECT_URI_MALFORMED),
    ({"redirect_uris": ["\ud800"]}, REDIRECT_URI_MALFORMED),
    ({"redirect_uris": ["http://evil.example/"]}, REDIRECT_URI_NOT_LOOPBACK),
    ({"redirect_uris": ["javascript:alert(1)"]}, REDIRECT_URI_SCHEME),
    (BASE | {"client_name": 5}, rules.METADATA_MALFORMED),
    (BASE | {"client_name": "x" * 201}, rules.NAME_TOO_LONG),
    (BASE | {"grant_types": "authorization_code"}, rules.METADATA_MALFORMED),
    (BASE | {"grant_types": ["client_credentials"]}, rules.GRANT_TYPES_UNSUPPORTED),
    (BASE | {"grant_types": ["refresh_token"]}, rules.GRANT_TYPES_UNSUPPORTED),
    (BASE | {"response_types": ["token"]}, rules.GRANT_TYPES_UNSUPPORTED),
    (BASE | {"response_types": "code"}, rules.METADATA_MALFORMED),
    (BASE | {"token_endpoint_auth_method": "private_key_jwt"}, rules.AUTH_METHOD_UNSUPPORTED),
    (BASE | {"token_endpoint_auth_method": ["none"]}, rules.METADATA_MALFORMED),
    (BASE | {"scope": ["a"]}, rules.METADATA_MALFORMED),
    (BASE | {"scope": 'a"b'}, rules.METADATA_MALFORMED),
]


@pytest.mark.requirement("AS-82", "AS-87")
@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_refused(body: bytes | dict[str, Any], reason: Reason) -> None:
    assert refused(body) is reason
    assert reason.error in {"invalid_redirect_uri", "invalid_client_metadata"}


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    assert isinstance(parse_client_metadata(body, OFFER), Refusal | ClientMetadata)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "redirect_uris",
        "client_name",
        "client_uri",
        "scope",
        "grant_types",
        "response_types",
        "application_type",
        "token_endpoint_auth_method",
        "jwks",
    ]
)


@given(st.dictionaries(names, values))
def test_no_types_break_the_parser(members: dict[str, object]) -> None:
    found = parse_client_metadata(json.dumps(BASE | members).encode(), OFFER)
    assert isinstance(found, Refusal | ClientMetadata)


@pytest.mark.requirement("AS-80", "AS-83")
def test_the_answer_shows_everything_in_force() -> None:
    metadata = parsed(scope="mcp:read bogus", client_name="App")
    answer = registration_answer(
        metadata, client_id="abc", issued_at=1_700_000_000, client_secret="s3cret"
    )
    assert answer == {
        "client_id": "abc",
        "client_id_issued_at": 1_700_000_000,
        "client_name": "App",
        "redirect_uris": ["http://127.0.0.1:3000/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "native",
        "scope": "mcp:read",
        "client_secret": "s3cret",
        "client_secret_expires_at": 0,
    }


def test_a_public_client_is_answered_without_secret() -> None:
    answer = registration_answer(parsed(), client_id="abc", issued_at=1)
    assert not {name for name in answer if "secret" in name}
    assert "scope" not in answer


@pytest.mark.requirement("AS-67")
@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"client_name": "Other"}, True),
        ({"redirect_uris": ["http://127.0.0.1:3000/other"]}, True),
        ({"token_endpoint_auth_method": "none"}, True),
        ({"scope": "mcp:read"}, False),
        ({"client_uri": "https://app.example/"}, False),
    ],
)
def test_the_digest_covers_what_was_agreed(change: dict[str, Any], differs: bool) -> None:
    assert (digest_of(parsed(), {}) != digest_of(parsed(**change), {})) is differs


@pytest.mark.requirement("AS-67")
def test_the_digest_covers_keys_but_not_the_order_of_redirects() -> None:
    one, two = "https://a.example/1", "https://a.example/2"
    left, right = parsed(redirect_uris=[one, two]), parsed(redirect_uris=[two, one])
    assert digest_of(left, {}) == digest_of(right, {})
    assert digest_of(left, {}) != digest_of(left, {"jwks_uri": "https://a.example/jwks"})
