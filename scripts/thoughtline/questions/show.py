"""Questions as text for people."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from ..common.names import MULTIPLE_CHOICE_LETTERS
from ..verdicts.formats import count_of

TESTS_SHOWN = 2
WIDTH = 100


def shown(row: dict[str, Any]) -> str:
    """One question (a row of rows.QUESTIONS): a head line, the problem, options (* marks the right one), reference, tests."""
    lines = [f"── {row['question_id']}  {row['domain']}  {row['source']}", _indented(row["problem"])]
    for letter, choice in zip(MULTIPLE_CHOICE_LETTERS, row["choices"] or [], strict=False):
        lines.append(f"  {'*' if choice == row['answer'] else ' '} {letter}. {choice}")
    for name in ("answer", "solution", "starter_code"):
        if row[name] is not None:
            text = row[name].strip("\n")
            lines.append(f"  {name}:" + (f"\n{_indented(text, 4)}" if "\n" in text or len(text) > 80 else f" {text}"))
    if row["tests"] is not None:
        lines.append(_tests(json.loads(row["tests"])))
    lines.append(f"  metadata: {row['metadata']}")
    return "\n".join(lines) + "\n"


def _tests(tests: dict[str, Any]) -> str:
    if "instructions" in tests:
        lines = [f"  instructions: {len(tests['instructions'])}"]
        for each in tests["instructions"]:
            arguments = ", ".join(f"{key}: {value!r}" for key, value in each["kwargs"].items())
            lines.append(textwrap.shorten(f"{each['id']} {arguments}", WIDTH, placeholder=" ..."))
        return "\n    ".join(lines)
    count = count_of(tests)
    if "asserts" in tests:
        lines = [f"  tests: {count}, asserts"]
        lines += [textwrap.shorten(each, WIDTH, placeholder=" ...") for each in tests["asserts"][:TESTS_SHOWN]]
        return "\n    ".join([*lines, *([f"... {count - TESTS_SHOWN} more"] if count > TESTS_SHOWN else [])])
    name = tests.get("fn_name")
    lines = [f"  tests: {count}, " + (f"function {name}" if name else "stdin and stdout")]
    for given, wanted in list(zip(tests["inputs"], tests["outputs"], strict=True))[:TESTS_SHOWN]:
        shown_input = f"{name}({', '.join(map(repr, given))})" if name else repr(given)
        lines.append(textwrap.shorten(f"{shown_input} -> {wanted!r}", WIDTH, placeholder=" ..."))
    if count > TESTS_SHOWN:
        lines.append(f"... {count - TESTS_SHOWN} more")
    return "\n    ".join(lines)


def _indented(text: str, by: int = 2) -> str:
    """Long lines wrapped, the text's own line breaks and indents kept."""
    lines: list[str] = []
    for line in text.split("\n"):
        lines.extend(
            textwrap.wrap(line, WIDTH, drop_whitespace=False, replace_whitespace=False, break_long_words=False) or [""]
        )
    return textwrap.indent("\n".join(line.rstrip() for line in lines), " " * by)
