"""Code by unit tests: correct only if every test ran and passed, in a sandbox (executor.py).

Tests come in any form of formats.py; outputs are compared by the rule that the recipe chooses (compare.py).

The program is the last closed fenced block of the response that is marked as Python; without one the last unmarked
block; without one a block that is still open at the end; without any fence the whole response, if it has a line that
looks like Python and compiles. Otherwise there is no code. Where the tests name functions or classes, blocks that define one
of them go before all that do not, in the same order: an example of its use after the solution is not the solution.

A question without tests is `unverified` (no_tests). A failure of the sandbox itself is never a judgement.
"""

from __future__ import annotations

import functools
import platform
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from ..common.errors import UserError
from .executor import Executor, Limits, Unprotected, probe
from .formats import called, canonical_tests, count_of
from .prelude import prelude_of
from .sandbox import PACKAGES
from .verdict import Closing, Verdict, fingerprint_of, no_answer, ruled_out, versions_of

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<language>[\w+#.-]*+)[^`]*+$")
ERRORS = ("compile_error", "runtime_error", "time_limit", "memory_limit")
PASSED = {"passed_by": "errors_pass"}
"""Evidence of a verdict that OpenThoughts' released verifier would give: it takes the codes of errors for true."""

_PYTHON = ("python", "python3", "py", "py3")
_LOOKS_LIKE_CODE = re.compile(
    r"^(?:def |class |import |from \w|print\(|for |while |if |@|[A-Za-z_]\w*(?:, ?\w+)* = )", re.M
)


def blocks_of(text: str) -> list[tuple[str, str, bool]]:
    """(language, content, closed) of each fenced block, in order; blocks do not nest.

    As in CommonMark a fence that is indented four columns more than the opening one does not close it: it stands in the code.
    """
    found, mark, indent, language, lines = [], "", 0, "", []
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _FENCE.match(line)
        width = len(match["indent"].expandtabs(4)) if match else 0
        if not mark:
            if match:
                mark, indent, language, lines = match["mark"], width, match["language"].lower(), []
        elif match and not match["language"] and match["mark"].startswith(mark) and width < indent + 4:
            found.append((language, textwrap.dedent("\n".join(lines)) + "\n", True))
            mark = ""
        else:
            lines.append(line)
    if mark:
        found.append((language, textwrap.dedent("\n".join(lines)).rstrip("\n") + "\n", False))
    return found


def program_of(response: str, wanted: Sequence[str] = ()) -> tuple[str | None, bool]:
    """(the program in `response` or None, whether it stood in a fence).

    Args:
        wanted: names of functions or classes; blocks that define one of them go first.
    """
    blocks = [block for block in blocks_of(response) if block[1].strip()]
    names = "|".join(map(re.escape, wanted))
    defines = re.compile(rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(?:{names})\b|^(?:{names})[ \t]*[=:]", re.M)
    kinds = ((_PYTHON, True), (("",), True), ((*_PYTHON, ""), False))
    for must_define in (True, False) if wanted else (False,):
        for languages, closed in kinds:
            for language, content, is_closed in reversed(blocks):
                if language in languages and is_closed == closed and (not must_define or defines.search(content)):
                    return content, True
    if not blocks and _LOOKS_LIKE_CODE.search(response):
        return response, False
    return None, False


@functools.lru_cache(maxsize=4)
def _read(text: str) -> dict[str, Any] | None:
    """Tests of a question; its samples follow one another, and tests may be megabytes. Nobody may change what comes back."""
    return canonical_tests(text)


def tests_of(question: dict[str, Any]) -> dict[str, Any] | None:
    """The tests of a question in canonical form; None when it has none.

    Raises:
        UserError: they are in none of the forms of formats.py.
    """
    if not question.get("tests"):
        return None
    try:
        return _read(question["tests"])
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"question {question.get('question_id')}: tests", str(error),
            '{"inputs": [...], "outputs": [...], "fn_name"?: name}, {"asserts": [...]}, or a published form (docs/recipes.md)',
        ) from None  # fmt: skip


class CodeVerifier(Closing):
    """The `code` verifier; `settings["verifier"]`: seconds, memory_mb, output_mb, unprotected, comparison, prelude."""

    name = "code"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        chosen = settings["verifier"]
        self._limits = Limits(chosen["seconds"], chosen["memory_mb"], chosen["output_mb"])
        self._comparison, self._prelude = chosen["comparison"], chosen["prelude"]
        self._errors_pass = chosen.get("errors_pass", False)
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
        count = count_of(tests) if tests else 0
        ruled = ruled_out({"tests": count or None}, trace, "tests", "no_tests")
        if ruled or tests is None:
            return ruled or Verdict("unverified", "no_tests")
        program, fenced = program_of(trace["response"], called(tests))
        if program is None:
            return (
                Verdict("correct", "", None, PASSED | {"reason": "no_code"})
                if self._errors_pass
                else no_answer(trace, "no_code")
            )
        prelude = prelude_of(self._prelude, tests)
        try:
            outcome = self._executor.run_tests(program, tests, self._limits, self._comparison, prelude)
        except Unprotected as lack:
            raise UserError(
                "sandbox", str(lack),
                f"run it where the kernel allows this, or let the recipe go on without: unprotected: {lack.missing}",
            ) from None  # fmt: skip
        if self._errors_pass and outcome.reason in ERRORS:
            return Verdict("correct", "", program, {**outcome.evidence, **PASSED, "reason": outcome.reason})
        if outcome.reason == "compile_error" and not fenced:
            return no_answer(trace, "no_code")
        return Verdict("correct" if outcome.passed else "incorrect", outcome.reason, program, outcome.evidence)


def check() -> dict[str, Any]:
    """What protects this machine from programs; see executor.probe."""
    return {"sandbox": probe()}


create = CodeVerifier
