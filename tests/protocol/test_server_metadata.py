"""Authorization server metadata: where it is looked for, what is believed, what comes out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.server_metadata import (
    METADATA_INCOMPLETE,
    METADATA_MALFORMED,
    METADATA_OF_ANOTHER_ISSUER,
    ServerMetadata,
    build,
    parse,
    well_known_urls,
)

ISSUER = "https://as.example"
FULL = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    registration_endpoint=f"{ISSUER}/register",
    scopes_supported=("notes:read", "notes:write"),
    response_types_supported=("code",),
    code_challenge_methods_supported=("S256",),
    authorization_response_iss_parameter_supported=True,
    client_id_metadata_document_supported=True,
)


@pytest.mark.requirement("CL-5")
@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://as.example",
            ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
        ),
        (
            "https://as.example/",
            ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
        ),
        (
            "https://as.example/tenant1",
            [
                "/.well-known/oauth-authorization-server/tenant1",
                "/.well-known/openid-configuration/tenant1",
                "/tenant1/.well-known/openid-configuration",
            ],
        ),
        (
            "https://as.example/a/b/",
            [
                "/.well-known/oauth-authorization-server/a/b",
                "/.well-known/openid-configuration/a/b",
                "/a/b/.well-known/openid-configuration",
            ],
        ),
    ],
)
def test_the_addresses_asked_and_their_order(issuer: str, urls: list[str]) -> None:
    assert well_known_urls(issuer) == tuple("https://as.example" + url for url in urls)


def test_a_port_and_odd_spelling_of_the_host_stay_as_they_are() -> None:
    assert well_known_urls("http://LOCALHOST:9000")[0] == (
        "http://LOCALHOST:9000/.well-known/oauth-authorization-server"
    )


def test_what_is_built_is_read_back_the_same() -> None:
    assert parse(json.loads(json.dumps(build(FULL))), issuer=ISSUER) == FULL


def test_absent_members_are_left_out_and_the_two_that_decide_are_always_there() -> None:
    assert build(ServerMetadata(ISSUER)) == {
        "issuer": ISSUER,
        "authorization_response_iss_parameter_supported": False,
        "client_id_metadata_document_supported": False,
    }


def test_extra_members_survive_and_cannot_replace_one() -> None:
    meta = ServerMetadata(ISSUER, extra={"x": 1, "issuer": "https://evil.example"})
    assert build(meta)["issuer"] == ISSUER
    assert build(meta)["x"] == 1


@pytest.mark.requirement("CL-6")
@pytest.mark.parametrize(
    "named",
    ["https://as.example/", "https://AS.example", "https://as.example:443", "http://as.example"],
)
def test_the_issuer_is_compared_byte_for_byte(named: str) -> None:
    refusal = parse({"issuer": named}, issuer=ISSUER)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is METADATA_OF_ANOTHER_ISSUER
    assert refusal.detail == named


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], METADATA_MALFORMED),
        ("text", METADATA_MALFORMED),
        (None, METADATA_MALFORMED),
        ({str(n): n for n in range(501)} | {"issuer": ISSUER}, METADATA_MALFORMED),
        ({}, METADATA_INCOMPLETE),
        ({"issuer": 5}, METADATA_INCOMPLETE),
        ({"issuer": ISSUER, "token_endpoint": 5}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "token_endpoint": "/token"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "token_endpoint": "file:///etc/passwd"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "authorization_endpoint": "javascript:alert(1)"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "authorization_endpoint": "https://a b"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "authorization_endpoint": "https://u:p@x"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "authorization_endpoint": "https://x:99999"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "jwks_uri": "https://x/\r\nA: b"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "scopes_supported": "a b"}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "scopes_supported": ["a", 1]}, METADATA_MALFORMED),
        ({"issuer": ISSUER, "scopes_supported": ["a\x1b[2J"]}, METADATA_MALFORMED),
        (
            {"issuer": ISSUER, "authorization_response_iss_parameter_supported": "true"},
            METADATA_MALFORMED,
        ),
    ],
)
def test_what_is_malformed_is_refused(document: object, reason: object) -> None:
    refusal = parse(document, issuer=ISSUER)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_mean_absent(nothing: object) -> None:
    assert parse({"issuer": ISSUER, "op_tos_uri": nothing}, issuer=ISSUER) is not None
    assert isinstance(parse({"issuer": ISSUER, "jwks_uri": nothing}, issuer=ISSUER), ServerMetadata)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from([*build(FULL), "other"]), _json))
def test_no_document_is_a_crash(document: dict[str, object]) -> None:
    assert isinstance(parse(document, issuer=ISSUER), Refusal | ServerMetadata)
