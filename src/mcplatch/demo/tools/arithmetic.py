"""The calculator's operations and functions, each bounded before it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Number = int | float

MAX_DIGITS = 300
MAX_ARGUMENTS = 20
MAX_FACTORIAL = 165

_BIGGEST = 10**MAX_DIGITS
_BIGGEST_BITS = _BIGGEST.bit_length()


class Stop(Exception):
    """Ends the reading; the calculator turns it into a Mistake."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


def computed(compute: Callable[..., Number], *values: Number, name: str = "") -> Number:
    """One step, with what Python raises turned into a sentence and the result kept in bounds."""
    try:
        return bounded(compute(*values))
    except ZeroDivisionError:
        raise Stop("Division by zero.") from None
    except OverflowError:
        raise Stop("A result on the way is too large.") from None
    except ValueError:
        where = f"{name}()" if name else "This operation"
        raise Stop(f"{where} has no real value for {_short(values[0])}.") from None


def bounded(value: Number) -> Number:
    if isinstance(value, int):
        if abs(value) >= _BIGGEST:
            raise Stop(f"A result on the way has more than {MAX_DIGITS} digits.")
    elif not math.isfinite(value):
        raise Stop("A result on the way is too large.")
    return value


def written(value: Number) -> str:
    """`value` for a reader: whole numbers without a point, others as short as they stay exact."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _short(value: Number) -> str:
    text = written(value)
    return text if len(text) <= 24 else f"{text[:12]}… ({len(text)} digits)"


def _add(left: Number, right: Number) -> Number:
    return left + right


def _subtract(left: Number, right: Number) -> Number:
    return left - right


def _multiply(left: Number, right: Number) -> Number:
    return left * right


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and right and left % right == 0:
        return left // right
    return left / right


def _divide_down(left: Number, right: Number) -> Number:
    return left // right


def _remainder(left: Number, right: Number) -> Number:
    return left % right


def raise_to(base: Number, exponent: Number) -> Number:
    """`base ** exponent`; the size of a whole result is known, and refused, before it is made."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        if abs(base) > 1 and (abs(base).bit_length() - 1) * exponent > _BIGGEST_BITS:
            raise Stop(f"The result of {_short(base)} ** {_short(exponent)} is too large.")
        return int(base**exponent)
    if isinstance(base, int) and isinstance(exponent, int):
        base = float(base)
    raised = base**exponent
    if isinstance(raised, complex):
        raise Stop(f"{_short(base)} ** {_short(exponent)} is not a real number.")
    return float(raised) if isinstance(raised, float) else int(raised)


def _factorial(value: Number) -> Number:
    if value != int(value) or not 0 <= value <= MAX_FACTORIAL:
        raise Stop(f"factorial() takes a whole number from 0 to {MAX_FACTORIAL}.")
    return math.factorial(int(value))


def _square_root(value: Number) -> Number:
    if isinstance(value, int) and value >= 0 and math.isqrt(value) ** 2 == value:
        return math.isqrt(value)
    return math.sqrt(value)


def _round(value: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or not 0 <= digits <= 15:
        raise Stop("round() keeps from 0 to 15 digits after the point.")
    return round(value, digits) if digits else round(value)


def _logarithm(value: Number, base: Number = math.e) -> Number:
    return math.log(value) if base == math.e else math.log(value, base)


def _smallest(*values: Number) -> Number:
    return min(values)


def _largest(*values: Number) -> Number:
    return max(values)


@dataclass(frozen=True, slots=True)
class _Function:
    compute: Callable[..., Number]
    least: int = 1
    most: int = 1


CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
FUNCTIONS: dict[str, _Function] = {
    "abs": _Function(abs),
    "ceil": _Function(math.ceil),
    "cos": _Function(math.cos),
    "exp": _Function(math.exp),
    "factorial": _Function(_factorial),
    "floor": _Function(math.floor),
    "log": _Function(_logarithm, most=2),
    "log10": _Function(math.log10),
    "max": _Function(_largest, most=MAX_ARGUMENTS),
    "min": _Function(_smallest, most=MAX_ARGUMENTS),
    "pow": _Function(raise_to, least=2, most=2),
    "round": _Function(_round, most=2),
    "sin": _Function(math.sin),
    "sqrt": _Function(_square_root),
    "tan": _Function(math.tan),
}
SUMS = {"+": _add, "-": _subtract}
PRODUCTS = {"*": _multiply, "/": _divide, "//": _divide_down, "%": _remainder}
