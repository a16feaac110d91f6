"""Programs that sign in without a person: what is sent where, and that nothing else is tried."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from mcplatch.client.credential import Credential
from mcplatch.client.errors import Denied, LatchError, ServerFault, Untrusted
from mcplatch.client.program import (
    ID_JAG,
    ClientCredentials,
    Enterprise,
    Program,
    Workload,
    sign_in_as_program,
)
from mcplatch.client.sign_in import Hint
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Reply
from mcplatch.jose import PublicKeySet, new_private_key, public_jwk, verify
from tests.client.table import (
    ISSUER,
    META,
    PRM,
    SERVER,
    Answer,
    Play,
    as_json,
    metadata,
    play,
    still,
    tokens,
    usual,
)

TOKEN = f"{ISSUER}/token"
IDP = "https://idp.example/token"
OFFICE = Enterprise(IDP, "idp-client", "the-id-token", "mcp-client", "s3cret")
JAG = {"access_token": "jag", "issued_token_type": ID_JAG, "token_type": "N_A"}


def signed_in(program: Program, seen: Play, replies: dict[str, Answer] | None = None) -> Credential:
    replies = replies or usual() | {
        TOKEN: as_json(tokens(refresh_token=None)),
        IDP: as_json(JAG),
        META: as_json(metadata(token_endpoint_auth_methods_supported=["client_secret_basic"])),
    }
    talk = sign_in_as_program(
        SignInRequest(SERVER), Hint(PRM, ("a",)), program, still(), account="bot"
    )
    return play(talk, replies, seen)


@pytest.mark.requirement("CL-60")
def test_client_credentials_with_a_secret() -> None:
    seen = Play()
    held = signed_in(ClientCredentials("bot", "s3cret"), seen)
    assert (held.access_token, held.refresh_token, held.account) == ("at-1", None, "bot")
    assert seen.forms(TOKEN) == [
        {
            "grant_type": "client_credentials",
            "scope": "a",
            "resource": SERVER,
            "client_id": "bot",
        }
    ]
    assert seen.posts(TOKEN)[0].authorization == "Basic Ym90OnMzY3JldA=="
    assert not seen.visits


@pytest.mark.requirement("CL-27", "CL-60")
def test_client_credentials_with_a_key() -> None:
    pem, seen = new_private_key(), Play()
    signed_in(ClientCredentials("bot", private_key=pem.decode(), key_id="k1"), seen)
    form = seen.forms(TOKEN)[0]
    keys = PublicKeySet.parse({"keys": [public_jwk(pem, "k1")]})
    claims: Any = verify(form["client_assertion"], keys, typ="client-authentication+jwt")
    assert claims["aud"] == ISSUER
    assert claims["iss"] == claims["sub"] == "bot"
    assert claims["exp"] - claims["iat"] == 60
    assert len(claims["jti"]) == 32
    assert "client_secret" not in form
    header = json.loads(urlsafe_b64decode(form["client_assertion"].split(".")[0] + "=="))
    assert header == {"alg": "ES256", "kid": "k1", "typ": "client-authentication+jwt"}


@pytest.mark.requirement("CL-27")
def test_no_two_assertions_are_the_same() -> None:
    pem, senses = new_private_key().decode(), still()
    sent = []
    for _ in range(2):
        seen = Play()
        program = ClientCredentials("bot", private_key=pem)
        talk = sign_in_as_program(
            SignInRequest(SERVER), Hint(PRM), program, senses, account="default"
        )
        play(talk, usual(), seen)
        sent.append(seen.forms(TOKEN)[0]["client_assertion"].split(".")[1])
    assert sent[0] != sent[1]


@pytest.mark.requirement("CL-61")
def test_a_company_vouches_for_a_person() -> None:
    seen = Play()
    signed_in(OFFICE, seen)
    assert seen.forms(IDP) == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": ID_JAG,
            "audience": ISSUER,
            "resource": SERVER,
            "subject_token": "the-id-token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "scope": "a",
            "client_id": "idp-client",
        }
    ]
    form = seen.forms(TOKEN)[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert form["assertion"] == "jag"
    assert "the-id-token" not in str(seen.forms(TOKEN))


@pytest.mark.requirement("CL-61")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (as_json({**JAG, "issued_token_type": "urn:ietf:params:oauth:token-type:jwt"}), Untrusted),
        (as_json({**JAG, "token_type": "Bearer"}), Untrusted),
        (as_json({**JAG, "access_token": None}), Untrusted),
        (Reply("", 200, (), b"<html>"), Untrusted),
        (as_json({"error": "invalid_grant"}, 400), Denied),
        (Reply("", 404), ServerFault),
    ],
)
def test_something_else_than_an_identity_assertion_goes_nowhere(
    answer: Reply, kind: type[LatchError]
) -> None:
    seen = Play()
    with pytest.raises(kind):
        signed_in(OFFICE, seen, usual() | {IDP: answer})
    assert not seen.posts(TOKEN)


@pytest.mark.requirement("CL-62")
@pytest.mark.parametrize("error", ["invalid_grant", "unauthorized_client", "invalid_scope"])
def test_a_refused_workload_tries_nothing_else(error: str) -> None:
    seen = Play()
    with pytest.raises(Denied) as caught:
        signed_in(Workload("jwt", "load"), seen, usual() | {TOKEN: as_json({"error": error}, 400)})
    assert caught.value.error == error
    assert len(seen.posts(TOKEN)) == 1
    assert not seen.visits


@pytest.mark.requirement("CL-24")
@pytest.mark.parametrize(
    "program",
    [
        ClientCredentials("bot", "s3cret", issuer="https://other.example"),
        Workload("jwt", "load", issuer="https://other.example"),
    ],
)
def test_credentials_of_another_issuer_stay_here(program: Program) -> None:
    seen = Play()
    with pytest.raises(Untrusted):
        signed_in(program, seen)
    assert not [url for url in seen.urls if url == TOKEN]


def test_no_repr_shows_a_secret() -> None:
    shown = repr([OFFICE, Workload("jwt-x", "l"), ClientCredentials("b", "s3cret", "pem-x")])
    for secret in ("s3cret", "the-id-token", "jwt-x", "pem-x"):
        assert secret not in shown
