r"""Instruction following: verifiable instructions of IFEval and ruIFEval, checked by programs (checks.py).

The question's `tests` hold {"instructions": [{"id": "punctuation:no_comma", "kwargs": {}}, ...]}. `correct` means that
every instruction is followed in the strict sense (prompt-level strict accuracy). Measures:

prompt_loose        1 if every instruction is followed in the loose sense
instruction_strict  instructions followed in the strict sense, of all
instruction_loose   the same in the loose sense

Loose (Zhou et al. 2023, arXiv:2311.07911, section 3): the response follows an instruction if it does so as it stands or
without its first line, its last line, both, and each of these without asterisks.
"""

from __future__ import annotations

import json
from typing import Any

from ..common.errors import UserError
from .checks import check_arguments, follows
from .language import LIBRARIES as LANGUAGE_LIBRARIES
from .russian import LIBRARIES as RUSSIAN_LIBRARIES
from .verdict import Closing, Verdict, fingerprint_of, ruled_out, versions_of

Instruction = tuple[str, dict[str, Any]]


def instructions_of(question: dict[str, Any]) -> list[Instruction]:
    """(id, arguments) of each instruction of a question; empty when it has no `tests`.

    Raises:
        UserError: `tests` hold something else, or arguments that an instruction cannot have.
    """
    if not question.get("tests"):
        return []
    where = f"question {question.get('question_id')}: tests"
    try:
        found = [(each["id"], each["kwargs"]) for each in json.loads(question["tests"])["instructions"]]
        for name, arguments in found:
            check_arguments(name, arguments)
    except (ValueError, LookupError, TypeError) as error:
        right = '{"instructions": [{"id": "punctuation:no_comma", "kwargs": {}}, ...]}'
        raise UserError(where, f"cannot be read ({type(error).__name__}: {error})", right) from None
    return found


def loose_variants(response: str) -> list[str]:
    """The response and its seven relaxed forms, in the order in which they are tried."""
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    plain = [response, *cut]
    return [plain[0], plain[0].replace("*", ""), *plain[1:], *(each.replace("*", "") for each in plain[1:])]


class InstructionsVerifier(Closing):
    """The `instructions` verifier; `settings["verifier"]`: language."""

    name = "instructions"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        self._language = settings["verifier"]["language"]
        libraries = (*LANGUAGE_LIBRARIES, *(RUSSIAN_LIBRARIES if self._language == "ru" else ()))
        self.fingerprint = fingerprint_of(settings, versions_of(libraries))

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row."""
        instructions = instructions_of(question)
        ruled = ruled_out({"tests": instructions or None}, trace, "tests", "no_instructions")
        if ruled is not None and ruled.status == "unverified":
            return ruled
        response = "" if ruled else trace["response"]
        strict = [follows(name, arguments, response, self._language) for name, arguments in instructions]
        loose = list(strict)
        if not all(strict):
            variants = loose_variants(response)[1:]
            loose = [
                done or any(follows(name, arguments, each, self._language) for each in variants)
                for done, (name, arguments) in zip(strict, instructions, strict=True)
            ]
        number = len(instructions)
        measures = {
            "prompt_loose": (int(all(loose)), 1),
            "instruction_strict": (sum(strict), number),
            "instruction_loose": (sum(loose), number),
        }
        names = [name for name, _ in instructions]
        evidence = {
            "not_followed": [name for name, done in zip(names, strict, strict=True) if not done],
            "not_followed_loosely": [name for name, done in zip(names, loose, strict=True) if not done],
        }
        if all(strict):
            return Verdict("correct", "", None, evidence, measures)
        reason = ruled.reason if ruled else "instruction_not_followed"
        return Verdict("incorrect", reason, None, evidence, measures)


create = InstructionsVerifier
