"""Code by unit tests: correct only if every test ran and passed, in a sandbox (executor.py, rules in compare.py).

The program is the last closed fenced block of the response that is marked as Python; without one the last unmarked
block; without one a block that is still open at the end; without any fence the whole response, if it has a line that
looks like Python and compiles. Otherwise there is no code.

A question without tests is `unverified` (no_tests). A failure of the sandbox itself is never a judgement.
"""

from __future__ import annotations

import json
import platform
import re
import textwrap
from typing import Any

from ..common.errors import UserError
from .executor import Executor, Limits, Unprotected, probe
from .sandbox import PACKAGES
from .verdict import Closing, Verdict, fingerprint_of, no_answer, ruled_out, versions_of

_FENCE = re.compile(r"^[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^`]*$")
_PYTHON = ("python", "python3", "py", "py3")
_LOOKS_LIKE_CODE = re.compile(
    r"^(?:def |class |import |from \w|print\(|for |while |if |@|[A-Za-z_]\w*(?:, ?\w+)* = )", re.M
)


def blocks_of(text: str) -> list[tuple[str, str, bool]]:
    """(language, content, closed) of each fenced block, in order; blocks do not nest."""
    found, mark, language, lines = [], "", "", []
    for line in text.splitlines():
        match = _FENCE.match(line)
        if not mark:
            if match:
                mark, language, lines = match["mark"], match["language"].lower(), []
        elif match and not match["language"] and match["mark"].startswith(mark):
            found.append((language, textwrap.dedent("\n".join(lines)) + "\n", True))
            mark = ""
        else:
            lines.append(line)
    if mark:
        found.append((language, textwrap.dedent("\n".join(lines)) + "\n", False))
    return found


def program_of(response: str) -> tuple[str | None, bool]:
    """(the program in `response` or None, whether it stood in a fence)."""
    blocks = [block for block in blocks_of(response) if block[1].strip()]
    for languages, closed in ((_PYTHON, True), (("",), True), ((*_PYTHON, ""), False)):
        for language, content, is_closed in reversed(blocks):
            if language in languages and is_closed == closed:
                return content, True
    if not blocks and _LOOKS_LIKE_CODE.search(response):
        return response, False
    return None, False


def tests_of(question: dict[str, Any]) -> dict[str, Any] | None:
    """The tests of a question; None when it has none.

    Raises:
        UserError: they are not {inputs, outputs, fn_name?} with lists of equal length.
    """
    if not question.get("tests"):
        return None
    where, right = (
        f"question {question.get('question_id')}: tests",
        '{"inputs": [...], "outputs": [...], "fn_name"?: name}',
    )
    try:
        tests = json.loads(question["tests"])
        inputs, outputs, name = tests["inputs"], tests["outputs"], tests.get("fn_name")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(where, f"cannot be read ({type(error).__name__}: {error})", right) from None
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise UserError(where, "inputs and outputs are not lists of equal length", right)
    if name is not None and not isinstance(name, str):
        raise UserError(where, f"fn_name {name!r} is no name", right)
    return tests if inputs else None


class CodeVerifier(Closing):
    """The `code` verifier; `settings["verifier"]`: seconds, memory_mb, output_mb, unprotected."""

    name = "code"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        chosen = settings["verifier"]
        self._limits = Limits(chosen["seconds"], chosen["memory_mb"], chosen["output_mb"])
        self._executor = Executor(chosen["unprotected"])
        versions = {"python": platform.python_version(), **versions_of(PACKAGES)}
        self.fingerprint = fingerprint_of(settings, versions)

    def close(self) -> None:
        """End the sandboxes."""
        self._executor.close()

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row.

        Raises:
            UserError: this machine does not protect itself as the recipe asks.
        """
        tests = tests_of(question)
        ruled = ruled_out({"tests": tests}, trace, "tests", "no_tests")
        if ruled or tests is None:
            return ruled or Verdict("unverified", "no_tests")
        program, fenced = program_of(trace["response"])
        if program is None:
            return no_answer(trace, "no_code")
        try:
            outcome = self._executor.run_tests(program, tests, self._limits)
        except Unprotected as lack:
            raise UserError(
                "sandbox", str(lack),
                f"run it where the kernel allows this, or let the recipe go on without: unprotected: {lack.missing}",
            ) from None  # fmt: skip
        if outcome.reason == "compile_error" and not fenced:
            return no_answer(trace, "no_code")
        return Verdict("correct" if outcome.passed else "incorrect", outcome.reason, program, outcome.evidence)


def check() -> dict[str, Any]:
    """What protects this machine from programs; see executor.probe."""
    return {"sandbox": probe()}


create = CodeVerifier
