"""The normal form of what Math-Verify parsed: the text by which equal answers vote together.

SymPy's own text is the start. Changed: one number has one form (plain_math.number_form), so 0.5, 1/2 and 2/4 vote
together; a percentage is "50%"; intervals are written "[1, 2)", an open one like the tuple that it may be; sets are written
whole (SymPy leaves elements of large sets out); and `x = 5`, where it counts for its value, has the form of the value.
Expressions are not rewritten: sqrt(8) and 2*sqrt(2) stay apart in a vote, though they are equal as answers.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from math_verify.grader import is_assignment_relation, take_last_relation
from sympy import Mul, Number, Rational, UnevaluatedExpr, default_sort_key
from sympy.printing.str import StrPrinter

from .plain_math import number_form
from .verdict import excerpt

MOST_BITS = 4096
"""A number of more bits is not written out."""
_HUNDREDTH = UnevaluatedExpr(Rational(1, 100))


class _Printer(StrPrinter):  # type: ignore[misc]
    def _print_Float(self, expr: Any) -> str:
        text = super()._print_Float(expr)
        try:
            value = Decimal(text)
        except ArithmeticError:
            return text
        return number_form(Fraction(value)) if value.is_finite() and abs(value.adjusted()) < 30 else text

    def _print_Rational(self, expr: Any) -> str:
        if max(int(expr.p).bit_length(), int(expr.q).bit_length()) > MOST_BITS:
            raise ValueError("a number of too many digits")
        return number_form(Fraction(int(expr.p), int(expr.q)))

    _print_Integer = _print_Half = _print_Rational

    def _print_FiniteSet(self, expr: Any) -> str:
        return f"{{{', '.join(self._print(each) for each in sorted(expr, key=default_sort_key))}}}"

    def _print_Interval(self, expr: Any) -> str:
        left = "(" if expr.left_open else "["
        return f"{left}{self._print(expr.start)}, {self._print(expr.end)}{')' if expr.right_open else ']'}"


_PRINTER = _Printer({"order": None, "sympy_integers": False})


def percentage_of(parsed: Any) -> Any | None:
    """What stands before the percent sign of a percentage; None for anything else."""
    if not isinstance(parsed, Mul) or parsed.args[-1] != _HUNDREDTH or len(parsed.args) not in (2, 3):
        return None
    if len(parsed.args) == 2:
        return parsed.args[0]
    return -parsed.args[1] if parsed.args[0] == -1 and isinstance(parsed.args[1], Number) else None


def unwrapped(parsed: Any) -> Any:
    """The value of an assignment (`x = 5`, `a = b = 5`), and anything else as it is."""
    if not is_assignment_relation(parsed):
        return parsed
    return take_last_relation(parsed).rhs


def form_of(parsed: list[Any], assignments: bool) -> str | None:
    """The normal form of Math-Verify's parse, at most verdict.EXCERPT characters and a note; None for no parse.

    Args:
        assignments: whether an assignment counts for its value.
    """
    if not parsed:
        return None
    first = unwrapped(parsed[0]) if assignments else parsed[0]
    percentage = percentage_of(first)
    try:
        text = first if isinstance(first, str) else _PRINTER.doprint(first if percentage is None else percentage)
    except (ValueError, RecursionError):
        return f"a value too long to write ({type(first).__name__})"
    return excerpt(text if percentage is None else f"{text}%")
