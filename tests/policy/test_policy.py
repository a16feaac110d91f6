"""The policy language: which rule wins, what a scope covers, what is listed and how it is explained (RFC 6750)."""

from __future__ import annotations

from typing import Any

import pytest

from mcplatch.policy.policy import Hide, make_policy
from mcplatch.policy.rules import ANY_TOKEN, DENIED, PUBLIC, Rule

TABLE: dict[str, Rule] = {
    "ping": PUBLIC,
    "list_*": "read",
    "list_secret_*": "secret",
    "*_all": "all",
    "delete_*": ("read", "delete"),
    "off_*": DENIED,
}


def needs(name: str, **options: Any) -> tuple[str, tuple[str, ...]]:
    found = make_policy(tools=TABLE, **options).requirement("tools/call", name)
    return found.access.value, found.scope


@pytest.mark.requirement("RS-60", "RS-66")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ping", ("public", ())),
        ("pinger", ("denied", ())),
        ("list_notes", ("any token", ("read",))),
        ("list_", ("any token", ("read",))),
        ("list_secret_notes", ("any token", ("secret",))),
        ("list_all", ("any token", ("read",))),
        ("delete_all", ("any token", ("read", "delete"))),
        ("see_all", ("any token", ("all",))),
        ("off_x", ("denied", ())),
        ("LIST_notes", ("denied", ())),
        ("list_\nnotes", ("any token", ("read",))),
        ("xlist_notes", ("denied", ())),
        ("", ("denied", ())),
    ],
)
def test_the_closest_rule_decides(name: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert needs(name) == expected


def test_a_pattern_is_not_a_regular_expression() -> None:
    policy = make_policy(tools={"a.b*": "dot", "c+*": "plus", "[d]*": "bracket"})
    for name, scope in {
        "a.bc": ("dot",),
        "axbc": (),
        "c+": ("plus",),
        "cc": (),
        "[d]e": ("bracket",),
    }.items():
        assert policy.requirement("tools/call", name).scope == scope


@pytest.mark.requirement("RS-60")
def test_the_baseline_is_part_of_every_need_but_the_public_ones() -> None:
    assert needs("list_x", baseline=["mcp"]) == ("any token", ("mcp", "read"))
    assert needs("ping", baseline=["mcp"]) == ("public", ())
    assert needs("other", baseline=["mcp"], default=ANY_TOKEN) == ("any token", ("mcp",))
    assert needs("list_x", baseline=["read"]) == ("any token", ("read",))


@pytest.mark.requirement("RS-66")
def test_silence_means_denied_once_something_was_said() -> None:
    assert make_policy().requirement("tools/call", "x").access is ANY_TOKEN
    assert make_policy(tools={}).requirement("tools/call", "x").access is DENIED
    assert make_policy(tools={}, default="d").requirement("tools/call", "x").scope == ("d",)


@pytest.mark.requirement("RS-66", "RS-90")
@pytest.mark.parametrize("method", ["initialize", "ping", "server/discover", "tools/list", ""])
def test_the_opening_is_public_only_where_a_tool_is(method: str) -> None:
    assert make_policy(tools={"a": PUBLIC}).requirement(method, None).access is PUBLIC
    assert make_policy(tools={}, default=PUBLIC).requirement(method, None).access is PUBLIC
    assert make_policy(tools={"a": "s"}).requirement(method, None).access is ANY_TOKEN


@pytest.mark.parametrize("method", ["resources/list", "tools/call", "logging/setLevel", "x/y"])
def test_what_is_not_the_opening_stays_closed(method: str) -> None:
    assert make_policy(tools={"a": PUBLIC}).requirement(method, None).access is ANY_TOKEN


@pytest.mark.requirement("RS-12")
@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ("", ("read", "delete")),
        ("read", ("delete",)),
        ("write", ("delete",)),
        ("delete", ("read",)),
        ("admin", ()),
        ("root", ()),
        ("write delete", ()),
        ("Admin", ("read", "delete")),
        ("admins", ("read", "delete")),
    ],
)
def test_a_broader_scope_covers_what_it_includes(granted: str, missing: tuple[str, ...]) -> None:
    policy = make_policy(
        tools=TABLE,
        hierarchy={"root": ["admin"], "admin": ["write", "delete"], "write": ["read"]},
    )
    requirement = policy.requirement("tools/call", "delete_x")
    assert policy.missing(requirement, frozenset(granted.split())) == missing


