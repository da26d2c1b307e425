r"""Mathematical equality by Math-Verify (https://github.com/huggingface/Math-Verify), in a worker that can be killed.

The final answer (answers.extract) and the reference are parsed by Math-Verify's LaTeX and expression parsers and
compared by its `verify(gold, answer)`. Before parsing, on both sides: an answer inside `\boxed{...}` is taken out;
"2 1/3" is a mixed number. A text with its own mathematics marks (`$...$`, `\(...\)`, `\[...\]`) and prose of several
words ("5 apples in all") are parsed as they stand, anything else as if it stood in a box; where the one finds nothing
the other is tried. What Math-Verify holds equal is equal here, unless the recipe's `leniency` refuses it
(strict_math): by default Math-Verify's own leniency stands.

Plain pairs are decided without the worker (plain_math), pairs that were compared before are remembered, and the
worker remembers what it parsed: more samples of a question cost one parse each at most.

The verdict's `answer` is a normal form (math_forms), so that equal answers vote together. A pair that hits the limit of
CPU time or memory is `incorrect` with that reason; its worker is replaced. A text of more than LONGEST characters is
not parsed: as an answer it is `incorrect`, too_long; as a reference it leaves the row unverified.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from .answers import answer_of, last_boxed
from .plain_math import decide
from .verdict import Closing, Verdict, excerpt, fingerprint_of, versions_of
from .workers import Worker, WorkerLost

LIBRARIES = ("math-verify", "latex2sympy2-extended", "sympy", "antlr4-python3-runtime")
LONGEST = 5000
"""Characters of a text that is parsed. The longest answer of MATH has 159 (train and test); some of Math-Verify's
regular expressions take time that grows with the square of the length."""
REMEMBERED = 4096
"""Pairs, and parses, that are remembered."""
LONGEST_REMEMBERED = 300
"""Characters of a text whose parse is remembered."""
ENVIRONMENT = {"PYTHONHASHSEED": "0", "SYMPY_GROUND_TYPES": "python", "MPMATH_NOGMPY": "1"}
"""The worker's: SymPy orders some sets by hash; with gmpy2, where it is installed, an integer too large for memory ends the
process, and one that takes too long holds it for as long."""
_MIXED = re.compile(r"^\s*([-−]?\d+)\s+(\d+)\s*/\s*(\d+)\s*$")
_MARKS = re.compile(r"\$.*\$|\\\(.*\\\)|\\\[.*\\\]", re.S)
_PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}|[^\W\d_]{2,}\s+(?:a|the)\b|\d\s+(?!or\b|and\b)[^\W\d_]{2,}")
MATH_VERIFY = {
    "assignments": True, "equations": True, "percents": True, "units": True, "bases": True, "sets_for_tuples": True,
    "sets_for_elements": True, "letter_case": True, "letter_products": True, "relations_for_sets": False,
    "other_variables": False, "decimals": 6,
}  # fmt: skip
"""schema.Leniency as Math-Verify stands by itself."""


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


def _parsed(text: str) -> list[Any]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    ways = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    return next(filter(None, (parse(each, ways, parsing_timeout=None) for each in candidates(text))), [])


_remembered = functools.lru_cache(maxsize=REMEMBERED)(_parsed)


def compare(pair: dict[str, Any]) -> dict[str, Any]:
    """Parse and compare one pair (runs in the worker).

    Args:
        pair: {"reference": str, "answer": str, "leniency": a dict like MATH_VERIFY, which is the default}.

    Returns:
        {"equal": bool or None when a side cannot be parsed, "reference": str or None, "answer": str or None}: the
        normal forms of the parses. Also "refused_by": the leniency that equality would have taken, if it was refused.
    """
    import sympy.core.random
    from math_verify import verify

    from .math_forms import form_of
    from .strict_math import Side, refused_by

    sympy.core.random.seed(0)  # simplify tries numbers at random
    leniency = pair.get("leniency", MATH_VERIFY)

    def same(reference: Any, answer: Any) -> bool:
        return bool(
            verify(
                reference,
                answer,
                float_rounding=leniency["decimals"],
                strict=not leniency["other_variables"],
                allow_set_relation_comp=leniency["relations_for_sets"],
                timeout_seconds=None,
            )
        )

    def parsed(text: str) -> list[Any]:
        return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _parsed(text)

    reference, answer = parsed(pair["reference"]), parsed(pair["answer"])
    found: dict[str, Any] = {"equal": same(reference, answer) if reference and answer else None}
    if found["equal"] and leniency != MATH_VERIFY:
        refused = refused_by(Side(pair["reference"], reference[0]), Side(pair["answer"], answer[0]), leniency, same)
        if refused:
            found.update(equal=False, refused_by=refused)
    forms = (form_of(each, leniency["assignments"]) for each in (reference, answer))
    return {**found, **dict(zip(("reference", "answer"), forms, strict=True))}


class MathVerifier(Closing):
    """The `math_verify` verifier; `settings["verifier"]`: extraction, leniency, seconds, memory_mb."""

    name = "math_verify"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        self._settings = settings["verifier"]
        self._leniency = self._settings["leniency"]
        self._unusual = frozenset(name for name in MATH_VERIFY if self._leniency[name] != MATH_VERIFY[name])
        self.fingerprint = fingerprint_of(settings, versions_of(LIBRARIES))
        self._worker = Worker(f"{__name__}:compare", self._settings["memory_mb"], ENVIRONMENT)
        self._compared = functools.lru_cache(maxsize=REMEMBERED)(self._ask)

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def _ask(self, reference: str, answer: str) -> dict[str, Any]:
        question = {"reference": reference, "answer": answer, "leniency": self._leniency}
        return self._worker.ask(question, self._settings["seconds"])

    def compare(self, reference: str, answer: str) -> dict[str, Any]:
        """What the module's `compare` returns, by the shortest way.

        Raises:
            WorkerLost: the pair took too much time or memory.
        """
        found = decide(reference, answer, self._leniency["decimals"], self._unusual)
        return self._compared(reference, answer) if found is None else found

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row."""
        answer = answer_of(question, trace, self._settings["extraction"])
        if isinstance(answer, Verdict):
            return answer
        evidence = {"extracted": excerpt(answer)}
        if len(question["answer"]) > LONGEST:
            return Verdict("unverified", "unreadable_reference", excerpt(answer), {**evidence, "longest": LONGEST})
        if len(answer) > LONGEST:
            return Verdict("incorrect", "too_long", excerpt(answer), {**evidence, "longest": LONGEST})
        try:
            found = self.compare(question["answer"], answer)
        except WorkerLost as lost:
            return Verdict("incorrect", lost.reason, excerpt(answer), evidence)
        evidence["reference"] = found["reference"]
        if "refused_by" in found:
            evidence["refused_by"] = found["refused_by"]
        parsed = found["answer"] or excerpt(answer)
        if found["reference"] is None:
            return Verdict("unverified", "unreadable_reference", parsed, evidence)
        if found["equal"]:
            return Verdict("correct", "", parsed, evidence)
        return Verdict(
            "incorrect", "unreadable_answer" if found["answer"] is None else "wrong_answer", parsed, evidence
        )


create = MathVerifier
