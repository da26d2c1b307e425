"""When an output is right: the comparison rules of the code verifier, chosen by a recipe's `comparison`.

Standard output. Every rule reads both outputs to their end, keeps their order, counts repetitions, and tells capitals from small letters.
Blanks are the six of ASCII: space, tab, carriage return, line feed, vertical tab, form feed.

exact: the same bytes; one final newline (or carriage return and newline) does not count. As strict as testlib's fcmp.
lines (the default): the same tokens in the same lines. Blanks at both ends of a line, more than one blank between tokens, and empty
    lines at the end do not count; other empty lines do. testlib's lcmp. Stricter than LiveCodeBench, which ignores empty lines at the
    start, and where a line differs compares it as decimals (7 equals 7.0); than APPS and TACO, which try again without empty lines, as
    floats (NumPy's allclose), and in the end as a set of sets of tokens, so that order and repetitions are lost.
tokens: the same tokens, however they stand in lines. testlib's wcmp.
numeric: as tokens, but where the expected token is a float (it has a point or an exponent, or is inf or nan) the other may be any
    number within 1e-6, absolute or relative. testlib's rcmp6, with this difference: an expected integer must be there to the digit, so
    10^17 is not 10^17 + 1. Stricter than code_contests (AlphaCode), which lowers case and takes any two numbers as equal that are
    within 1e-5 as doubles.

Sources: https://github.com/MikeMirzayanov/testlib/tree/master/checkers; LiveCodeBench lcb_runner/evaluation/testing_util.py (grade_stdio);
https://github.com/hendrycks/apps eval/testing_util.py (run_test); https://github.com/FlagOpen/TACO metrics/testing_util.py
(compare_std_results); https://github.com/google-deepmind/code_contests execution/tester_sandboxer.cc (OutputsMatch, ValuesMatch).

Results of calls: both sides as JSON values, so a tuple equals the list of its items. Types count: a bool is no number, a
float is no integer, a string is no number, and order counts. Only where the expected value is a float may the other differ: an integer or a
float within 1e-9 relative or 1e-12 absolute (rounding in another order of operations), within 1e-6 of either kind under `numeric`
(LeetCode's statements allow 1e-5), not at all under `exact` (LiveCodeBench, APPS and TACO compare with `==`). NaN equals NaN.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from typing import Any

RULES = ("exact", "lines", "tokens", "numeric")
TOLERANCE = 1e-6
"""Absolute or relative, of `numeric`: EPS of testlib's rcmp6."""
TOLERANCES = {"exact": (0.0, 0.0), "numeric": (TOLERANCE, TOLERANCE)}
"""(relative, absolute) of floats in results of calls, by rule; elsewhere RELATIVE and ABSOLUTE."""
RELATIVE, ABSOLUTE = 1e-9, 1e-12
LONGEST_INTEGER = 4300
"""Digits, Python's own limit: longer integers are compared as text, since making a number of them takes time that grows with the
square."""
BLOCK = 1 << 20
"""Bytes that are split into tokens at once, so that memory stays flat."""

_TO_SPACE = bytes.maketrans(b"\t\r\v\f", b"    ")
_NEWLINE_TO_SPACE = bytes.maketrans(b"\t\r\v\f\n", b"     ")
_BLANK = re.compile(rb"[ \t\r\n\v\f]")
_NUMBER = re.compile(rb"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?")
_INTEGER = re.compile(rb"[+-]?\d+")
_SPECIAL = re.compile(rb"([+-]?)(inf|infinity|nan)", re.IGNORECASE)


class _LongInteger(str):
    """An integer of the JSON text with too many digits to be made a number."""


def _integer(text: str) -> int | _LongInteger:
    return int(text) if len(text.lstrip("-")) <= LONGEST_INTEGER else _LongInteger(text)


