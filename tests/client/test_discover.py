"""Discovery: the order of the questions, and what is not believed."""

from __future__ import annotations

import pytest

from mcplatch.client.discover import Found, discover, knock, token_challenge
from mcplatch.client.errors import LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Reply
from tests.client.table import (
    ISSUER,
    META,
    PRM,
    ROOT_PRM,
    SERVER,
    Answer,
    Play,
    as_json,
    down,
    metadata,
    play,
    resource,
    usual,
)

ORIGIN_META = "https://notes.example/.well-known/oauth-authorization-server"
ORIGIN_OPENID = "https://notes.example/.well-known/openid-configuration"


def found(
    replies: dict[str, Answer],
    seen: Play | None = None,
    *,
    named: str | None = PRM,
    pinned: str | None = None,
    request: SignInRequest | None = None,
) -> Found:
    talk = discover(
        request or SignInRequest(SERVER), resource_metadata_url=named, pinned_issuer=pinned
    )
    return play(talk, replies, seen or Play())


def refused(replies: dict[str, Answer], **how: object) -> LatchError:
    with pytest.raises(LatchError) as caught:
        found(replies, **how)  # type: ignore[arg-type]
    assert caught.value.next_step
    return caught.value


@pytest.mark.requirement("CL-1")
@pytest.mark.parametrize(
    "headers",
    [
        ['Bearer resource_metadata="https://x/prm", scope="a"'],
        ['Basic realm="x"', 'Bearer scope="a", resource_metadata="https://x/prm"'],
        ['Negotiate abc==, bearer scope=a , resource_metadata="https://x/prm"'],
        ["Bearer", 'Bearer resource_metadata="https://x/prm", scope="a"'],
    ],
)
def test_the_token_challenge_is_found_among_all(headers: list[str]) -> None:
    reply = Reply("", 401, tuple(("www-authenticate", value) for value in headers))
    challenge = token_challenge(reply)
    assert challenge is not None
    assert challenge.get("resource_metadata") == "https://x/prm"
    assert challenge.get("scope") == "a"


def test_knocking_is_a_get_and_a_post_only_if_that_says_nothing() -> None:
    seen = Play()
    assert play(knock(SERVER), usual(), seen).status == 401
    assert [type(request).__name__ for request in seen.asked] == ["Get"]
    seen = Play()
    assert play(knock(SERVER), {SERVER: Reply("", 405)}, seen).status == 405
    assert [type(request).__name__ for request in seen.asked] == ["Get", "Post"]


@pytest.mark.requirement("CL-2")
@pytest.mark.parametrize(
    ("named", "there", "asked"),
    [
        ("https://notes.example/prm", "https://notes.example/prm", ["https://notes.example/prm"]),
        (None, PRM, [PRM]),
        (None, ROOT_PRM, [PRM, ROOT_PRM]),
        ("https://notes.example/gone", PRM, ["https://notes.example/gone", PRM]),
    ],
)
def test_resource_metadata_is_asked_for_in_order(
    named: str | None, there: str, asked: list[str]
) -> None:
    seen = Play()
    here = found({there: as_json(resource()), META: as_json(metadata())}, seen, named=named)
    assert seen.urls == [*asked, META]
    assert here.resource == SERVER


def test_a_page_that_is_no_json_is_not_there() -> None:
    replies = usual() | {PRM: Reply("", 200, (), b"<html>"), ROOT_PRM: as_json(resource())}
    assert found(replies).metadata.issuer == ISSUER


@pytest.mark.requirement("CL-3")
@pytest.mark.parametrize(
    "named",
    [
        "https://evil.example/mcp",
        "https://notes.example/other",
        "https://notes.example/mc",
        "https://notes.example/mcp/deeper",
        "http://notes.example/mcp",
        "https://notes.example:8443/mcp",
        "https://notes.example.evil.example",
        "https://notes.example/mcp?tenant=1",
    ],
)
def test_metadata_of_another_resource_stops_it(named: str) -> None:
    seen = Play()
    with pytest.raises(Untrusted):
        found(usual() | {PRM: as_json(resource(resource=named))}, seen)
    assert seen.urls == [PRM]


