r"""Answers that are plainly numbers, lists of numbers or single words: read and compared without Math-Verify.

Most final answers are integers, fractions and decimals. `decide` settles such a pair in tens of microseconds, and
returns None wherever it is not sure what Math-Verify 0.9.0 would say: it is a shortcut and never an opinion of its own.
tests/verdicts/test_math_agreement.py holds both against each other on tens of thousands of pairs.

Read are, with blanks, `$...$`, `\(...\)` or `\[...\]` around them: integers with or without separators, decimals, `a/b`,
`\frac{a}{b}`, mixed numbers, each with a sign; before it `\$`; after it a percent sign, a degree sign or a unit; `x = 5`;
sets, tuples and intervals of such exact numbers; `\text{word}` and the letters A to D.

Numbers are exact (integers, fractions) or decimal. Math-Verify rounds both sides when one is decimal; here such a
pair is decided only if it is exactly equal or farther apart than rounding can bridge.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

LONGEST = 120
"""Characters of a text that is read here."""
DECIMAL_DIGITS = 15
"""Digits of a decimal that a double holds; one with more, or beyond BIGGEST_DECIMAL, is left to Math-Verify."""
BIGGEST_DECIMAL = 10**8

UNITS = (
    "cm|mm|km|kg|mg|mph|feet|foot|inch|inches|miles|meters|metres|hours|minutes|seconds|days|weeks|months|years|"
    "degrees|dollars|cents|units|square units|cubic units|square feet|square inches|people|students|points|ways"
)
"""Unit words that are read; others are left to Math-Verify."""

_DIGITS = r"[0-9]+"
_WHOLE = rf"(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|{_DIGITS})"
_FRAC = r"\\[dt]?frac"
_RATIO = re.compile(
    rf"(?P<sign>[-−+]?) ?(?:"
    rf"(?P<decimal>(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[0-9]*)\.[0-9]+)"
    rf"|(?P<over>{_DIGITS}) ?/ ?(?P<under>{_DIGITS})"
    rf"|(?:(?P<mixed>[1-9][0-9]*) ?)?{_FRAC}(?: ?\{{(?P<top_sign>-?)(?P<top>{_DIGITS})\}} ?\{{(?P<bottom>{_DIGITS})\}}"
    rf"| ?(?P<one>[0-9]) ?(?P<two>[1-9])(?![0-9]))"
    rf"|(?P<whole>{_WHOLE})"
    rf")"
)
_MIXED_LINE = re.compile(r" *([-−]?)([1-9][0-9]*) +([1-9][0-9]*) ?/ ?([1-9][0-9]*) *")
_SUFFIX = re.compile(
    rf"(?P<percent> ?\\?%)|(?P<degree> ?\^(?:\\circ|\{{\\circ\}}))"
    rf"|(?P<unit>(?P<spaced>\\ |\\,)? ?\\(?:text|mbox|mathrm) ?\{{ ?(?:{UNITS}) ?\}}(?:\^[23])?)|(?P<word> (?:{UNITS}))"
)
_PERCENT_NUMBER = re.compile(r"0|[1-9][0-9]*")
_WORD_NUMBER = re.compile(r"-?[0-9][0-9,.]*")
_DOLLARS = re.compile(r"(?P<sign>[-−]?)\\?\$ ?(?=[0-9.])")
_ASSIGNMENT = re.compile(r"(?P<name>[a-cj-np-zA-CJ-NP-Z]) ?= ?(?P<value>.*)")
_WORD = re.compile(r"\\text ?\{(?:(?P<word>[A-Za-z]{3,})|\(?(?P<letter>[A-D])\)?)\}|(?P<bare>[A-D])")
_WORDS_LEFT_OUT = re.compile(r"and|or|inf|percent|pct|th|text|deg|rad|math|frac|sqrt|true|false|boxed", re.IGNORECASE)
_LISTS = re.compile(
    r"(?:\\left ?)?(?P<open>\(|\[|\\\{)(?P<inside>[^()\[\]{}]*(?:\{[^{}]*\}[^()\[\]{}]*)*)(?P<close>\)|\]|\\\})"
)
_SEPARATOR = re.compile(r" ?, ?")
_AMBIGUOUS = re.compile(r",[0-9]{3}(?![0-9])")
_WRAPPED = re.compile(r"\$(?P<dollar>[^$]+)\$|\\\((?P<round>[^$]+)\\\)|\\\[(?P<square>[^$]+)\\\]")
_BLANKS = re.compile(r"[ \t\n]+")
_NO_SPACE = re.compile(r"\\! *")
_INFINITIES = {r"\infty": "oo", r"+\infty": "oo", r"-\infty": "-oo"}


@dataclass(frozen=True)
class Plain:
    """What was read.

    kind: "exact", "decimal", "percent" (an integer of them), "set", "ordered" (a tuple, or an open interval, which is
        written alike), "interval" (any other), "word", "assignment".
    value: Fraction; for lists a tuple of Fractions in the order of the text (ends of intervals may be "oo" or "-oo");
        (left, right, "[" or "(", "]" or ")") for an interval; the word; (name, Plain) for an assignment.
    form: the normal form, as Math-Verify's side writes it (math_forms).
    touches: names of the leniency switches that have a say in this text.
    """

    kind: str
    value: Any
    form: str
    touches: frozenset[str] = frozenset()


_NONE: frozenset[str] = frozenset()
_TOUCHES = {
    name: frozenset(names.split())
    for name, names in {
        "percent": "percents",
        "unit": "units letter_case",
        "degree": "units",
        "list": "sets_for_tuples sets_for_elements relations_for_sets",
        "word": "letter_case letter_products other_variables units",
        "assignment": "assignments equations letter_case other_variables relations_for_sets",
    }.items()
}


def number_form(value: Fraction) -> str:
    """The normal form of a number: an integer, a decimal where it ends, else p/q in lowest terms: 2, 0.5, -1/3."""
    if value.denominator == 1:
        return str(value.numerator)
    places, rest = 0, value.denominator
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for factor in (2, 5):
        while rest % factor == 0:
            rest, places = rest // factor, places + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _number(match: re.Match[str]) -> tuple[str, Fraction] | None:
    found = match.groupdict()
    sign = -1 if found["sign"] in ("-", "−") else 1
    if found["whole"] is not None:
        return "exact", Fraction(sign * int(found["whole"].replace(",", "")))
    if found["decimal"] is not None:
        digits = found["decimal"].replace(",", "")
        value = Fraction(digits)
        if len(digits) - 1 > DECIMAL_DIGITS or value >= BIGGEST_DECIMAL:
            return None
        return "decimal", sign * value
    if found["over"] is not None:
        top, bottom, whole = int(found["over"]), int(found["under"]), 0
    elif found["one"] is not None:
        top, bottom, whole = int(found["one"]), int(found["two"]), int(found["mixed"] or 0)
    else:
        top, bottom, whole = int(found["top"]), int(found["bottom"]), int(found["mixed"] or 0)
        if found["top_sign"]:
            if whole:
                return None
            top = -top
    if not bottom or (whole and not top):
        return None
    return "exact", sign * (whole + Fraction(top, bottom))


def _measured(text: str) -> Plain | None:
    """A number with what stands before and after it."""
    touches = _NONE
    if "$" in text:
        dollars = _DOLLARS.match(text)
        if dollars is None:
            return None
        text, touches = dollars["sign"] + text[dollars.end() :], _TOUCHES["degree"]
    match = _RATIO.match(text)
    number = _number(match) if match else None
    if number is None:
        return None
    kind, value = number
    rest = text[match.end() :]  # type: ignore[union-attr]
    if not rest:
        return Plain(kind, value, number_form(value), touches)
    suffix = _SUFFIX.fullmatch(rest)
    if suffix is None:
        return None
    written = match[0]  # type: ignore[index]
    if suffix["percent"]:
        if not _PERCENT_NUMBER.fullmatch(written) or touches:
            return None
        return Plain("percent", value, f"{number_form(value)}%", _TOUCHES["percent"])
    if suffix["word"] and (touches or not _WORD_NUMBER.fullmatch(written)):
        return None
    if "," in written and (suffix["degree"] or suffix["spaced"]):
        return None
    return Plain(kind, value, number_form(value), touches | _TOUCHES["degree" if suffix["degree"] else "unit"])


def _listed(text: str) -> Plain | None:
    brackets = _LISTS.fullmatch(text)
    inside = brackets["inside"].removesuffix("\\right") if brackets else text
    if "," not in inside or _AMBIGUOUS.search(inside):
        return None
    values: list[Any] = []
    for part in _SEPARATOR.split(inside.strip(" ")):
        if part in _INFINITIES:
            values.append(_INFINITIES[part])
            continue
        match = _RATIO.fullmatch(part)
        number = _number(match) if match else None
        if number is None or number[0] != "exact":
            return None
        values.append(number[1])
    opened, closed = (brackets["open"], brackets["close"]) if brackets else (r"\{", r"\}")
    forms = [each if isinstance(each, str) else number_form(each) for each in values]
    infinite = any(isinstance(each, str) for each in values)
    touches = _TOUCHES["list"]
    if (opened == r"\{") != (closed == r"\}"):
        return None
    if opened == r"\{":
        if infinite or len(set(values)) != len(values):
            return None
        ordered = ", ".join(map(number_form, sorted(values)))
        return Plain("set", tuple(values), f"{{{ordered}}}", touches)
    if len(values) > 2:
        if infinite or (opened, closed) != ("(", ")"):
            return None
        return Plain("ordered", tuple(values), f"({', '.join(forms)})", touches)
    low, high = values
    if low == "oo" or high == "-oo" or (low == "-oo" and opened != "(") or (high == "oo" and closed != ")"):
        return None
    if not infinite and low >= high:
        return Plain("ordered", (low, high), f"({', '.join(forms)})", touches) if opened + closed == "()" else None
    form = f"{opened}{', '.join(forms)}{closed}"
    if opened + closed == "()":
        return Plain("ordered", (low, high), form, touches)
    return Plain("interval", (low, high, opened, closed), form, touches)


@functools.lru_cache(maxsize=4096)
def read(text: str) -> Plain | None:
    """The meaning of `text` where it is plain, else None."""
    if len(text) > LONGEST:
        return None
    if (match := _MIXED_LINE.fullmatch(text)) is not None:
        value = (-1 if match[1] else 1) * (int(match[2]) + Fraction(int(match[3]), int(match[4])))
        return Plain("exact", value, number_form(value))
    text = _BLANKS.sub(" ", text).strip(" ")
    if (match := _WRAPPED.fullmatch(text)) is not None:
        text = match[match.lastgroup].strip(" ")  # type: ignore[index]
    if "\\!" in text:
        text = _NO_SPACE.sub("", text)
    found = _measured(text)
    if found is not None:
        return found
    if (match := _WORD.fullmatch(text)) is not None:
        word = (match["word"] or match["letter"] or match["bare"]).lower()
        return None if _WORDS_LEFT_OUT.search(word) else Plain("word", word, word, _TOUCHES["word"])
    if (match := _ASSIGNMENT.fullmatch(text)) is not None:
        value = _measured(match["value"])
        if value is None or value.kind != "exact" or value.touches or "," in text:
            return None
        return Plain("assignment", (match["name"].lower(), value), value.form, _TOUCHES["assignment"])
    return _listed(text)


def _numbers_equal(reference: Plain, answer: Plain, decimals: int) -> bool | None:
    left, right = reference.value, answer.value
    if "percent" in (reference.kind, answer.kind):
        if reference.kind == answer.kind:
            return left == right
        percent, other = (reference, answer) if reference.kind == "percent" else (answer, reference)
        if other.kind == "exact":
            if other.value.denominator == 1 and percent.value == other.value:
                return True
            return percent.value == 100 * other.value
        left, right = percent.value / 100, other.value
        return _rounded_equal(left, right, decimals)
    if reference.kind == answer.kind == "exact":
        return left == right
    return _rounded_equal(left, right, decimals)


def _rounded_equal(left: Fraction, right: Fraction, decimals: int) -> bool | None:
    if left == right:
        return True
    if abs(left) >= BIGGEST_DECIMAL or abs(right) >= BIGGEST_DECIMAL or decimals > 6:
        return None
    return False if abs(left - right) * 10**decimals > Fraction(6, 5) else None


_NUMBERS = frozenset({"exact", "decimal", "percent"})
_LISTED = frozenset({"set", "ordered", "interval"})


def _equal(reference: Plain, answer: Plain, decimals: int) -> bool | None:
    """Whether Math-Verify calls them equal; None where that is not known. It is not symmetric, so neither is this."""
    if reference.kind in _NUMBERS and answer.kind in _NUMBERS:
        return _numbers_equal(reference, answer, decimals)
    kinds = (reference.kind, answer.kind)
    if "assignment" in kinds:
        if reference.kind == answer.kind:
            return reference.value == answer.value
        one, other = (reference, answer) if reference.kind == "assignment" else (answer, reference)
        return _numbers_equal(one.value[1], other, decimals) if other.kind in _NUMBERS else None
    if kinds == ("word", "word"):
        return reference.value == answer.value
    if "word" in kinds or "percent" in kinds:
        return None
    if reference.kind in _NUMBERS or answer.kind in _NUMBERS:
        return False
    if kinds == ("set", "set"):
        return set(reference.value) == set(answer.value)
    if "interval" in kinds:
        return reference.value == answer.value if kinds[0] == kinds[1] else False
    if any(isinstance(each, str) for each in (*reference.value, *answer.value)):
        return reference.value == answer.value if kinds[0] == kinds[1] else None
    if kinds == ("set", "ordered"):
        return sorted(reference.value) == sorted(answer.value)
    return reference.value == answer.value


def decide(
    reference: str, answer: str, decimals: int = 6, unusual: frozenset[str] = frozenset()
) -> dict[str, Any] | None:
    """What math.compare returns for this pair, or None where only Math-Verify can tell.

    Args:
        decimals: places to which Math-Verify rounds.
        unusual: names of the leniency switches that do not stand as in Math-Verify; a text that one of them touches
            is not decided here.
    """
    gold = read(reference)
    if gold is None:
        return None
    got = read(answer)
    if got is None or (unusual and (gold.touches | got.touches) & unusual):
        return None
    equal = _equal(gold, got, decimals)
    if equal is None:
        return None
    return {"equal": equal, "reference": gold.form, "answer": got.form}
