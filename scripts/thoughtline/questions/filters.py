"""Question filters by name: small functions that keep a question (true) or drop it.

A question is what normalise.Mapping makes of a row. The math and code filters follow OpenThoughts-114k (math: no_figures,
no_multipart, has_solution, no_empty_boxed, has_boxed; code: no_links, no_images, min_length with 200
characters, has_tests, has_solution), which compares without case.

This module imports nothing heavy: recipes are checked with check_filter before any job starts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from ..common.errors import UserError
from ..verdicts.formats import count_of

Question = dict[str, Any]
Keep = Callable[[Question], bool]

FIGURE_WORDS = ("figure", "diagram", "jpeg", "png", "jpg", "svg", "answer:")
"""OpenThoughts' words of problems that need a picture, or give the answer away."""

TEXT_FIELDS = ("problem", "answer", "solution", "starter_code")


def no_figures(question: Question) -> bool:
    """No word of FIGURE_WORDS in the problem."""
    text = question["problem"].lower()
    return not any(word in text for word in FIGURE_WORDS)


def no_multipart(question: Question) -> bool:
    """Not several questions in one: a problem that starts with `a)` and goes on to `b)`."""
    text = question["problem"].lower().lstrip()
    return not (text.startswith("a)") and "b)" in text)


def has_solution(question: Question) -> bool:
    """There is a worked solution or known-good program."""
    return bool((question["solution"] or "").strip())


def has_boxed(question: Question) -> bool:
    r"""The solution marks its answer with \boxed{."""
    return "\\boxed{" in (question["solution"] or "").lower()


def no_empty_boxed(question: Question) -> bool:
    r"""No \boxed{} without content in the solution (the end of a proof)."""
    return "\\boxed{}" not in (question["solution"] or "").lower()


def no_links(question: Question) -> bool:
    """No http:// in the problem (https:// does not count, as in OpenThoughts)."""
    return "http://" not in question["problem"].lower()


def no_images(question: Question) -> bool:
    """No [image] in the problem."""
    return "[image]" not in question["problem"].lower()


def min_length(question: Question, characters: int) -> bool:
    """The problem has at least this many characters."""
    return len(question["problem"]) >= characters


def max_length(question: Question, characters: int) -> bool:
    """The problem has at most this many characters."""
    return len(question["problem"]) <= characters


def has_tests(question: Question) -> bool:
    """There is at least one unit test."""
    return bool(question["tests"] and count_of(question["tests"]))


def has_answer(question: Question) -> bool:
    """There is a reference answer."""
    return bool((question["answer"] or "").strip())


def matches(question: Question, pattern: str, field: str = "problem") -> bool:
    """The pattern (Python `re`) is found in the field; a field without value does not match."""
    text = field_text(question, field)
    return text is not None and re.search(pattern, text) is not None


def rejects(question: Question, pattern: str, field: str = "problem") -> bool:
    """The pattern (Python `re`) is not found in the field."""
    return not matches(question, pattern, field)


FUNCTIONS = {
    each.__name__: each
    for each in (
        no_figures, no_multipart, has_solution, has_boxed, no_empty_boxed, no_links, no_images,
        min_length, max_length, has_tests, has_answer, matches, rejects,
    )
}  # fmt: skip


def field_text(question: Question, field: str) -> str | None:
    """The text of one of TEXT_FIELDS, or of a kept metadata column `metadata.NAME` (numbers as their digits)."""
    value = (
        question["metadata"].get(field.removeprefix("metadata.")) if field.startswith("metadata.") else question[field]
    )
    return None if value is None else str(value)


def check_filter(name: str, arguments: dict[str, Any], where: str = "filters") -> None:
    """Raise UserError unless `name` is a filter and takes these arguments."""
    if name not in FUNCTIONS:
        raise UserError(where, f"unknown filter {name!r}", f"known: {', '.join(sorted(FUNCTIONS))}")
    where = f"{where}.{name}"
    takes = dict(list(inspect.signature(FUNCTIONS[name]).parameters.items())[1:])
    names = ", ".join(takes) or "no argument"
    for key in arguments:
        if key not in takes:
            raise UserError(where, f"unknown argument {key!r}", f"it takes {names}")
    for key, parameter in takes.items():
        if key not in arguments and parameter.default is parameter.empty:
            raise UserError(where, f"lacks the argument {key!r}", f"it takes {names}")
    characters = arguments.get("characters", 0)
    if type(characters) is not int or characters < 0:
        raise UserError(
            f"{where}.characters", f"{characters!r} is no number of characters", "give a whole number from 0"
        )
    try:
        re.compile(arguments.get("pattern", ""))
    except (re.error, TypeError) as error:
        raise UserError(
            f"{where}.pattern", f"{arguments['pattern']!r} is no regular expression ({error})", "see Python's `re`"
        ) from None
    field = arguments.get("field", "problem")
    if field not in TEXT_FIELDS and not (
        isinstance(field, str) and field.startswith("metadata.") and field != "metadata."
    ):
        raise UserError(f"{where}.field", f"{field!r} is no field", f"one of {', '.join(TEXT_FIELDS)}, metadata.NAME")


def entries(filters: list[str | dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Filters of a recipe, `name` or `name: {argument: value}`, as pairs."""
    return [(each, {}) if isinstance(each, str) else next(iter(each.items())) for each in filters]


def first_refusal(question: Question, filters: list[tuple[str, dict[str, Any]]]) -> str | None:
    """The name of the first filter that drops the question; null when all keep it."""
    for name, arguments in filters:
        if not FUNCTIONS[name](question, **arguments):
            return name
    return None
