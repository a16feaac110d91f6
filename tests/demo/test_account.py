"""The demonstration has no default password."""

from __future__ import annotations

from mcplatch.demo.account import account, made_up_password
from mcplatch.moment import Moment

DRAW = Moment(0).draw


def test_the_environment_names_the_person() -> None:
    found = account({"MCP_DEMO_USERNAME": "grace", "MCP_DEMO_PASSWORD": "a b"}, DRAW)
    assert (found.username, found.password, found.made_up) == ("grace", "a b", False)


def test_without_it_a_password_is_made_up_each_time() -> None:
    one, other = account({}, DRAW), account({"MCP_DEMO_PASSWORD": ""}, DRAW)
    assert one.made_up
    assert one.password != other.password
    assert one.username == "ada"


def test_a_made_up_password_is_easily_read_and_unbiased() -> None:
    drawn = "".join(made_up_password(DRAW).replace("-", "") for _ in range(400))
    assert not set(drawn) & set("0o1liuv")
    counts = [drawn.count(letter) for letter in set(drawn)]
    assert len(counts) == 29
    assert max(counts) < 2 * min(counts)


def test_bytes_that_would_bias_it_are_drawn_again() -> None:
    drawn = iter([bytes([255] * 32), bytes(32)])
    assert made_up_password(lambda _: next(drawn)) == "aaaa-aaaa-aaaa-aaaa"
