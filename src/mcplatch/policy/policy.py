"""The policy of one resource: what an operation needs, who has it, what is listed (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mcplatch.policy.rules import (
    ANY_TOKEN,
    DENIED,
    PUBLIC,
    Requirement,
    Rule,
    Table,
    check_scopes,
    compile_table,
    require,
)

Hide = Literal["never", "unobtainable", "missing"]

# What a client must be able to say before it can call the public tools of a mixed server.
OPENING = frozenset({"initialize", "ping", "server/discover", "tools/list"})


@dataclass(frozen=True, slots=True)
class Policy:
    """Compiled by `make_policy`.

    `baseline` is needed for everything that is not public; `connect` is what a first sign-in should
    ask for. `satisfied_by` maps a scope to the broader ones that include it. `words` says in plain
    language what a scope allows. `declared` holds scopes that tools declare in code; an adapter
    fills it, and they add to the table's rules.
    """

    baseline: tuple[str, ...]
    connect: tuple[str, ...]
    tables: Mapping[str, Table]
    others: Requirement
    opening: Requirement
    satisfied_by: Mapping[str, frozenset[str]]
    words: Mapping[str, str]
    hide: Hide
    is_mixed: bool
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def requirement(self, method: str, name: str | None) -> Requirement:
        """What `method` on `name` needs; a response, or a stream, is method ""."""
        if name is not None and (table := self.tables.get(method)) is not None:
            found = table.find(name)
            if method == "tools/call" and name in self.declared:
                return self._with_declared(found, name, found is table.otherwise)
            return found
        if self.is_mixed and (not method or method in OPENING or _is_notification(method)):
            return self.opening
        return self.others

    def first_scopes(self) -> tuple[str, ...]:
        """What a first sign-in should ask for."""
        return self.connect or next(iter(self.declared.values()), ())

    def _with_declared(self, found: Requirement, name: str, by_default: bool) -> Requirement:
        if found.access is DENIED and not by_default:
            return found
        scope = tuple(dict.fromkeys((*self.baseline, *found.scope, *self.declared[name])))
        return Requirement(ANY_TOKEN, scope, name)

    def missing(self, requirement: Requirement, granted: frozenset[str]) -> tuple[str, ...]:
        """The scopes of `requirement` that `granted` does not cover, broader scopes counted."""
        if granted.issuperset(requirement.scope):
            return ()
        return self.lacking(requirement.scope, granted)

    def lacking(self, scopes: tuple[str, ...], granted: frozenset[str]) -> tuple[str, ...]:
        """Those of `scopes` that `granted` does not cover."""
        return tuple(
            scope
            for scope in scopes
            if scope not in granted and self.satisfied_by.get(scope, _NONE).isdisjoint(granted)
        )

    def lists(self, tool: str, granted: frozenset[str] | None) -> bool:
        """Whether `tool` is shown to whoever holds `granted`; None is nobody in particular."""
        if self.hide == "never":
            return True
        requirement = self.requirement("tools/call", tool)
        if requirement.access is DENIED:
            return False
        if self.hide == "unobtainable" or requirement.access is PUBLIC:
            return True
        return granted is not None and not self.missing(requirement, granted)

    def filters_lists(self) -> bool:
        """Whether a list of tools may come out shorter for someone."""
        if self.hide == "never":
            return False
        table = self.tables["tools/call"]
        every = (*table.exact.values(), *(rule for _, rule in table.patterns), table.otherwise)
        return self.hide == "missing" or any(rule.access is DENIED for rule in every)

    def sentence(self, name: str, missing: Iterable[str]) -> str:
        """What a model can read out to its person when scopes are missing."""
        wanted = [
            f"{scope} ({self.words[scope]})" if scope in self.words else scope for scope in missing
        ]
        several = "permissions" if len(wanted) > 1 else "permission"
        return (
            f"{name} needs {len(wanted)} more {several}: {', '.join(wanted)}. "
            "The person has to allow it; sign in again and it will be asked for."
        )

    def explain(self, tool: str, granted: Iterable[str] | None) -> str:
        """One line: may whoever holds `granted` call `tool`, and by which rule."""
        requirement = self.requirement("tools/call", tool)
        rule = f"by the rule {requirement.because!r}"
        if requirement.access is DENIED:
            return f"{tool}: nobody, {rule}"
        if requirement.access is PUBLIC:
            return f"{tool}: anyone, {rule}"
        if granted is None:
            return f"{tool}: sign-in needed, {rule}"
        missing = self.missing(requirement, frozenset(granted))
        return f"{tool}: {'missing ' + ' '.join(missing) if missing else 'allowed'}, {rule}"


_NONE: frozenset[str] = frozenset()


def make_policy(
    *,
    tools: Mapping[str, Rule] | None = None,
    prompts: Mapping[str, Rule] | None = None,
    resources: Mapping[str, Rule] | None = None,
    default: Rule | None = None,
    baseline: Iterable[str] = (),
    connect: Iterable[str] | None = None,
    hierarchy: Mapping[str, Iterable[str]] | None = None,
    words: Mapping[str, str] | None = None,
    hide: Hide = "unobtainable",
) -> Policy:
    """Compiles a policy. Raises ValueError, naming the rule, for anything that cannot hold.

    tools, prompts, resources: name or pattern with `*` to a rule: a scope, a tuple of scopes,
    PUBLIC, ANY_TOKEN or DENIED. default: the rule of tools without one; left out, it is DENIED once
    there is a table of tools and ANY_TOKEN where there is none. baseline: scopes that everything
    but PUBLIC needs. connect: what a first sign-in asks for; left out, the baseline or else the
    first scope of the table. hierarchy: a broad scope to the narrower ones it includes. words: a
    scope to what it allows, in plain language, read when needed. hide: which tools a list leaves
    out, `missing` those the token cannot call, `unobtainable` those nobody can be allowed.
    """
    base = check_scopes(baseline)
    otherwise = default if default is not None else (ANY_TOKEN if tools is None else DENIED)
    tables = {
        "tools/call": compile_table(tools or {}, baseline=base, otherwise=otherwise, kind="tools"),
        "prompts/get": compile_table(
            prompts or {}, baseline=base, otherwise=ANY_TOKEN, kind="prompts"
        ),
        "resources/read": compile_table(
            resources or {}, baseline=base, otherwise=ANY_TOKEN, kind="resources"
        ),
    }
    rules = [*(tools or {}).values(), *(prompts or {}).values(), *(resources or {}).values()]
    return Policy(
        baseline=base,
        connect=check_scopes(connect) if connect is not None else base or _first_scope(rules),
        tables=tables,
        others=require(ANY_TOKEN, baseline=base, because="baseline"),
        opening=require(PUBLIC, baseline=(), because="a tool is public"),
        satisfied_by=_invert(hierarchy or {}),
        words=words if words is not None else {},
        hide=hide,
        is_mixed=PUBLIC in rules or otherwise is PUBLIC,
    )


def _is_notification(method: str) -> bool:
    return method.startswith("notifications/")


def _first_scope(rules: Iterable[Rule]) -> tuple[str, ...]:
    for rule in rules:
        if isinstance(rule, str):
            return (rule,)
        if isinstance(rule, tuple):
            return rule
    return ()


def _invert(hierarchy: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Scope to every broader scope that includes it, however many steps away."""
    above: dict[str, set[str]] = {}
    for broad, narrow in hierarchy.items():
        check_scopes((broad,))
        for scope in check_scopes((narrow,) if isinstance(narrow, str) else narrow):
            above.setdefault(scope, set()).add(broad)
    changed = True
    while changed:
        changed = False
        for scopes in above.values():
            more = {upper for scope in scopes for upper in above.get(scope, ())} - scopes
            scopes |= more
            changed = changed or bool(more)
    return {scope: frozenset(broader - {scope}) for scope, broader in above.items()}
