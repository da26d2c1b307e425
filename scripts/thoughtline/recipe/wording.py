"""Pydantic's kinds of mistakes in our words: what is wrong with a value, and what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..common.spelling import nearest

KINDS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping of keys",
    "model": "a mapping of keys",
    "model_attributes": "a mapping of keys",
    "date": "a date",
}
"""What pydantic wanted, by the begin of its kind of mistake (string_type, int_parsing, date_from_datetime_parsing)."""

EXAMPLES = {
    "a whole number": "say 4",
    "a number": "say 0.5",
    "a list": "[a, b], or a line `- a` for each",
    "a mapping of keys": "`key: value`",
    "a date": "as YYYY-MM-DD",
}

PATTERNS = {
    r"^[a-z0-9][a-z0-9_.-]*$": "small letters, digits and _ . - only, first a letter or digit",
    r"^[A-Za-z0-9][\w.-]*$": "letters, digits and _ . - only, first a letter or digit",
    r"^[A-Z_][A-Z0-9_]*$": "a variable's name: capital letters, digits and _, first no digit",
    r"^[0-9a-f]{64}$": "a sha256: 64 digits 0-9 a-f, as `sha256sum FILE` prints it",
    r"^https?://": "an address that begins with http:// or https://",
    r"^[\w.-]+/[\w.-]+$": "OWNER/NAME, as on the hub's page",
    r"^[A-Z]{3}$": "three capital letters, say EUR",
    r"^[\w./-]+$": "letters, digits and _ . / - only",
    r"^[\w.-]+$": "letters, digits and _ . - only",
    r"^[\w.,+-]+$": "letters, digits and _ . , + - only",
    r"^(float32|bfloat16)$": "float32 or bfloat16",
    r"^[a-z][a-z0-9+.-]*$": "small letters, digits and + . - only, first a letter",
    r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}$": "an image of a registry by its digest, REGISTRY/NAME@sha256:...",
    r"^\w[\w.-]*(\[[\d,-]+\])?$": "a node as Slurm writes it, say lrdn0042 or lrdn[0042-0045]",
}
"""What the patterns of the schemas mean."""

BOUNDS = {
    "greater_than_equal": ("ge", "is too small", "at least"),
    "greater_than": ("gt", "is too small", "more than"),
    "less_than_equal": ("le", "is too large", "at most"),
    "less_than": ("lt", "is too large", "less than"),
}
SIZES = {
    "too_short": ("min_length", "has too few entries", "give at least {}"),
    "too_long": ("max_length", "has too many entries", "give at most {}"),
    "string_too_short": ("min_length", "is too short", "give at least {} characters"),
    "string_too_long": ("max_length", "is too long", "give at most {} characters"),
}


def wanted(kind: str) -> str | None:
    """What pydantic wanted where it found a value of another type, in words; None for other kinds of mistakes."""
    if not kind.endswith(("_type", "_parsing", "_from_float", "_inexact")) and kind != "finite_number":
        return None
    return next((words for start, words in KINDS.items() if kind.startswith(start)), None)


def shown(given: Any) -> str:
    """A value as it is shown in a message: as it was written, but not for pages."""
    text = "null" if given is None else str(given).lower() if isinstance(given, bool) else repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _type(kind: str, given: Any, what: str) -> tuple[str, str]:
    if kind == "model_attributes_type" and isinstance(given, str):
        return (
            f"{given!r} is a text, not a mapping",
            f'name it by its key `verifier`: {{"verifier": {json.dumps(given)}}}',
        )
    wrong, right = f"{shown(given)} is not {what}", f"write {what}"
    if what == "true or false" and isinstance(given, str) and given.lower() in ("yes", "on", "no", "off"):
        return (
            f"{given!r} is a text, not true or false",
            f"write {'true' if given.lower() in ('yes', 'on') else 'false'}",
        )
    if what in ("a number", "a whole number") and isinstance(given, str):
        if re.fullmatch(r"[-+]?\d+e[-+]?\d+", given, re.I):
            return f"{given!r} is text in YAML, not a number", f"write {given.lower().replace('e', '.0e')}"
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", given):
            return f"{given!r} is a text, not a number", f"write {given} without quotes"
    if what == "a text" and isinstance(given, int | float):
        return f"{shown(given)} is not a text to YAML", f'put it in quotes: "{shown(given)}"'
    if what == "a list" and isinstance(given, str | int | float):
        return wrong, f"write [{given}]"
    return wrong, f"{right}, {EXAMPLES[what]}" if what in EXAMPLES else right


def choice(given: Any, expected: str) -> tuple[str, str]:
    """A value that is none of `expected`, which pydantic gives as one text: 'a', 'b' or 'c'."""
    close = nearest(given, re.findall(r"'([^']*)'", expected)) if isinstance(given, str) else None
    return f"{shown(given)} is not allowed", (f"did you mean {close!r}? " if close else "") + f"use one of {expected}"


def said(error: Mapping[str, Any]) -> tuple[str, str] | None:
    """(what is wrong, what would be right) of a mistake in a value, from pydantic's account of it; None where it has words of ours."""
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    if what := wanted(kind):
        return _type(kind, given, what)
    if kind == "literal_error":
        return choice(given, context["expected"])
    if kind in BOUNDS:
        key, wrong, words = BOUNDS[kind]
        return f"{shown(given)} {wrong}", f"{words} {context[key]:{'g' if isinstance(context[key], float) else 'd'}}"
    if kind in SIZES:
        key, wrong, words = SIZES[kind]
        if not given:
            return "is empty", "give one or more" if kind == "too_short" else "give a text"
        return f"{shown(given)} {wrong}", words.format(context[key])
    if kind == "string_pattern_mismatch":
        rule = context["pattern"]
        return f"{shown(given)} cannot stand here", PATTERNS.get(rule, f"a text that matches {rule}")
    return None


def said_of_all(errors: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """As `said`, for a value that may be of several types and is of none of them."""
    kinds = [wanted(error["type"]) or error.get("ctx", {}).get("expected") for error in errors]
    words = " or ".join(dict.fromkeys(filter(None, kinds)))
    return (f"{shown(errors[0].get('input'))} cannot stand here", f"write {words}") if words else None
