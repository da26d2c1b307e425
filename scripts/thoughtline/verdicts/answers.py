r"""How a final answer is found in a response: one way for every model and every verifier that reads answers.

The recipe's `extraction` chooses; the first of these that finds something wins:

boxed: what is inside the last `\boxed{...}` (or `\fbox{...}`) whose braces balance.
phrases: what follows the last of the phrases (any case) on its line, without markdown, a colon in front or final
    punctuation. It ends at a full stop that follows a number or a bracket: "is 42. So ..." gives 42. A phrase that is denied
    ("I don't think the answer is 42") or only supposed ("if the answer is 42") does not count.
last_number: the last number; thousands separators, decimals, a fraction bar and a minus sign belong to it.
last_line: the last line that is not empty, without markdown and final punctuation.
"""

from __future__ import annotations

import re
from typing import Any

from .verdict import Verdict, no_answer, ruled_out

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_SENTENCE_END = re.compile(r"(?<=[\d$})\]])[.;!]\s+(?=[A-Z(*])")
_NUMBER = re.compile(r"(?:(?<![\w.)\]}])[-−])?\d+(?:,\d{3})*(?!\d)(?:\.\d+)?(?:\s?/\s?\d+(?:\.\d+)?)?")
_MARKDOWN_START = re.compile(r"^(?:\s*(?:[#>]+|[-*+](?=\s)))?[\s*_`:=]*")
_MARKDOWN_END = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "*_`.,;:!?"
_BRACES = re.compile(r"\\.|[{}]", re.S)
_TO_PHRASE = r"(?:\s+(?:that|the|my|our|correct|right|best|final))*\s*$"
_DENIED = re.compile(
    r"(?:(?:n['’]t|\b(?:not|never|cannot))\s+(?:think|believe|say|said|mean|agree|feel|claim|conclude|sure|certain|convinced|clear|true)"
    r"|\b(?:doubt|unlikely|impossible|false))" + _TO_PHRASE,
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"(?:\b(?:if|whether|unless|suppos(?:e|ing))|(?<!\bI )\bassum(?:e|ing))" + _TO_PHRASE, re.IGNORECASE
)
BEFORE = 100
"""Characters in front of a phrase in which its denial is looked for."""


def last_boxed(text: str) -> str | None:
    r"""The content of the last balanced \boxed{...} that is not empty; None without one. Escaped braces do not count."""
    boxes = [match.end() for match in _BOX.finditer(text)]
    if not boxes:
        return None
    opened: list[int] = []
    closed: dict[int, int] = {}
    for match in _BRACES.finditer(text, boxes[0] - 1):  # one pass: thousands of open boxes must not take their square
        if match[0] == "{":
            opened.append(match.end())
        elif match[0] == "}" and opened:
            closed[opened.pop()] = match.start()
    return next(
        (content for box in reversed(boxes) if box in closed and (content := text[box : closed[box]].strip())), None
    )


def trimmed(text: str) -> str:
    """`text` without markdown around it, a leading colon, and final punctuation."""
    return _MARKDOWN_START.sub("", text).rstrip(_MARKDOWN_END).strip()


def phrase_spans(text: str, phrases: list[str]) -> list[tuple[int, int]]:
    """Where the phrases stand in `text`, in order; case and the width of blanks do not matter."""
    if not phrases:
        return []
    words = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in sorted(phrases, key=len, reverse=True))
    return [match.span() for match in re.finditer(words, text, re.IGNORECASE)]


def denied(text: str, start: int) -> bool:
    """Whether the phrase at `start` says what the answer is not: "I don't think the answer is ..."."""
    return _DENIED.search(_before(text, start)) is not None


def supposed(text: str, start: int) -> bool:
    """Whether the phrase at `start` only supposes: "if the answer is ..."."""
    return _SUPPOSED.search(_before(text, start)) is not None


def _before(text: str, start: int) -> str:
    return text[max(0, start - BEFORE) : start].rpartition("\n")[2]


def after_phrase(text: str, phrases: list[str]) -> str | None:
    """What follows the last phrase that counts on its line; None when there is no phrase or nothing follows."""
    for start, end in reversed(phrase_spans(text, phrases)):
        if not denied(text, start) and not supposed(text, start):
            stop = text.find("\n", end)
            line = text[end:] if stop < 0 else text[end:stop]
            return trimmed(_SENTENCE_END.split(line, maxsplit=1)[0]) or None
    return None


def last_number(text: str) -> str | None:
    """The last number of `text`, as it stands there."""
    found = _NUMBER.findall(text)
    return found[-1] if found else None


def last_line(text: str) -> str | None:
    """The last line that is not empty once markdown is taken off."""
    return next((line for line in map(trimmed, reversed(text.splitlines())) if line), None)


def extract(response: str, extraction: dict[str, Any]) -> str | None:
    """The final answer of `response`; None when none of the chosen ways finds one.

    Args:
        extraction: {"boxed": bool, "phrases": list of str, "last_number": bool, "last_line": bool}.
    """
    found = last_boxed(response) if extraction["boxed"] else None
    if found is None:
        found = after_phrase(response, extraction["phrases"])
    if found is None and extraction["last_number"]:
        found = last_number(response)
    if found is None and extraction["last_line"]:
        found = last_line(response)
    return found


def answer_of(question: dict[str, Any], trace: dict[str, Any], extraction: dict[str, Any]) -> str | Verdict:
    """The final answer of a trace whose question has a reference `answer`; else the verdict by the shared rules."""
    ruled = ruled_out(question, trace, "answer", "no_reference")
    if ruled:
        return ruled
    answer = extract(trace["response"], extraction)
    return no_answer(trace) if answer is None else answer