def result_of(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _collapsed(text: bytes) -> bytes:
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _as_lines(output: bytes) -> bytes:
    """The output with one space between the tokens of a line, without blanks around lines and empty lines at the end."""
    text = _collapsed(output.translate(_TO_SPACE)).replace(b" \n", b"\n").replace(b"\n ", b"\n")
    return text.strip(b" ").rstrip(b" \n")


def _as_tokens(output: bytes) -> bytes:
    return _collapsed(output.translate(_NEWLINE_TO_SPACE)).strip(b" ")


def _as_bytes(output: bytes) -> bytes:
    return output.removesuffix(b"\n").removesuffix(b"\r") if output.endswith(b"\n") else output


def _common(one: bytes, other: bytes) -> int:
    """The length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    left, right = memoryview(one), memoryview(other)
    while low < high:  # each step looks at half as many bytes as the one before
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _tokens(text: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(text):
        end = start + BLOCK
        if end < len(text):
            # A token is never cut: the block goes on to the next blank.
            end = next((match.start() for match in _BLANK.finditer(text, end)), len(text))
        yield from text[start:end].split()
        start = end


def _line_of_token(text: bytes, number: int) -> int:
    """The line in which token `number` stands, or would stand next."""
    place = 0
    for count, match in enumerate(re.finditer(rb"[^ \t\r\n\v\f]+", text)):
        place = match.start()
        if count == number:
            break
    return text.count(b"\n", 0, place)


def same_token(got: bytes | None, expected: bytes | None) -> bool:
    """Whether a token is right under `numeric`; None stands for none."""
    if got == expected:
        return True
    if got is None or expected is None or _INTEGER.fullmatch(expected):
        return False
    if special := _SPECIAL.fullmatch(expected):
        other = _SPECIAL.fullmatch(got)
        kinds = [each[2].lower()[:3] for each in (special, other) if each]
        signs = [each[1] == b"-" and kinds[0] == b"inf" for each in (special, other) if each]
        return len(kinds) == 2 and kinds[0] == kinds[1] and signs[0] == signs[1]
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    left, right = float(got), float(expected)
    # Beyond the largest float nothing can be measured.
    return math.isfinite(left) and math.isfinite(right) and abs(left - right) <= TOLERANCE * max(1.0, abs(right))


def first_difference(output: bytes, expected: bytes, rule: str = "lines") -> int | None:
    """The number (from 0) of the first line that differs; None when the output is right.

    Under `tokens` and `numeric`, where lines do not count, it is the line of the expected output.

    Args:
        rule: one of RULES.
    """
    if rule == "numeric":
        pairs = itertools.zip_longest(_tokens(output), _tokens(expected))
        wrong = next((number for number, (got, wanted) in enumerate(pairs) if not same_token(got, wanted)), None)
        return None if wrong is None else _line_of_token(expected, wrong)
    form = {"exact": _as_bytes, "lines": _as_lines, "tokens": _as_tokens}[rule]
    got, wanted = form(output), form(expected)
    if got == wanted:
        return None
    place = _common(got, wanted)
    shorter, longer = sorted((got, wanted), key=len)
    if rule == "tokens":
        ended = place == len(shorter) and longer[place : place + 1] == b" "
        return _line_of_token(expected, wanted.count(b" ", 0, place) + ended)
    if place == len(shorter):
        # A line that is not there is as good as an empty one.
        place = len(longer) - len(longer[place:].lstrip(b"\n"))
    return longer.count(b"\n", 0, place)


def same_result(got: Any, expected: Any, rule: str = "lines") -> bool:
    """Whether a call returned what was expected.

    Args:
        got, expected: JSON values.
        rule: one of RULES; it decides the tolerance of floats only.
    """
    if isinstance(expected, float):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return False
        if math.isnan(expected):
            return isinstance(got, float) and math.isnan(got)
        relative, absolute = TOLERANCES.get(rule, (RELATIVE, ABSOLUTE))
        try:
            return math.isclose(got, expected, rel_tol=relative, abs_tol=absolute)
        except OverflowError:
            return False
    if type(got) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same_result, got, expected, itertools.repeat(rule)))
    if isinstance(expected, dict):
        return got.keys() == expected.keys() and all(same_result(got[key], expected[key], rule) for key in expected)
    return bool(got == expected)
