"""Rules written as a table, name or pattern to scope, compiled (MCP authorization)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import parse_scope


class Access(enum.Enum):
    """The rules that name no scope."""

    PUBLIC = "public"
    """Anyone may, without a token."""
    ANY_TOKEN = "any token"
    """Whoever holds a valid token for this resource."""
    DENIED = "denied"
    """Nobody; there is no scope to ask for."""


PUBLIC = Access.PUBLIC
ANY_TOKEN = Access.ANY_TOKEN
DENIED = Access.DENIED

Rule = Access | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one operation needs: a kind of access, every scope of it; `because` names the rule."""

    access: Access
    scope: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Table:
    """Compiled rules of one kind of name (tools, prompts, resources)."""

    exact: Mapping[str, Requirement]
    patterns: tuple[tuple[re.Pattern[str], Requirement], ...]
    otherwise: Requirement

    def find(self, name: str) -> Requirement:
        """The requirement of `name`: its own rule, else the longest pattern, else the default."""
        found = self.exact.get(name)
        if found is not None:
            return found
        for pattern, requirement in self.patterns:
            if pattern.fullmatch(name):
                return requirement
        return self.otherwise

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """The rules that fit none of `names`: most likely misspelt."""
        known = list(names)
        rules = [name for name in self.exact if name not in known]
        return rules + [
            requirement.because
            for pattern, requirement in self.patterns
            if not any(map(pattern.fullmatch, known))
        ]


def compile_table(
    rules: Mapping[str, Rule], *, baseline: tuple[str, ...], otherwise: Rule, kind: str
) -> Table:
    """Compiles `rules`; a key may hold `*` for any run of characters.

    The more literal characters a pattern has, the sooner it is asked. `baseline` is added to every
    rule but PUBLIC and DENIED. Raises ValueError for a rule that cannot be a rule.
    """
    exact: dict[str, Requirement] = {}
    patterns: list[tuple[str, Requirement]] = []
    for name, rule in rules.items():
        requirement = require(rule, baseline=baseline, because=name)
        if "*" in name:
            patterns.append((name, requirement))
        else:
            exact[name] = requirement
    patterns.sort(key=lambda entry: (-len(entry[0].replace("*", "")), entry[0]))
    return Table(
        exact,
        tuple((_pattern(name), requirement) for name, requirement in patterns),
        require(otherwise, baseline=baseline, because=f"default for {kind}"),
    )


def require(rule: Rule, *, baseline: tuple[str, ...], because: str) -> Requirement:
    """The requirement that `rule` stands for. Raises ValueError when it is not a rule."""
    if rule in (PUBLIC, DENIED):
        assert isinstance(rule, Access)
        return Requirement(rule, (), because)
    if rule is ANY_TOKEN:
        return Requirement(ANY_TOKEN, baseline, because)
    scopes = (rule,) if isinstance(rule, str) else rule
    if not isinstance(scopes, tuple) or not scopes:
        raise ValueError(
            f"{because!r} needs a scope, several in a tuple, PUBLIC, ANY_TOKEN or DENIED"
        )
    return Requirement(ANY_TOKEN, check_scopes((*baseline, *scopes)), because)


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """`scopes`, each once. Raises ValueError for what a challenge must never name (RS-10)."""
    listed = tuple(dict.fromkeys(scopes))
    for scope in listed:
        parsed = parse_scope(scope) if isinstance(scope, str) else Refusal
        if parsed != (scope,):
            raise ValueError(
                f"{scope!r} is not a scope: printable ASCII, no blank, quote, backslash"
            )
        if scope == "offline_access":
            raise ValueError(
                "offline_access is for the client to ask, never for a resource to need"
            )
        if scope == "*":
            raise ValueError("there is no scope for everything; name what a tool needs")
    return listed


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
