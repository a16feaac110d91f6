"""The calculator: right where it answers, and quick and plain where it does not."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcplatch.demo.tools.arithmetic import FUNCTIONS, MAX_DIGITS, written
from mcplatch.demo.tools.calculator import MAX_DEPTH, MAX_LENGTH, calculate
from mcplatch.demo.tools.mistake import Mistake

ANSWERS = [
    ("1", "1"),
    ("2+2", "4"),
    ("2 + 3 * 4", "14"),
    ("(2 + 3) * 4", "20"),
    ("2 ** 3 ** 2", "512"),
    ("-2 ** 2", "-4"),
    ("(-2) ** 2", "4"),
    ("2 ** -1", "0.5"),
    ("--5", "5"),
    ("+-+5", "-5"),
    ("2 - -3", "5"),
    ("6 / 3", "2"),
    ("7 / 2", "3.5"),
    ("7 // 2", "3"),
    ("-7 // 2", "-4"),
    ("-7 % 3", "2"),
    ("8 - 3 - 2", "3"),
    ("100 / 10 / 5", "2"),
    ("1e3", "1000"),
    (".5 + 1.", "1.5"),
    ("0 ** 0", "1"),
    ("1 ** 999999999999999999999", "1"),
    ("(-1) ** 999999999999999999999", "-1"),
    ("sqrt(16)", "4"),
    ("sqrt(2)", str(math.sqrt(2))),
    ("factorial(20)", "2432902008176640000"),
    ("factorial(5.0)", "120"),
    ("max(1, 2 * 3, 4)", "6"),
    ("min(3, 2)", "2"),
    ("round(2.567, 2)", "2.57"),
    ("round(2.5)", "2"),
    ("abs(-3)", "3"),
    ("floor(-1.5)", "-2"),
    ("ceil(1.2)", "2"),
    ("log10(1000)", "3"),
    ("log(8, 2)", "3"),
    ("pow(2, 10)", "1024"),
    ("cos(0)", "1"),
    ("2 * pi", str(math.tau)),
    ("\t1\n+ 2 ", "3"),
    ("10 ** 299 + 1", "1" + "0" * 298 + "1"),
]

HOSTILE = [
    ("", "empty"),
    ("   ", "empty"),
    ("1 +", "ends where"),
    ("* 2", "Expected a number at position 1"),
    ("(1", "ends where ')'"),
    ("1)", "Expected an operator at position 2"),
    ("1 2", "Expected an operator at position 3"),
    ("2(3)", "Expected an operator at position 2"),
    ("()", "Expected a number"),
    ("1 ^ 2", "a power is written **"),
    ("1 == 1", "no variables"),
    ("x = 1", "no meaning"),
    ("x", "'x' is not known here"),
    ("__import__('os').system('id')", "no meaning"),
    ("__import__", "not known here"),
    ("().__class__.__bases__", "no meaning"),
    ("lambda", "not known here"),
    ("1 if 1 else 2", "Expected an operator"),
    ("'a' * 3", "no meaning"),
    ("[1] * 3", "no meaning"),
    ("1_000", "Expected an operator"),
    ("0x10", "Expected an operator"),
    ("1j", "Expected an operator"),
    ("\u0663 + 1", "no meaning"),
    ("\uff11", "no meaning"),
    ("1\x00", "no meaning"),
    ("1;2", "no meaning"),
    ("1 / 0", "Division by zero"),
    ("1 % 0", "Division by zero"),
    ("1 // 0", "Division by zero"),
    ("1.5 % 0", "Division by zero"),
    ("0 ** -1", "Division by zero"),
    ("log(5, 1)", "Division by zero"),
    ("(-8) ** 0.5", "not a real number"),
    ("sqrt(-1)", "sqrt() has no real value for -1"),
    ("log(0)", "log() has no real value for 0"),
    ("9 ** 9 ** 9", "too large"),
    ("9 ** 9 ** 9 ** 9 ** 9", "too large"),
    ("10 ** 300", "more than 300 digits"),
    ("2.5 ** 1e300", "too large"),
    ("1e308 * 10", "too large"),
    ("1e999", "too large"),
    ("1e308 - -1e308", "too large"),
    ("exp(1000)", "too large"),
    ("floor(1e305)", "more than 300 digits"),
    ("10 ** 200 * 10 ** 200", "more than 300 digits"),
    ("factorial(166)", "from 0 to 165"),
    ("factorial(-1)", "from 0 to 165"),
    ("factorial(1.5)", "from 0 to 165"),
    ("factorial(factorial(99))", "from 0 to 165"),
    ("round(1, 99)", "from 0 to 15"),
    ("round(1, 0.5)", "from 0 to 15"),
    ("sqrt()", "takes 1 argument"),
    ("sqrt(1, 2)", "takes 1 argument"),
    ("pow(1)", "takes 2 arguments"),
    ("log(1, 2, 3)", "from 1 to 2 arguments"),
    ("max()", "from 1 to 20 arguments"),
    ("max(" + "1," * 20 + "1)", "from 1 to 20 arguments"),
    ("sqrt", "ends where '(' after sqrt"),
    ("sqrt 4", "Expected '(' after sqrt"),
    ("max(1,)", "Expected a number"),
    ("1" * (MAX_DIGITS + 1), "more than 300 digits"),
    ("1" + "+1" * MAX_LENGTH, "longer than"),
    ("(" * 200 + "1" + ")" * 200, "nested deeper"),
    ("-" * 400 + "1", "nested deeper"),
    ("2**" * 150 + "1", "nested deeper"),
    ("sqrt(" * 60 + "1" + ")" * 60, "nested deeper"),
]


@pytest.mark.parametrize(("expression", "answer"), ANSWERS)
def test_answers(expression: str, answer: str) -> None:
    value = calculate(expression)
    assert not isinstance(value, Mistake), value
    assert written(value) == answer


@pytest.mark.parametrize(("expression", "part"), HOSTILE)
def test_what_is_not_arithmetic_is_refused_in_words(expression: str, part: str) -> None:
    refused = calculate(expression)
    assert isinstance(refused, Mistake), refused
    assert part in refused.sentence
    assert refused.sentence.isprintable()
    assert len(refused.sentence) < 300


def test_the_deepest_allowed_nesting_is_answered() -> None:
    depth = MAX_DEPTH - 1
    assert calculate("(" * depth + "1" + ")" * depth) == 1


def test_every_function_named_in_the_help_can_be_called() -> None:
    for name, function in FUNCTIONS.items():
        arguments = ", ".join(["1"] * function.least)
        assert not isinstance(calculate(f"{name}({arguments})"), Mistake), name


def test_the_dearest_expressions_stay_cheap() -> None:
    dear = ["factorial(165)//7" + "*1" * 200, "+".join(["9**9"] * 90), "*".join(["9" * 90] * 3)]
    before = time.process_time()
    for expression in dear * 10:
        calculate(expression)
    assert (time.process_time() - before) / 30 < 0.02


@given(st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    value = calculate(text)
    assert isinstance(value, Mistake) or math.isfinite(value)


ALPHABET = "0123456789.e+-*/%(), " + "sqrtmaxpi"


@given(st.text(alphabet=ALPHABET, max_size=80))
@settings(max_examples=300)
def test_near_arithmetic_is_answered_or_refused(text: str) -> None:
    value = calculate(text)
    assert isinstance(value, Mistake) or math.isfinite(value)


_WHOLE = st.integers(min_value=0, max_value=10**6).map(lambda n: (str(n), Fraction(n)))


def _joined(children: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy:
    def join(left: tuple[str, Fraction], sign: str, right: tuple[str, Fraction]) -> object:
        exact = {"+": left[1] + right[1], "-": left[1] - right[1], "*": left[1] * right[1]}
        return f"({left[0]} {sign} {right[0]})", exact[sign]

    negated = children.map(lambda child: (f"-{child[0]}", -child[1]))
    return negated | st.builds(join, children, st.sampled_from("+-*"), children)


@given(st.recursive(_WHOLE, _joined, max_leaves=12))
def test_whole_numbers_stay_exact(case: tuple[str, Fraction]) -> None:
    text, exact = case
    if len(text) <= MAX_LENGTH:
        assert calculate(text) == exact


@given(st.lists(st.integers(1, 99), min_size=1, max_size=9), st.data())
def test_precedence_is_pythons(numbers: list[int], data: st.DataObject) -> None:
    signs = data.draw(
        st.lists(
            st.sampled_from(["+", "-", "*", "/", "//", "%"]),
            min_size=len(numbers) - 1,
            max_size=len(numbers) - 1,
        )
    )
    text = str(numbers[0]) + "".join(f" {s} {n}" for s, n in zip(signs, numbers[1:], strict=True))
    try:
        expected = eval(text)  # the reference; text is digits and signs made above
    except ZeroDivisionError:
        return
    value = calculate(text)
    assert not isinstance(value, Mistake)
    assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)
