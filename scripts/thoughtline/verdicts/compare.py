"""When an output is right: the comparison rules of the code verifier.

Standard output (`program`): line by line; the tokens of a line, separated by ASCII blanks, must be equal as bytes.
Blanks at the ends of lines, more than one blank between tokens, and empty lines at the end of the output do not count; the
division into lines does, as do case, order and the number of lines. (The rule of APPS and LiveCodeBench, without
their further retries as sorted or as sets. Both outputs are read to their end: neither is cut to the shorter.)

Results of calls (`result`): both sides as JSON values, so a tuple equals the list of its items. Types count: a
bool is no number, a float is no integer, a string is no number. Only where the expected value is a float may the other differ:
an integer or a float within 1e-9 relative or 1e-12 absolute (Python's `math.isclose`). NaN equals NaN.
"""

from __future__ import annotations

import json
import math
from typing import Any

RELATIVE, ABSOLUTE = 1e-9, 1e-12
LONGEST_INTEGER = 4000
"""Digits: longer integers are compared as text, since making a number of them takes time that grows with the square."""


class _LongInteger(str):
    """An integer of the JSON text with too many digits to be made a number."""


def _integer(text: str) -> int | _LongInteger:
    return int(text) if len(text) <= LONGEST_INTEGER else _LongInteger(text)


def result_of(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def lines_of(output: bytes) -> list[list[bytes]]:
    """The tokens of each line, without empty lines at the end."""
    lines = [line.split() for line in output.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def first_difference(output: bytes, expected: bytes, rule: str = "lines") -> int | None:
    """The number (from 0) of the first line that differs; None when the outputs are equal."""
    got, wanted = lines_of(output), lines_of(expected)
    for number, (left, right) in enumerate(zip(got, wanted, strict=False)):
        if left != right:
            return number
    return None if len(got) == len(wanted) else min(len(got), len(wanted))


def same_result(got: Any, expected: Any) -> bool:
    """Whether a call returned what was expected."""
    if isinstance(expected, float):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return False
        if math.isnan(expected):
            return isinstance(got, float) and math.isnan(got)
        try:
            return math.isclose(got, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        except OverflowError:
            return False
    if type(got) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same_result, got, expected))
    if isinstance(expected, dict):
        return got.keys() == expected.keys() and all(same_result(got[key], expected[key]) for key in expected)
    return got == expected
