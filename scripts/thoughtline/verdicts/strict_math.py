r"""What Math-Verify lets pass as equal, and a recipe may refuse: one test for each switch of `leniency`.

Each function sees both texts and both parses of a pair that Math-Verify holds equal, and says whether the equality
rests on that leniency. schema.Leniency says what each switch means. Runs in the worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from latex2sympy2_extended import NormalizationConfig, normalize_latex
from math_verify.grader import is_equation, take_first_relation
from sympy import FiniteSet, Interval, Symbol, Tuple
from sympy.logic.boolalg import BooleanAtom

from .math_forms import percentage_of

_KEPT = NormalizationConfig(basic_latex=True, units=False, boxed="none")
_STRIPPED = NormalizationConfig(basic_latex=True, units=True, boxed="none")
_DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°")
_SUBSCRIPT = re.compile(r"\d\s*_\s*\{?\s*(\d+|\\text\s*\{\s*[a-zA-Z]+\s*\})")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_AFTER_NUMBER = re.compile(r"\d\s*([^\W\d_]{2,}.*)", re.S)
_PLAIN = re.compile(r"[^\W_]|\^\d")
_LETTERS = re.compile(r"[a-zA-Z\s]+")


@dataclass(frozen=True)
class Side:
    """One side of a pair: its text, and Math-Verify's parse of it (the first of what it found)."""

    text: str
    parsed: Any


def unit_of(text: str) -> str:
    """What Math-Verify leaves out as a unit, and degree and currency signs; letters in lower case, singular; "" for none."""
    unit = "degree" if _DEGREE.search(text) else "dollar" if re.search(r"\\\$", text) or text.count("$") % 2 else ""
    bare = _DEGREE.sub("", text).replace(r"\$", "").replace("$", "").strip()
    kept, stripped = normalize_latex(bare, _KEPT), normalize_latex(bare, _STRIPPED)
    removed = kept[len(stripped) :] if kept.startswith(stripped) else ""
    if not removed and "\\" not in bare and (match := _AFTER_NUMBER.search(bare)):
        removed = match[1]
    letters = "".join(_PLAIN.findall(_COMMAND.sub("", removed))).lower()
    return unit or letters.removesuffix("s")


def _letters(text: str) -> list[str]:
    return sorted(character for character in _COMMAND.sub("", text) if character.isalpha())


def _word(text: str) -> str | None:
    bare = re.sub(r"\\(?:text\w*|math\w+|mbox)\s*|[{}$()]", "", text).strip()
    return "".join(bare.split()) if _LETTERS.fullmatch(bare) else None


def _equation_beside_none(reference: Side, answer: Side) -> Any | None:
    """The equation, where one side is one and the other is not; of a set of equations the first."""

    def equation(parsed: Any) -> Any | None:
        if isinstance(parsed, FiniteSet) and parsed.args:
            return equation(parsed.args[0])
        return parsed if is_equation(parsed) else None

    left, right = equation(reference.parsed), equation(answer.parsed)
    return None if (left is None) == (right is None) else (left if right is None else right)


def _names_something(equation: Any) -> bool:
    """Whether the left side holds nothing but names: x, or (x, y)."""
    return all(isinstance(each, Symbol | BooleanAtom) for each in take_first_relation(equation).lhs.atoms())


def _assignments(reference: Side, answer: Side, same: Any) -> bool:
    equation = _equation_beside_none(reference, answer)
    return equation is not None and _names_something(equation)


def _equations(reference: Side, answer: Side, same: Any) -> bool:
    equation = _equation_beside_none(reference, answer)
    return equation is not None and not _names_something(equation)


def _percents(reference: Side, answer: Side, same: Callable[[Any, Any], bool]) -> bool:
    percentages = [percentage_of(side.parsed) for side in (reference, answer)]
    if all(each is None for each in percentages):
        return False
    return not same(
        *(
            side.parsed if each is None else each / 100
            for side, each in zip((reference, answer), percentages, strict=True)
        )
    )


def _units(reference: Side, answer: Side, same: Any) -> bool:
    return unit_of(reference.text) != unit_of(answer.text)


def _bases(reference: Side, answer: Side, same: Any) -> bool:
    left, right = (["".join(each.split()) for each in _SUBSCRIPT.findall(side.text)] for side in (reference, answer))
    return left != right


def _sets_for_tuples(reference: Side, answer: Side, same: Any) -> bool:
    left, right = (isinstance(side.parsed, FiniteSet) for side in (reference, answer))
    others = (side.parsed for side in (reference, answer) if not isinstance(side.parsed, FiniteSet))
    return left != right and isinstance(next(others), Tuple | Interval)


def _sets_for_elements(reference: Side, answer: Side, same: Any) -> bool:
    sets = [isinstance(side.parsed, FiniteSet) for side in (reference, answer)]
    one = next((side.parsed for side in (reference, answer) if isinstance(side.parsed, FiniteSet)), ())
    return sets[0] != sets[1] and len(one) == 1


def _letter_case(reference: Side, answer: Side, same: Any) -> bool:
    left, right = _letters(reference.text), _letters(answer.text)
    return left != right and sorted(map(str.lower, left)) == sorted(map(str.lower, right))


def _letter_products(reference: Side, answer: Side, same: Any) -> bool:
    left, right = _word(reference.text), _word(answer.text)
    return left is not None and right is not None and left.lower() != right.lower()


CHECKS: dict[str, Callable[[Side, Side, Any], bool]] = {
    "assignments": _assignments,
    "equations": _equations,
    "percents": _percents,
    "units": _units,
    "bases": _bases,
    "sets_for_tuples": _sets_for_tuples,
    "sets_for_elements": _sets_for_elements,
    "letter_case": _letter_case,
    "letter_products": _letter_products,
}
"""Switch -> (reference, answer, same) -> whether their equality rests on this leniency; `same` compares two parses."""


def refused_by(reference: Side, answer: Side, leniency: dict[str, Any], same: Callable[[Any, Any], bool]) -> str | None:
    """The first switch that is off and on which the equality rests."""
    return next((name for name, rests in CHECKS.items() if not leniency[name] and rests(reference, answer, same)), None)
