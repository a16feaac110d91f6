"""The tool `calculator`: arithmetic by a real parser with limits, and nothing of Python behind it.

    sum      = product { ("+" | "-") product }
    product  = signed { ("*" | "/" | "//" | "%") signed }
    signed   = ("+" | "-") signed | power
    power    = atom [ "**" signed ]
    atom     = number | constant | function "(" sum { "," sum } ")" | "(" sum ")"

Precedence is that of school and of Python: `-2 ** 2` is -4 and `2 ** 3 ** 2` is 512. Whole numbers
stay exact. Every step is bounded before it is computed, so no expression costs more than a
millisecond or so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcplatch.demo.tools.arithmetic import (
    CONSTANTS,
    FUNCTIONS,
    MAX_DIGITS,
    PRODUCTS,
    SUMS,
    Number,
    Stop,
    bounded,
    computed,
    raise_to,
)
from mcplatch.demo.tools.mistake import Mistake, shown

MAX_LENGTH = 500
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>\*\*|//|[-+*/%(),])"
)
_HINTS = {
    "^": " (a power is written **)",
    "×": " (write *)",
    "÷": " (write /)",
    "−": " (write -)",
    "=": " (there are no variables here)",
}


def calculate(expression: str) -> Number | Mistake:
    """The value of `expression`, an exact int where arithmetic keeps it whole, else a float.

    Anything that is not arithmetic, has no real value, or passes a limit above is a Mistake.
    """
    try:
        if len(expression) > MAX_LENGTH:
            raise Stop(f"The expression is longer than {MAX_LENGTH} characters.")
        return _Reader(_tokens(expression)).whole()
    except Stop as stop:
        return Mistake(stop.sentence)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Reader:
    """Reads tokens from left to right and computes on the way; one method a rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Number:
        value = self._sum()
        if self._here.kind != "end":
            raise self._unexpected("an operator")
        return value

    def _sum(self) -> Number:
        value = self._product()
        while (sign := self._take(*SUMS)) is not None:
            value = computed(SUMS[sign], value, self._product())
        return value

    def _product(self) -> Number:
        value = self._signed()
        while (sign := self._take(*PRODUCTS)) is not None:
            value = computed(PRODUCTS[sign], value, self._signed())
        return value

    def _signed(self) -> Number:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Stop(f"The expression is nested deeper than {MAX_DEPTH} levels.")
        match self._take("+", "-"):
            case "+":
                value = self._signed()
            case "-":
                value = -self._signed()
            case _:
                value = self._power()
        self._depth -= 1
        return value

    def _power(self) -> Number:
        base = self._atom()
        if self._take("**") is None:
            return base
        return computed(raise_to, base, self._signed())

    def _atom(self) -> Number:
        token = self._here
        if token.kind == "number":
            self._next += 1
            return _number(token.text)
        if token.kind == "name":
            self._next += 1
            return self._named(token.text)
        if self._take("(") is None:
            raise self._unexpected("a number")
        value = self._sum()
        self._close()
        return value

    def _named(self, name: str) -> Number:
        if name in CONSTANTS:
            return CONSTANTS[name]
        function = FUNCTIONS.get(name)
        if function is None:
            known = ", ".join([*FUNCTIONS, *CONSTANTS])
            raise Stop(f"{shown(name)} is not known here. Known are {known}.")
        if self._take("(") is None:
            raise self._unexpected(f"'(' after {name}")
        values = [self._sum()] if self._here.text != ")" else []
        while self._take(",") is not None:
            values.append(self._sum())
        self._close()
        if not function.least <= len(values) <= function.most:
            raise Stop(f"{name}() takes {_span(function.least, function.most)}.")
        return computed(function.compute, *values, name=name)

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *signs: str) -> str | None:
        token = self._here
        if token.kind != "sign" or token.text not in signs:
            return None
        self._next += 1
        return token.text

    def _close(self) -> None:
        if self._take(")") is None:
            raise self._unexpected("')'")

    def _unexpected(self, wanted: str) -> Stop:
        if self._here.kind == "end":
            return Stop(f"The expression ends where {wanted} was expected.")
        found = shown(self._here.text)
        return Stop(f"Expected {wanted} at position {self._here.at + 1}, found {found}.")


def _tokens(expression: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(expression):
        if expression[at] in " \t\r\n":
            at += 1
            continue
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            sign = expression[at]
            raise Stop(f"{shown(sign)} at position {at + 1} has no meaning{_HINTS.get(sign, '')}.")
        found.append(_Token(match.lastgroup, match.group(), at))
        at = match.end()
    if not found:
        raise Stop("The expression is empty.")
    return [*found, _Token("end", "", at)]


def _number(text: str) -> Number:
    if text.isdigit():
        if len(text) > MAX_DIGITS:
            raise Stop(f"A number has more than {MAX_DIGITS} digits.")
        return int(text)
    return bounded(float(text))


def _span(least: int, most: int) -> str:
    if least == most:
        return f"{least} argument" if least == 1 else f"{least} arguments"
    return f"from {least} to {most} arguments"
