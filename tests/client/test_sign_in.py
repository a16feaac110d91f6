"""The whole sign-in: what is asked for, what is refused, and what becomes of it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from mcplatch.client.credential import Credential
from mcplatch.client.errors import (
    Denied,
    LatchError,
    NoSignInNeeded,
    ServerFault,
    SignInNeeded,
    Untrusted,
)
from mcplatch.client.register import Memory, Registration
from mcplatch.client.sign_in import Hint, ask_server, hint_of, sign_in, with_more_scope
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Listen, Post, Reply, Visit
from mcplatch.protocol.challenge import Challenge
from mcplatch.protocol.pkce import challenge_of
from tests.client.table import (
    ISSUER,
    META,
    PRM,
    REDIRECT_URI,
    SERVER,
    Answer,
    Notebook,
    Play,
    as_json,
    back,
    down,
    in_turn,
    metadata,
    play,
    resource,
    says_yes,
    still,
    tokens,
    usual,
)

TOKEN, REGISTER, AUTHORIZE = f"{ISSUER}/token", f"{ISSUER}/register", f"{ISSUER}/authorize"
OLD = Registration(ISSUER, "old", "none", "dynamic", redirect_uri=REDIRECT_URI)


def signed_in(
    replies: dict[str, Answer] | None = None,
    seen: Play | None = None,
    *,
    request: SignInRequest | None = None,
    hint: Hint | None = Hint(PRM),  # noqa: B008
    memory: Memory | None = None,
    person: Callable[[Visit], Reply] = says_yes,
    redirect_uri: str = REDIRECT_URI,
) -> Credential:
    talk = sign_in(request or SignInRequest(SERVER), hint, memory or Notebook(), still())
    return play(talk, replies or usual(), seen or Play(), person=person, redirect_uri=redirect_uri)


def test_everything_a_later_run_needs_is_kept() -> None:
    assert signed_in() == Credential(
        server_url=SERVER,
        account="default",
        issuer=ISSUER,
        resource=SERVER,
        token_endpoint=TOKEN,
        revocation_endpoint=f"{ISSUER}/revoke",
        client_id="c-1",
        client_secret=None,
        token_endpoint_auth_method="none",
        access_token="at-1",
        refresh_token="rt-1",
        expires_at=1600,
        scope=("notes:read",),
        obtained_at=1000,
        sign_in_at=1000,
        request=SignInRequest(SERVER),
    )


@pytest.mark.requirement("CL-30", "CL-31", "CL-33")
def test_what_the_person_is_sent_with_and_what_the_code_is_redeemed_with() -> None:
    seen = Play()
    signed_in(seen=seen)
    asked, form = seen.query(), seen.forms(TOKEN)[0]
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["resource"] == form["resource"] == SERVER
    assert asked["redirect_uri"] == form["redirect_uri"] == REDIRECT_URI
    assert challenge_of(form["code_verifier"]) == asked["code_challenge"]
    assert len(base64.urlsafe_b64decode(asked["state"] + "=")) == 32
    assert form["client_id"] == asked["client_id"] == "c-1"
    assert form["code"] == "code-1"


@pytest.mark.requirement("CL-30", "CL-31")
def test_each_attempt_has_its_own_verifier_and_state() -> None:
    first, second, senses = Play(), Play(), still()
    for seen in (first, second):
        play(sign_in(SignInRequest(SERVER), Hint(PRM), Notebook(), senses), usual(), seen)
    for name in ("state", "code_challenge"):
        assert first.query()[name] != second.query()[name]


@pytest.mark.requirement("CL-33")
@pytest.mark.parametrize("named", ["https://notes.example", "https://notes.example/"])
def test_the_resource_goes_out_byte_for_byte(named: str) -> None:
    seen = Play()
    held = signed_in(usual() | {PRM: as_json(resource(resource=named))}, seen)
    assert seen.query()["resource"] == seen.forms(TOKEN)[0]["resource"] == held.resource == named


@pytest.mark.requirement("CL-33")
def test_the_resource_can_be_left_out() -> None:
    seen = Play()
    signed_in(seen=seen, request=SignInRequest(SERVER, send_resource=False))
    assert "resource" not in seen.query()
    assert "resource" not in seen.forms(TOKEN)[0]


@pytest.mark.requirement("CL-30")
@pytest.mark.parametrize("methods", [None, [], ["plain"]])
def test_a_server_that_does_not_say_it_does_s256_is_refused_before_anybody_is_asked(
    methods: list[str] | None,
) -> None:
    replies = usual() | {META: as_json(metadata(code_challenge_methods_supported=methods))}
    seen = Play()
    with pytest.raises(Untrusted) as caught:
        signed_in(replies, seen)
    assert "--assume-pkce" in caught.value.next_step
    assert not seen.visits
    assert not seen.posts(REGISTER)
    assert signed_in(replies, request=SignInRequest(SERVER, assume_pkce=True)).issuer == ISSUER


SCOPES = [
    # wanted, challenged, listed by the resource, listed by the server, asked for
    (None, None, [], ["a", "b"], None),
    (None, None, ["r"], ["a"], "r"),
    (None, ("c", "d"), ["r"], ["a"], "c d"),
    (("w",), ("c",), ["r"], ["a"], "w"),
    ((), ("c",), ["r"], ["a"], None),
    (None, ("c",), ["r"], ["a", "offline_access"], "c offline_access"),
    (None, None, [], ["offline_access"], "offline_access"),
    (None, ("offline_access", "c"), [], ["offline_access"], "offline_access c"),
]


@pytest.mark.requirement("CL-34", "CL-35")
@pytest.mark.parametrize(("wanted", "challenged", "listed", "server", "asked"), SCOPES)
def test_which_scope_is_asked_for(
    wanted: tuple[str, ...] | None,
    challenged: tuple[str, ...] | None,
    listed: list[str],
    server: list[str],
    asked: str | None,
) -> None:
    seen = Play()
    replies = usual() | {
        PRM: as_json(resource(scopes_supported=listed)),
        META: as_json(metadata(scopes_supported=server)),
    }
    request = SignInRequest(SERVER, scope=wanted)
    signed_in(replies, seen, request=request, hint=Hint(PRM, challenged))
    query = seen.query()
    assert query.get("scope") == asked
    assert query.get("prompt") == ("consent" if "offline_access" in (asked or "") else None)


@pytest.mark.requirement("CL-52")
def test_an_answer_without_scope_and_lifetime() -> None:
    replies = usual() | {TOKEN: as_json(tokens(scope=None, expires_in=None))}
    held = signed_in(replies, hint=Hint(PRM, ("a", "b")))
    assert held.scope == ("a", "b")
    assert held.expires_at is None
    assert held.is_fresh(10**9)


BAD_ANSWERS: list[tuple[str, Callable[[Visit], str]]] = [
    ("another state", lambda v: back(v, code="c", state="x")),
    ("no state", lambda v: back(v, code="c", state="")),
    ("another issuer", lambda v: back(v, code="c", iss="https://evil.example")),
    ("no issuer, though promised", lambda v: back(v, code="c", iss="")),
    ("an error of another issuer", lambda v: back(v, error="<b>pay</b>", iss="https://evil")),
    ("nothing", lambda v: back(v)),
]


@pytest.mark.requirement("CL-31", "CL-32")
@pytest.mark.parametrize("answer", [r[1] for r in BAD_ANSWERS], ids=[r[0] for r in BAD_ANSWERS])
def test_an_answer_to_something_else_ends_it_and_no_code_is_sent(
    answer: Callable[[Visit], str],
) -> None:
    seen = Play()
    with pytest.raises(Untrusted) as caught:
        signed_in(seen=seen, person=lambda visit: Reply(answer(visit)))
    assert not seen.posts(TOKEN)
    assert "<b>" not in str(caught.value)


def test_denied_on_the_page_is_said_so() -> None:
    with pytest.raises(Denied) as caught:
        signed_in(person=lambda visit: Reply(back(visit, error="access_denied")))
    assert caught.value.error == "access_denied"


@pytest.mark.requirement("CL-51")
def test_a_token_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(Untrusted):
        signed_in(usual() | {TOKEN: as_json(tokens(token_type="mac"))})


@pytest.mark.requirement("CL-26")
@pytest.mark.parametrize(
    ("method", "header", "in_body"),
    [
        ("client_secret_basic", "Basic Yy0xOnMlM0ElMkYr", None),
        ("client_secret_post", None, "s:/ "),
        ("none", None, None),
    ],
)
def test_how_the_client_authenticates(method: str, header: str | None, in_body: str | None) -> None:
    seen = Play()
    answer = {"client_id": "c-1", "client_secret": "s:/ ", "token_endpoint_auth_method": method}
    signed_in(usual() | {REGISTER: as_json(answer, 201)}, seen)
    assert seen.posts(TOKEN)[0].authorization == header
    assert seen.forms(TOKEN)[0].get("client_secret") == in_body


def test_an_authorization_endpoint_may_have_a_query_and_a_fragment() -> None:
    seen = Play()
    endpoint = f"{AUTHORIZE}?tenant=1#top"
    signed_in(usual() | {META: as_json(metadata(authorization_endpoint=endpoint))}, seen)
    assert seen.visits[0].url.startswith(f"{AUTHORIZE}?tenant=1&response_type=code&")
    assert "#" not in seen.visits[0].url


@pytest.mark.requirement("CL-7", "CL-33")
def test_a_server_of_2025_03_26_works_without_resource() -> None:
    seen, origin = Play(), "https://notes.example"
    replies: dict[str, Answer] = {
        f"{origin}/register": as_json({"client_id": "c"}, 201),
        f"{origin}/token": as_json(tokens()),
    }
    held = signed_in(
        replies,
        seen,
        hint=Hint(),
        person=lambda visit: Reply(back(visit, code="c", iss="")),
    )
    assert held.resource is None
    assert "resource" not in seen.query()
    assert seen.visits[0].url.startswith(f"{origin}/authorize?")


def test_a_server_that_asks_for_nothing_and_says_nothing_needs_no_sign_in() -> None:
    with pytest.raises(NoSignInNeeded):
        signed_in({SERVER: Reply("", 200)}, hint=None)


@pytest.mark.parametrize("lacking", ["authorization_endpoint", "token_endpoint"])
def test_a_server_without_endpoints_cannot_sign_anybody_in(lacking: str) -> None:
    with pytest.raises(ServerFault):
        signed_in(usual() | {META: as_json(metadata(**{lacking: None}))})


# -- registrations ------------------------------------------------------------------------------------


@pytest.mark.requirement("CL-20")
def test_an_earlier_registration_is_used_with_its_redirect_uri() -> None:
    seen = Play()
    assert signed_in(seen=seen, memory=Notebook(OLD)).client_id == "old"
    assert not seen.posts(REGISTER)
    assert Listen(REDIRECT_URI) in seen.asked


def test_another_port_means_another_registration() -> None:
    """Servers that compare the port would send the person to an error page."""
    seen, other = Play(), "http://127.0.0.1:4001/callback"
    assert signed_in(seen=seen, memory=Notebook(OLD), redirect_uri=other).client_id == "c-1"
    assert seen.query()["redirect_uri"] == other


@pytest.mark.requirement("CL-25")
@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_client_lost_at_the_authorization_endpoint_registers_again(status: int) -> None:
    memory, seen = Notebook(OLD), Play()
    held = signed_in(usual() | {AUTHORIZE: Reply("", status)}, seen, memory=memory)
    assert held.client_id == "c-1"
    assert len(seen.visits) == 1
    assert memory.held[ISSUER].client_id == "c-1"


def test_a_page_only_the_browser_can_reach_is_left_to_the_browser() -> None:
    assert signed_in(usual() | {AUTHORIZE: down()}, memory=Notebook(OLD)).client_id == "old"


@pytest.mark.requirement("CL-25")
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
def test_a_client_lost_at_the_token_endpoint_registers_again_once(error: str) -> None:
    lost = as_json({"error": error}, 401)
    memory, seen = Notebook(OLD), Play()
    replies = usual() | {TOKEN: in_turn(lost, as_json(tokens()))}
    assert signed_in(replies, seen, memory=memory).client_id == "c-1"
    seen = Play()
    with pytest.raises(Denied):
        signed_in(usual() | {TOKEN: lost}, seen, memory=Notebook(OLD))
    assert len(seen.visits) == 2
    assert len(seen.posts(REGISTER)) == 1


@pytest.mark.requirement("CL-25")
def test_a_registration_nobody_came_back_with_is_not_used_again() -> None:
    def person(visit: Visit) -> Reply:
        raise SignInNeeded("Nobody came back.", next_step="Try again.")

    memory = Notebook(OLD)
    with pytest.raises(SignInNeeded):
        signed_in(memory=memory, person=person)
    assert not memory.held


def test_a_fresh_registration_that_is_refused_is_not_made_again() -> None:
    seen = Play()
    with pytest.raises(Denied):
        signed_in(usual() | {TOKEN: as_json({"error": "invalid_client"}, 401)}, seen)
    assert len(seen.posts(REGISTER)) == 1


def test_a_server_that_holds_a_client_to_its_registered_scopes() -> None:
    def person(visit: Visit) -> Reply:
        lost = "client_id=old" in visit.url
        return Reply(back(visit, **({"error": "invalid_scope"} if lost else {"code": "c"})))

    assert signed_in(memory=Notebook(OLD), person=person).client_id == "c-1"


@pytest.mark.requirement("CL-24")
def test_another_authorization_server_gets_nothing_of_the_first_one() -> None:
    memory, new = Notebook(OLD), "https://new.example"
    replies = usual() | {
        PRM: as_json(resource(authorization_servers=[new])),
        f"{new}/.well-known/oauth-authorization-server": as_json(
            metadata(
                issuer=new,
                authorization_endpoint=f"{new}/authorize",
                token_endpoint=f"{new}/token",
                registration_endpoint=f"{new}/register",
            )
        ),
        f"{new}/register": as_json({"client_id": "c-new"}, 201),
        f"{new}/token": as_json(tokens()),
    }
    seen = Play()
    held = signed_in(
        replies, seen, memory=memory, person=lambda v: Reply(back(v, code="c", iss=new))
    )
    assert (held.issuer, held.client_id) == (new, "c-new")
    assert not [url for url in seen.urls if url.startswith(ISSUER)]
    assert "old" not in str(seen.asked)


# -- hints --------------------------------------------------------------------------------------------


def test_a_server_is_asked_how_to_sign_in() -> None:
    assert play(ask_server(SignInRequest(SERVER)), usual(), Play()) == Hint(PRM, None)
    assert play(ask_server(SignInRequest(SERVER)), {SERVER: Reply("", 200)}, Play()) is None
    assert play(ask_server(SignInRequest(SERVER)), {SERVER: Reply("", 401)}, Play()) == Hint()


def test_a_malformed_scope_is_no_hint() -> None:
    assert hint_of(None) == Hint()
    assert hint_of(Challenge("Bearer", {"scope": "a\x1b b"})) == Hint()
    assert hint_of(Challenge("bearer", {"scope": ""})) == Hint()
    both = {"resource_metadata": "u", "scope": "a b"}
    assert hint_of(Challenge("Bearer", both)) == Hint("u", ("a", "b"))
    assert hint_of(Challenge("DPoP", both)) == Hint("u", ("a", "b"), dpop=True)


def test_more_scope_is_a_union_in_order() -> None:
    request = with_more_scope(SignInRequest(SERVER), ("a", "b"), ("b", "c"))
    assert request.scope == ("a", "b", "c")


def test_no_error_text_holds_a_secret() -> None:
    for error in ("invalid_grant", "invalid_client", "server_error"):
        replies = usual() | {TOKEN: as_json({"error": error}, 400)}
        seen = Play()
        with pytest.raises(LatchError) as caught:
            signed_in(replies, seen)
        sent = [post for post in seen.asked if isinstance(post, Post) and post.url == TOKEN]
        verifier = dict(p.split(b"=") for p in sent[0].body.split(b"&"))[b"code_verifier"].decode()
        assert verifier not in str(caught.value)
        assert "code-1" not in str(caught.value)
