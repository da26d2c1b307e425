r"""Mathematical equality by Math-Verify (https://github.com/huggingface/Math-Verify), in a worker that can be killed.

The final answer (answers.extract) and the reference are parsed by Math-Verify's LaTeX and expression parsers and
compared by its `verify(gold, answer)`. Before parsing, on both sides: an answer inside `\boxed{...}` is taken out;
"2 1/3" is a mixed number. A text with its own mathematics marks (`$...$`, `\(...\)`, `\[...\]`) and prose of several
words ("5 apples in all") are parsed as they stand, anything else as if it stood in a box; where the one finds nothing
the other is tried. What Math-Verify holds equal is equal here: it is lenient with, say, a percent sign or `x = 5` for 5.

The verdict's `answer` is the parsed form, so that
equal answers vote together. A pair that hits the limit of time or memory is `incorrect` with that reason; its worker
is replaced.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from .answers import extract, last_boxed
from .verdict import Closing, Verdict, excerpt, fingerprint_of, no_answer, ruled_out, versions_of
from .workers import Worker, WorkerLost

LIBRARIES = ("math-verify", "latex2sympy2-extended", "sympy", "antlr4-python3-runtime")
_MIXED = re.compile(r"^\s*([-−]?\d+)\s+(\d+)\s*/\s*(\d+)\s*$")
_MARKS = re.compile(r"\$.*\$|\\\(.*\\\)|\\\[.*\\\]", re.S)
_PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}|[^\W\d_]{2,}\s+(?:a|the)\b|\d\s+(?!or\b|and\b)[^\W\d_]{2,}")


def candidates(text: str) -> list[str]:
    """The texts to parse, best first; the first that Math-Verify reads counts."""
    text = last_boxed(text) or text.strip()
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", text)
    boxed = f"\\boxed{{{text}}}"
    if _MARKS.search(text) or ("\\" not in text and _PROSE.search(text)):
        return [text, boxed]
    return [boxed, text]


def warm_up() -> None:
    """Import Math-Verify and build its parsers (runs in the worker)."""
    logging.disable(logging.CRITICAL)  # it logs each answer that it cannot parse
    compare({"reference": r"\frac{1}{2}", "answer": "0.5"})


def compare(pair: dict[str, str]) -> dict[str, Any]:
    """Parse and compare one pair (runs in the worker).

    Returns:
        {"equal": bool or None when a side cannot be parsed, "reference": str or None, "answer": str or None}: the
        parses as text.
    """
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    ways = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())

    def parsed(text: str) -> list[Any]:
        return next(filter(None, (parse(each, ways, parsing_timeout=None) for each in candidates(text))), [])

    reference, answer = parsed(pair["reference"]), parsed(pair["answer"])
    equal = bool(verify(reference, answer, timeout_seconds=None)) if reference and answer else None
    return {"equal": equal, "reference": _text(reference), "answer": _text(answer)}


def _text(parsed: list[Any]) -> str | None:
    if not parsed:
        return None
    try:
        return excerpt(str(parsed[0]))
    except ValueError:  # an integer of more digits than Python writes out
        return f"a number too long to write ({type(parsed[0]).__name__})"


class MathVerifier(Closing):
    """The `math_verify` verifier; `settings["verifier"]`: extraction, seconds, memory_mb."""

    name = "math_verify"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        self._settings = settings["verifier"]
        self.fingerprint = fingerprint_of(settings, versions_of(LIBRARIES))
        self._worker = Worker(f"{__name__}:compare", self._settings["memory_mb"])

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row."""
        ruled = ruled_out(question, trace, "answer", "no_reference")
        if ruled:
            return ruled
        answer = extract(trace["response"], self._settings["extraction"])
        if answer is None:
            return no_answer(trace)
        try:
            found = self._worker.ask({"reference": question["answer"], "answer": answer}, self._settings["seconds"])
        except WorkerLost as lost:
            return Verdict("incorrect", lost.reason, excerpt(answer), {"extracted": excerpt(answer)})
        evidence = {"extracted": excerpt(answer), "reference": found["reference"]}
        parsed = found["answer"] or excerpt(answer)
        if found["reference"] is None:
            return Verdict("unverified", "unreadable_reference", parsed, evidence)
        if found["equal"]:
            return Verdict("correct", "", parsed, evidence)
        return Verdict(
            "incorrect", "unreadable_answer" if found["answer"] is None else "wrong_answer", parsed, evidence
        )


create = MathVerifier
