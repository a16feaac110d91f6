"""Refresh and revocation: at the issuer's own endpoint, with the right words, losing nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcplatch.client.credential import Credential, from_json, to_json
from mcplatch.client.errors import Denied, LatchError, ServerFault, Unreachable, Untrusted
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Reply
from mcplatch.client.tokens import GrantGone, refresh, revoke
from tests.client.table import (
    ISSUER,
    SERVER,
    Answer,
    Play,
    as_json,
    down,
    in_turn,
    play,
    still,
    tokens,
)

TOKEN, REVOKE = f"{ISSUER}/token", f"{ISSUER}/revoke"
HELD = Credential(
    server_url=SERVER,
    account="default",
    issuer=ISSUER,
    resource=SERVER,
    token_endpoint=TOKEN,
    revocation_endpoint=REVOKE,
    client_id="c-1",
    client_secret=None,
    token_endpoint_auth_method="none",
    access_token="at-0",
    refresh_token="rt-0",
    expires_at=900,
    scope=("a", "b"),
    obtained_at=300,
    sign_in_at=200,
    request=SignInRequest(SERVER, client_id="given", assume_pkce=True),
)


def refreshed(answer: Answer, seen: Play | None = None, **held: object) -> Credential | GrantGone:
    talk = refresh(replace(HELD, **held), still(1000))  # type: ignore[arg-type]
    return play(talk, {TOKEN: answer}, seen or Play())


@pytest.mark.requirement("CL-53")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (tokens(), ("at-1", "rt-1", 1600, ("notes:read",))),
        (tokens(refresh_token=None), ("at-1", "rt-0", 1600, ("notes:read",))),
        (tokens(scope=None), ("at-1", "rt-1", 1600, ("a", "b"))),
        (tokens(expires_in=None), ("at-1", "rt-1", None, ("notes:read",))),
    ],
)
def test_what_a_refresh_changes(answer: dict[str, object], expected: tuple[object, ...]) -> None:
    new = refreshed(as_json(answer))
    assert isinstance(new, Credential)
    assert (new.access_token, new.refresh_token, new.expires_at, new.scope) == expected
    assert (new.obtained_at, new.sign_in_at, new.issuer) == (1000, 200, ISSUER)


@pytest.mark.requirement("CL-33", "CL-53")
def test_what_a_refresh_says() -> None:
    seen = Play()
    refreshed(as_json(tokens()), seen)
    assert seen.forms(TOKEN) == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "rt-0",
            "client_id": "c-1",
            "resource": SERVER,
        }
    ]


@pytest.mark.parametrize("error", ["invalid_target", "invalid_request"])
def test_a_server_that_minds_the_resource_is_asked_without(error: str) -> None:
    seen = Play()
    answers = in_turn(as_json({"error": error}, 400), as_json(tokens()))
    assert isinstance(refreshed(answers, seen), Credential)
    assert [("resource" in form) for form in seen.forms(TOKEN)] == [True, False]


def test_without_a_resource_none_is_sent() -> None:
    seen = Play()
    refreshed(as_json(tokens()), seen, resource=None)
    assert "resource" not in seen.forms(TOKEN)[0]


@pytest.mark.requirement("CL-25", "CL-55")
@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client"])
def test_a_grant_that_is_gone_is_an_answer(status: int, error: str) -> None:
    assert refreshed(as_json({"error": error}, status)) == GrantGone()


@pytest.mark.requirement("CL-55")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Reply("", 503), Unreachable),
        (Reply("", 429), Unreachable),
        (as_json({"error": "invalid_grant"}, 503), Unreachable),
        (down(), Unreachable),
        (Reply("", 400, (), b"<html>"), ServerFault),
        (Reply("", 302, (("location", "https://evil.example"),)), ServerFault),
        (as_json({"error": "unauthorized_client"}, 400), Denied),
        (Reply("", 200, (), b"{}"), Untrusted),
    ],
)
def test_anything_else_is_trouble_and_leaves_the_tokens(
    answer: Answer, kind: type[LatchError]
) -> None:
    with pytest.raises(kind) as caught:
        refreshed(answer)
    assert "rt-0" not in str(caught.value)


@pytest.mark.requirement("CL-58")
def test_signing_out_gives_back_the_refresh_token_first() -> None:
    seen = Play()
    assert play(revoke(HELD), {REVOKE: Reply("", 200)}, seen) == ("refresh_token", "access_token")
    assert [(f["token"], f["token_type_hint"]) for f in seen.forms(REVOKE)] == [
        ("rt-0", "refresh_token"),
        ("at-0", "access_token"),
    ]


@pytest.mark.requirement("CL-58")
def test_what_the_server_does_not_take_is_not_claimed() -> None:
    taken = play(revoke(HELD), {REVOKE: in_turn(Reply("", 400), Reply("", 200))}, Play())
    assert taken == ("access_token",)


def test_a_server_without_revocation_is_not_asked() -> None:
    seen = Play()
    assert play(revoke(replace(HELD, revocation_endpoint=None)), {}, seen) == ()
    assert not seen.asked


@pytest.mark.requirement("CL-53")
@pytest.mark.parametrize(
    ("obtained", "expires", "now", "fresh"),
    [
        (0, 600, 0, True),
        (0, 600, 569, True),
        (0, 600, 570, False),
        (0, 20, 9, True),
        (0, 20, 10, False),
        (0, 0, 0, False),
        (0, None, 10**9, True),
    ],
)
def test_when_a_token_is_renewed(obtained: int, expires: int | None, now: int, fresh: bool) -> None:
    assert replace(HELD, obtained_at=obtained, expires_at=expires).is_fresh(now) is fresh


def test_the_stored_form_is_read_back_the_same() -> None:
    assert from_json(to_json(HELD)) == HELD


@pytest.mark.parametrize("stored", [b"", b"{}", b'{"version":1}', b"[1]", b"null"])
def test_what_is_no_stored_form_is_said_to_be_none(stored: bytes) -> None:
    with pytest.raises(ValueError):
        from_json(stored)


@pytest.mark.requirement("CL-57")
def test_printing_one_shows_no_token() -> None:
    assert "at-0" not in repr(HELD)
    assert "rt-0" not in f"{HELD}"