@pytest.mark.requirement("RS-12")
def test_a_circle_of_scopes_ends() -> None:
    policy = make_policy(tools={"t": "a"}, hierarchy={"a": ["b"], "b": ["c"], "c": ["a"]})
    requirement = policy.requirement("tools/call", "t")
    for scope in "abc":
        assert policy.missing(requirement, frozenset({scope})) == ()
    assert policy.missing(requirement, frozenset({"d"})) == ("a",)


@pytest.mark.requirement("RS-61")
def test_what_is_listed() -> None:
    asked: tuple[tuple[Hide, frozenset[str] | None], ...] = (
        ("never", None),
        ("unobtainable", None),
        ("missing", frozenset({"read"})),
    )
    shown = {
        hide: [
            name
            for name in ("ping", "list_x", "delete_x", "off_x", "other")
            if make_policy(tools=TABLE, hide=hide).lists(name, granted)
        ]
        for hide, granted in asked
    }
    assert shown == {
        "never": ["ping", "list_x", "delete_x", "off_x", "other"],
        "unobtainable": ["ping", "list_x", "delete_x"],
        "missing": ["ping", "list_x"],
    }
    assert make_policy(tools=TABLE, hide="missing").lists("list_x", None) is False
    assert make_policy(tools={"a": "b"}, default=ANY_TOKEN).filters_lists() is False
    assert make_policy(tools={"a": DENIED}, default=ANY_TOKEN).filters_lists() is True


def test_the_first_sign_in_asks_for_little() -> None:
    assert make_policy(tools=TABLE).first_scopes() == ("read",)
    assert make_policy(tools=TABLE, baseline=["mcp"]).first_scopes() == ("mcp",)
    assert make_policy(tools=TABLE, connect=["x", "y"]).first_scopes() == ("x", "y")
    assert make_policy(tools={"a": ("x", "y")}).first_scopes() == ("x", "y")
    assert make_policy(tools=TABLE, connect=[]).first_scopes() == ()
    declared = make_policy()
    declared.declared["t"] = ("d",)
    assert declared.first_scopes() == ("d",)


def test_a_sentence_for_the_person() -> None:
    policy = make_policy(tools=TABLE, words={"delete": "Delete notes for good"})
    assert policy.sentence("delete_x", ("delete",)) == (
        "delete_x needs 1 more permission: delete (Delete notes for good). "
        "The person has to allow it; sign in again and it will be asked for."
    )
    assert "2 more permissions: read, delete (" in policy.sentence("x", ("read", "delete"))


def test_it_explains_itself() -> None:
    policy = make_policy(tools=TABLE)
    assert policy.explain("delete_x", None) == "delete_x: sign-in needed, by the rule 'delete_*'"
    assert (
        policy.explain("delete_x", ["read"]) == "delete_x: missing delete, by the rule 'delete_*'"
    )
    assert (
        policy.explain("delete_x", ["read", "delete"])
        == "delete_x: allowed, by the rule 'delete_*'"
    )
    assert policy.explain("ping", None) == "ping: anyone, by the rule 'ping'"
    assert policy.explain("other", None) == "other: nobody, by the rule 'default for tools'"


def test_rules_that_fit_nothing_are_found() -> None:
    table = make_policy(tools=TABLE).tables["tools/call"]
    assert table.unmatched(["ping", "list_x", "delete_all"]) == ["list_secret_*", "off_*"]
