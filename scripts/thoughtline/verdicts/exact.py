"""Exact match: the final answer equals the reference, after normalisation.

Both sides: Unicode NFKC, blanks as one space, ends trimmed, a wrapper that covers all of it taken off
(markdown emphasis, back-ticks, quotes, $...$, LaTeX text commands). `ignore_punctuation`: final punctuation and
surrounding quotes do not count. `ignore_case`: case does not count. The verdict's `answer` is the normalised one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from .answers import answer_of
from .verdict import Closing, Verdict, fingerprint_of

_WRAPPED = re.compile(
    r"(?P<mark>\*{1,3}|_{1,3}|`{1,3}|\${1,2})(?P<marked>.+)(?P=mark)|\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|tt)|emph|mbox)\s*\{(?P<latex>[^{}]*)\}"
)
WRAPPERS = 20
"""So many wrappers, one in another, are taken off."""
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“"}


def normalised(text: str, ignore_case: bool, ignore_punctuation: bool) -> str:
    """The text that is compared."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip()
    for _ in range(WRAPPERS):
        before = text
        if match := _WRAPPED.fullmatch(text):
            text = (match["marked"] if match["marked"] is not None else match["latex"]).strip()
        if ignore_punctuation:
            text = text.rstrip(".,;:!?").rstrip()
            if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
                text = text[1:-1].strip()
        if text == before:
            break
    return text.casefold() if ignore_case else text


class ExactVerifier(Closing):
    """The `exact` verifier; `settings["verifier"]`: extraction, ignore_case, ignore_punctuation."""

    name = "exact"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        self._settings = settings["verifier"]
        self.fingerprint = fingerprint_of(settings, {})

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row."""
        answer = answer_of(question, trace, self._settings["extraction"])
        if isinstance(answer, Verdict):
            return answer
        how = (self._settings["ignore_case"], self._settings["ignore_punctuation"])
        got, expected = normalised(answer, *how), normalised(question["answer"], *how)
        same = got == expected
        evidence = {"extracted": answer, "reference": expected}
        return Verdict("correct" if same else "incorrect", "" if same else "wrong_answer", got, evidence)


create = ExactVerifier
