"""What is done about a refusal, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcplatch.client.credential import Credential
from mcplatch.client.step_up import (
    GiveUp,
    Move,
    PassOn,
    Refresh,
    SignIn,
    StepUp,
    Tried,
    UseStored,
    WithNonce,
    next_move,
)
from mcplatch.protocol.challenge import parse_challenges
from tests.client.test_tokens import HELD

OLD = HELD
NEW = replace(HELD, access_token="at-9")
BARE = replace(HELD, refresh_token=None)
INVALID = 'Bearer error="invalid_token", scope="a c"'
NONCE = 'DPoP error="use_dpop_nonce"'
MORE = 'Bearer error="insufficient_scope", scope="b c"'

TABLE: list[tuple[str, int, str, Credential | None, Credential | None, tuple[type, ...], Move]] = [
    ("fine", 200, "", OLD, OLD, (), PassOn()),
    ("no sign-in yet", 401, "Bearer", None, None, (), SignIn(None)),
    ("the challenge says what", 401, 'Bearer scope="a c"', None, None, (), SignIn(("a", "c"))),
    ("somebody has signed in meanwhile", 401, "Bearer", None, OLD, (), UseStored()),
    ("somebody has refreshed meanwhile", 401, INVALID, OLD, NEW, (), UseStored()),
    ("refresh before a person", 401, INVALID, OLD, OLD, (), Refresh()),
    ("even without a challenge", 401, "", OLD, OLD, (), Refresh()),
    ("refreshed once only", 401, INVALID, NEW, NEW, (Refresh,), SignIn(("a", "b", "c"))),
    ("nothing to refresh with", 401, INVALID, BARE, BARE, (), SignIn(("a", "b", "c"))),
    ("the grant is gone", 401, INVALID, None, None, (Refresh,), SignIn(("a", "c"))),
    ("a person once only", 401, INVALID, OLD, OLD, (SignIn,), GiveUp("")),
    ("nor after a step-up", 401, INVALID, OLD, OLD, (StepUp,), GiveUp("")),
    ("the nonce is asked for", 401, NONCE, OLD, OLD, (), WithNonce()),
    ("again and again", 401, NONCE, OLD, OLD, (WithNonce,), Refresh()),
    ("more is needed", 403, MORE, OLD, OLD, (), StepUp(("c",), ("a", "b", "c"))),
    ("401 that says so", 401, MORE, OLD, OLD, (), StepUp(("c",), ("a", "b", "c"))),
    ("403 of another kind", 403, "Bearer", OLD, OLD, (), PassOn()),
    ("403 without a challenge", 403, "", OLD, OLD, (), PassOn()),
    ("more of nothing", 403, 'Bearer error="insufficient_scope"', OLD, OLD, (), PassOn()),
    (
        "somebody has stepped up meanwhile",
        403,
        MORE,
        OLD,
        replace(NEW, scope=("a", "b", "c")),
        (),
        UseStored(),
    ),
    (
        "granted, and refused all the same",
        403,
        MORE,
        OLD,
        replace(OLD, scope=("b", "c")),
        (),
        GiveUp(""),
    ),
    ("asked once only", 403, MORE, OLD, OLD, (StepUp,), GiveUp("")),
]


@pytest.mark.requirement("CL-53", "CL-55", "CL-56")
@pytest.mark.parametrize(
    ("status", "header", "sent", "stored", "moves", "expected"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_next_move(
    status: int,
    header: str,
    sent: Credential | None,
    stored: Credential | None,
    moves: tuple[type, ...],
    expected: Move,
) -> None:
    challenge = next(iter(parse_challenges([header])), None)
    move = next_move(status, challenge, sent=sent, stored=stored, tried=Tried(moves))
    if isinstance(expected, GiveUp):
        assert isinstance(move, GiveUp)
        assert move.why
    else:
        assert move == expected


@pytest.mark.requirement("CL-56")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("header", ["", "Bearer", INVALID, NONCE, MORE])
@pytest.mark.parametrize("granting", [True, False])
def test_no_server_keeps_it_going(status: int, header: str, granting: bool) -> None:
    """Whatever it answers, and whatever each move brings, the moves end."""
    challenge = next(iter(parse_challenges([header])), None)
    sent: Credential | None = None
    stored: Credential | None = None
    tried = Tried()
    for turn in range(9):
        move = next_move(status, challenge, sent=sent, stored=stored, tried=tried)
        if isinstance(move, PassOn | GiveUp):
            return
        tried = tried.and_now(move)
        scope = ("a", "b", "c") if granting else ()
        stored = sent = replace(HELD, access_token=f"at-{turn}", scope=scope)
    pytest.fail("it never ends")