@pytest.mark.requirement("CL-3", "CL-33")
@pytest.mark.parametrize(
    "named",
    [SERVER, "https://notes.example", "https://notes.example/", "HTTPS://Notes.example/mcp"],
)
def test_the_resource_is_kept_as_it_was_written(named: str) -> None:
    assert found(usual() | {PRM: as_json(resource(resource=named))}).resource == named


def test_a_server_that_wants_no_resource_gets_none() -> None:
    assert found(usual(), request=SignInRequest(SERVER, send_resource=False)).resource is None


@pytest.mark.requirement("CL-4")
@pytest.mark.parametrize(
    ("pinned", "chosen", "expected"),
    [
        (None, None, "https://one.example"),
        ("https://two.example", None, "https://two.example"),
        ("https://gone.example", None, "https://one.example"),
        (None, "https://two.example", "https://two.example"),
    ],
)
def test_which_authorization_server(pinned: str | None, chosen: str | None, expected: str) -> None:
    replies: dict[str, Answer] = {
        PRM: as_json(resource(authorization_servers=["https://one.example", "https://two.example"]))
    }
    for issuer in ("https://one.example", "https://two.example"):
        url = f"{issuer}/.well-known/oauth-authorization-server"
        replies[url] = as_json(metadata(issuer=issuer))
    request = SignInRequest(SERVER, issuer=chosen)
    assert found(replies, pinned=pinned, request=request).metadata.issuer == expected


def test_one_that_is_not_named_cannot_be_chosen() -> None:
    no = refused(usual(), request=SignInRequest(SERVER, issuer="https://evil.example"))
    assert isinstance(no, Untrusted)


@pytest.mark.requirement("CL-5")
def test_metadata_of_an_issuer_with_a_path_is_asked_for_in_order() -> None:
    seen, issuer = Play(), f"{ISSUER}/t1"
    last = f"{ISSUER}/t1/.well-known/openid-configuration"
    replies: dict[str, Answer] = {
        PRM: as_json(resource(authorization_servers=[issuer])),
        last: as_json(metadata(issuer=issuer)),
    }
    assert found(replies, seen).metadata.issuer == issuer
    assert seen.urls[1:] == [
        f"{ISSUER}/.well-known/oauth-authorization-server/t1",
        f"{ISSUER}/.well-known/openid-configuration/t1",
        last,
    ]


@pytest.mark.requirement("CL-5")
def test_trouble_at_the_first_address_does_not_hide_the_second() -> None:
    openid = f"{ISSUER}/.well-known/openid-configuration"
    replies = usual() | {META: Reply("", 503), openid: as_json(metadata())}
    assert found(replies).metadata.issuer == ISSUER


@pytest.mark.requirement("CL-5", "CL-7")
@pytest.mark.parametrize("url", [PRM, META])
@pytest.mark.parametrize("answer", [Reply("", 500), Reply("", 429), down()])
def test_trouble_is_not_taken_for_absence(url: str, answer: Answer) -> None:
    assert isinstance(refused(usual() | {url: answer}), Unreachable)


@pytest.mark.requirement("CL-6")
@pytest.mark.parametrize("named", [ISSUER + "/", "https://evil.example", ISSUER.upper()])
def test_metadata_of_another_issuer_is_refused(named: str) -> None:
    no = refused(usual() | {META: as_json(metadata(issuer=named))})
    assert isinstance(no, Untrusted)
    assert f"--accept-issuer {named}" in no.next_step


@pytest.mark.requirement("CL-6")
def test_another_name_is_accepted_only_when_it_is_the_one_configured() -> None:
    replies = usual() | {META: as_json(metadata(issuer=ISSUER + "/"))}
    request = SignInRequest(SERVER, accept_issuer=ISSUER + "/")
    assert found(replies, request=request).metadata.issuer == ISSUER + "/"
    other = SignInRequest(SERVER, accept_issuer="https://other.example")
    assert isinstance(refused(replies, request=other), Untrusted)


