"""Becoming a client: in which order, with what, and what of the answer is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcplatch.client.discover import Found
from mcplatch.client.errors import Denied, LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.register import (
    Registration,
    build_metadata_document,
    choose_method,
    known_registration,
    register,
)
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Reply
from mcplatch.protocol import server_metadata
from mcplatch.protocol.client_id_document import ClientDocument, parse_document
from mcplatch.protocol.client_metadata import ClientOffer
from mcplatch.protocol.refusal import Refusal
from tests.client.table import (
    ISSUER,
    REDIRECT_URI,
    SERVER,
    Answer,
    Notebook,
    Play,
    as_json,
    in_turn,
    metadata,
    play,
)

REGISTER = f"{ISSUER}/register"
DOCUMENT = "https://app.example/client.json"


def found(**changes: object) -> Found:
    meta = server_metadata.parse(metadata(**changes), issuer=ISSUER)
    assert not isinstance(meta, Refusal)
    return Found(SERVER, SERVER, meta, scopes_supported=("notes:read", "notes:write"))


def registered(answer: Answer, seen: Play | None = None, **changes: object) -> Registration:
    talk = register(
        SignInRequest(SERVER), found(**changes), redirect_uri=REDIRECT_URI, scope=("a",)
    )
    return play(talk, {REGISTER: answer}, seen or Play())


def held(**changes: object) -> Registration:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "old",
        "token_endpoint_auth_method": "none",
    }
    return Registration(**{**values, "kind": "dynamic", "redirect_uri": REDIRECT_URI, **changes})


@pytest.mark.requirement("CL-20")
@pytest.mark.parametrize(
    ("request_", "takes_documents", "remembered", "expected"),
    [
        (SignInRequest(SERVER, client_id="mine"), True, held(), ("given", "mine")),
        (SignInRequest(SERVER, client_metadata_url=DOCUMENT), True, held(), ("document", DOCUMENT)),
        (SignInRequest(SERVER, client_metadata_url=DOCUMENT), False, held(), ("dynamic", "old")),
        (SignInRequest(SERVER), True, held(), ("dynamic", "old")),
        (SignInRequest(SERVER), True, None, None),
        (SignInRequest(SERVER), True, held(issuer="https://other.example"), None),
        (SignInRequest(SERVER), True, held(secret_expires_at=999), None),
        (SignInRequest(SERVER), True, held(secret_expires_at=1001), ("dynamic", "old")),
        (SignInRequest(SERVER), True, held(scope=("b",)), None),
        (SignInRequest(SERVER), True, held(scope=("a", "b")), ("dynamic", "old")),
    ],
)
def test_the_order(
    request_: SignInRequest,
    takes_documents: bool,
    remembered: Registration | None,
    expected: tuple[str, str] | None,
) -> None:
    here = found(client_id_metadata_document_supported=takes_documents)
    memory = Notebook(*([remembered] if remembered else []))
    known = known_registration(request_, here, memory, scope=("a",), now=1000)
    assert (None if known is None else (known.kind, known.client_id)) == expected


@pytest.mark.requirement("CL-24")
def test_a_given_client_is_not_shown_to_another_issuer() -> None:
    request = SignInRequest(
        SERVER, client_id="mine", client_secret="s3cret", client_issuer="https://mine.example"
    )
    with pytest.raises(Untrusted) as caught:
        known_registration(request, found(), Notebook(), scope=(), now=0)
    assert "s3cret" not in str(caught.value)


@pytest.mark.requirement("CL-22")
def test_what_is_registered() -> None:
    seen = Play()
    registered(as_json({"client_id": "c"}, 201), seen)
    sent = json.loads(seen.posts(REGISTER)[0].body)
    assert sent == {
        "client_name": "mcplatch",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "software_id": sent["software_id"],
        "scope": "a notes:read notes:write",
    }


@pytest.mark.requirement("CL-23")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"client_id": "c"}, ("c", "none", None, None)),
        (
            {
                "client_id": "c",
                "client_secret": "s",
                "token_endpoint_auth_method": "client_secret_basic",
                "client_secret_expires_at": 5000,
            },
            ("c", "client_secret_basic", "s", 5000),
        ),
        (
            {"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0},
            ("c", "none", None, None),
        ),
    ],
)
def test_the_answer_counts_not_the_question(
    answer: dict[str, object], expected: tuple[object, ...]
) -> None:
    got = registered(as_json(answer, 201))
    assert (
        got.client_id,
        got.token_endpoint_auth_method,
        got.client_secret,
        got.secret_expires_at,
    ) == expected
    assert (got.issuer, got.redirect_uri) == (ISSUER, REDIRECT_URI)


@pytest.mark.requirement("CL-23")
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"client_id": ""},
        {"client_id": 5},
        {"client_id": "a\nb"},
        {"client_id": "c", "client_secret": 5},
        {"client_id": "c", "token_endpoint_auth_method": "private_key_jwt"},
        {"client_id": "c", "token_endpoint_auth_method": "client_secret_post"},
        {"client_id": "c", "redirect_uris": ["https://evil.example/cb"]},
        {"client_id": "c", "redirect_uris": "x"},
    ],
)
def test_a_registration_that_cannot_work_is_refused_before_anybody_is_asked(
    answer: dict[str, object],
) -> None:
    with pytest.raises(ServerFault):
        registered(as_json(answer, 201))


@pytest.mark.requirement("CL-20")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (as_json({"error": "invalid_redirect_uri", "error_description": "x"}, 400), Denied),
        (Reply("", 403), Denied),
        (Reply("", 400, (), b"<html>"), ServerFault),
        (Reply("", 503), Unreachable),
        (Reply("", 429), Unreachable),
        (Reply("", 302, (("location", "https://evil.example"),)), ServerFault),
    ],
)
def test_a_refusal_says_what_to_do(answer: Reply, kind: type[LatchError]) -> None:
    with pytest.raises(kind) as caught:
        registered(answer)
    assert caught.value.next_step


def test_a_server_that_minds_the_scope_is_asked_without() -> None:
    seen = Play()
    no = as_json({"error": "invalid_client_metadata"}, 400)
    got = registered(in_turn(no, as_json({"client_id": "c"}, 201)), seen)
    assert got.scope == ()
    assert ["scope" in json.loads(post.body) for post in seen.posts(REGISTER)] == [True, False]


@pytest.mark.requirement("CL-20")
def test_without_registration_the_person_is_told_how_to_do_it() -> None:
    with pytest.raises(Denied) as caught:
        registered(Reply("", 404), registration_endpoint=None)
    assert "--client-id" in caught.value.next_step


@pytest.mark.requirement("CL-26")
@pytest.mark.parametrize(
    ("offered", "has_secret", "method"),
    [
        ((), None, "none"),
        ((), True, "client_secret_basic"),
        ((), False, "none"),
        (("none",), None, "none"),
        (("client_secret_basic",), None, "client_secret_basic"),
        (("client_secret_post",), None, "client_secret_post"),
        (("client_secret_post", "none"), None, "none"),
        (("client_secret_basic",), True, "client_secret_basic"),
        (("client_secret_basic", "client_secret_post"), True, "client_secret_post"),
        (("private_key_jwt",), True, "client_secret_post"),
        (("client_secret_basic",), False, "none"),
    ],
)
def test_the_method_of_authentication(
    offered: tuple[str, ...], has_secret: bool | None, method: str
) -> None:
    assert choose_method(offered, has_secret=has_secret) == method


@pytest.mark.requirement("CL-26")
def test_a_method_set_beforehand_wins() -> None:
    request = SignInRequest(
        SERVER, client_id="m", client_secret="s", token_endpoint_auth_method="client_secret_basic"
    )
    known = known_registration(request, found(), Notebook(), scope=(), now=0)
    assert known is not None
    assert known.token_endpoint_auth_method == "client_secret_basic"


@pytest.mark.requirement("CL-21")
def test_the_document_to_publish_is_one_our_own_server_takes() -> None:
    document = build_metadata_document(DOCUMENT, client_name="mcplatch")
    assert document["client_id"] == DOCUMENT
    assert document["redirect_uris"] == [
        "http://localhost/callback",
        "http://127.0.0.1/callback",
        "http://[::1]/callback",
    ]
    assert document["application_type"] == "native"
    read = parse_document(
        client_id=DOCUMENT,
        status=200,
        content_type="application/json",
        body=json.dumps(document).encode(),
        offer=ClientOffer(auth_methods=("none",)),
    )
    assert isinstance(read, ClientDocument)
