"""Verifiers that need no model: they read a reply and compare it, or run it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Strict


class Extraction(Strict):
    """How a final answer is found in a response: the first of these that finds one."""

    boxed: bool = Field(True, description=r"The last \boxed{...}.")
    phrases: list[str] = Field(["the answer is"], description="What follows the last of these phrases, on that line.")
    last_number: bool = Field(False, description="The last number of the response (fair to models without a format).")
    last_line: bool = Field(False, description="The last line that is not empty.")


class Leniency(Strict):
    r"""Which equalities count that rest on more than mathematics. The defaults are Math-Verify 0.9.0 as it stands, so that
    verdicts compare with those of releases that filter or reward by it (open-r1); false refuses what is named. `equations`
    and `letter_products` let wrong answers pass and are worth refusing where no published figure must be met; `percents` and
    `bases` cut both ways; the others forgive how an answer is written, and refusing them costs right answers."""

    assignments: bool = Field(
        True, description="x = 5 counts for 5, y = 2x + 3 for 2x + 3, (x, y) = (1, 2) for (1, 2)."
    )
    equations: bool = Field(
        True, description="Any other equation in an answer counts for its right side: 2 = 1 for 1, 2x + z = 1 for 1."
    )
    percents: bool = Field(
        True,
        description="5% counts for the integer 5 and for 0.05. Refused: a percentage is a hundredth of its number, 5% never 5.",
    )
    units: bool = Field(
        True,
        description="Units, degree and currency signs do not count: 5 cm for 5 m or 5. Refused: both sides need the same.",
    )
    bases: bool = Field(
        True,
        description="A subscript of a number does not count: 4343_6 for 4343 and for 4343_7. Refused: subscripts must agree.",
    )
    sets_for_tuples: bool = Field(
        True,
        description="A set or list counts for a tuple or open interval of the same elements: {1, 2} or 1, 2 for (1, 2).",
    )
    sets_for_elements: bool = Field(True, description="A set of one element counts for it: {5} for 5.")
    letter_case: bool = Field(True, description="Capital and small letters are the same: A for a, 2R for 2r.")
    letter_products: bool = Field(
        True,
        description="Letters side by side are a product in any order: listen for silent. Refused: they are a word.",
    )
    relations_for_sets: bool = Field(
        False,
        description="Also 1 < x < 2 for the reference (1, 2) (Math-Verify: allow_set_relation_comp; the reverse always counts).",
    )
    other_variables: bool = Field(False, description="Also y + 1 for x + 1 (Math-Verify: strict off).")
    decimals: int = Field(
        6,
        ge=1,
        le=15,
        description="Both sides are rounded to this many places where one is a decimal: 0.333333 for 1/3.",
    )


class MathVerify(Strict):
    """Math-Verify (https://github.com/huggingface/Math-Verify) in a killable worker process."""

    verifier: Literal["math_verify"]
    extraction: Extraction = Field(Extraction(), description="How the final answer is found.")
    leniency: Leniency = Field(Leniency(), description="Which equalities count, beside mathematical ones.")
    seconds: float = Field(10, gt=0, description="CPU seconds a pair; the worker is killed at them.")
    memory_mb: int = Field(2048, ge=64, description="Memory limit of a worker.")


class CodeTests(Strict):
    """Unit tests: every test must run and pass."""

    LATER = frozenset({"errors_pass"})

    verifier: Literal["code"]
    seconds: float = Field(4, gt=0, description="CPU seconds a test (OpenThoughts: 4).")
    memory_mb: int = Field(1024, ge=32, description="Memory limit of a program.")
    output_mb: int = Field(16, ge=1, description="Limit of its standard output.")
    errors_pass: bool = Field(
        False,
        description="A fault of OpenThoughts' released verifier, for comparison with it: a program whose first failing test "
        "ends in an error (compile or runtime error, time or memory limit), and a reply without code, count as correct.",
    )
    unprotected: list[Literal["files", "network", "process_count", "processes"]] = Field(
        [],
        description="What this machine may leave unprotected against programs; by default the verifier refuses to run.",
    )
    comparison: Literal["exact", "lines", "tokens", "numeric"] = Field(
        "lines",
        description="How outputs are compared: `exact` (bytes, but for a final newline), `lines` (tokens, line by line), "
        "`tokens` (wherever lines end), `numeric` (tokens; where a float is expected, within 1e-6). Always in order; see recipes.md.",
    )
    prelude: Literal["leetcode", "none"] = Field(
        "leetcode",
        description="What has been imported before a program begins that is tested by calls or as `class Solution`: "
        "what LeetCode's environment has (List, inf, Counter, ...), or nothing.",
    )


class Exact(Strict):
    """The final answer equals the reference, after normalisation."""

    verifier: Literal["exact"]
    extraction: Extraction = Field(Extraction(last_line=True), description="How the final answer is found.")
    ignore_case: bool = Field(True, description="Compare without case.")
    ignore_punctuation: bool = Field(True, description="Compare without surrounding quotes and final punctuation.")


class Choice(Strict):
    """Multiple choice: the letter, or the text, of one option."""

    verifier: Literal["choice"]
    phrases: list[str] = Field(
        ["answer is", "answer:", "correct option is", "correct choice is"],
        description="Phrases before the final letter or text.",
    )


class Instructions(Strict):
    """Verifiable instructions of IFEval and ruIFEval: correct if all are followed in the strict sense."""

    verifier: Literal["instructions"]
    language: Literal["en", "ru"] = Field(
        "en", description="Language of the prompts: how words, sentences and fixed answers are read."
    )


class NoVerifier(Strict):
    """Nothing is judged: every trace is `unverified`."""

    verifier: Literal["none"]