@pytest.mark.requirement("CL-7")
def test_without_any_metadata_the_fixed_addresses_of_2025_03_26_are_used() -> None:
    seen = Play()
    here = found({}, seen, named=None)
    assert seen.urls == [PRM, ROOT_PRM, ORIGIN_META, ORIGIN_OPENID]
    assert here.fixed_endpoints
    assert here.resource is None
    assert here.metadata.token_endpoint == "https://notes.example/token"


@pytest.mark.requirement("CL-7")
@pytest.mark.parametrize("named", ["https://notes.example", "https://notes.example/"])
def test_the_origin_may_be_the_authorization_server(named: str) -> None:
    here = found({ORIGIN_META: as_json(metadata(issuer=named))}, named=None)
    assert (here.metadata.issuer, here.resource, here.fixed_endpoints) == (named, SERVER, False)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({PRM: as_json({"resource": SERVER})}, ServerFault),
        ({PRM: as_json({"resource": 5})}, ServerFault),
        ({META: as_json(metadata(token_endpoint=5))}, ServerFault),
        ({META: Reply("", 404)}, ServerFault),
    ],
)
def test_what_is_no_metadata_is_said_to_be_none(
    changes: dict[str, Answer], kind: type[LatchError]
) -> None:
    assert isinstance(refused(usual() | changes), kind)


@pytest.mark.requirement("CL-8", "CL-9")
@pytest.mark.parametrize("name", ["authorization", "token", "registration", "revocation"])
@pytest.mark.parametrize(
    "url",
    [
        "http://as.example/x",
        "http://127.0.0.1:8080/x",
        "https://localhost/x",
        "https://[::1]/x",
    ],
)
def test_endpoints_that_lead_into_the_open_or_home_are_not_used(name: str, url: str) -> None:
    replies = usual() | {META: as_json(metadata(**{f"{name}_endpoint": url}))}
    assert isinstance(refused(replies), Untrusted)


@pytest.mark.requirement("CL-8", "CL-9")
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://as.example/$(calc)\x00",
        "https://user:pw@as.example/a",
        "https://as.example/ --profile-directory=x",
        "-oProxyCommand=calc",
        "",
    ],
)
def test_addresses_that_are_none_are_not_fetched(url: str) -> None:
    seen = Play()
    replies = usual() | {PRM: as_json(resource(authorization_servers=[url or "x"]))}
    with pytest.raises(LatchError):
        found(replies, seen)
    assert seen.urls == [PRM]


def test_the_challenge_cannot_send_the_client_home() -> None:
    no = refused(usual(), named="http://127.0.0.1:631/prm")
    assert isinstance(no, Untrusted)


def test_on_this_machine_plain_http_is_fine() -> None:
    server, issuer = "http://localhost:8001/mcp", "http://localhost:9000"
    replies: dict[str, Answer] = {
        "http://localhost:8001/.well-known/oauth-protected-resource/mcp": as_json(
            resource(resource=server, authorization_servers=[issuer])
        ),
        f"{issuer}/.well-known/oauth-authorization-server": as_json(
            {"issuer": issuer, "token_endpoint": f"{issuer}/token"}
        ),
    }
    here = found(replies, named=None, request=SignInRequest(server))
    assert here.metadata.issuer == issuer


@pytest.mark.parametrize("allowed", [False, True])
def test_plain_http_beyond_this_machine_is_a_choice(allowed: bool) -> None:
    request = SignInRequest("http://box.lan/mcp", allow_http=allowed)
    talk = discover(request, resource_metadata_url=None)
    if allowed:
        assert play(talk, {}, Play()).fixed_endpoints
    else:
        with pytest.raises(Untrusted):
            play(talk, {}, Play())
