r"""How a final answer is found in a response: one way for every model and every verifier that reads answers.

The recipe's `extraction` chooses; the first of these that finds something wins:

boxed: what is inside the last `\boxed{...}` (or `\fbox{...}`) whose braces balance.
phrases: what follows the last of the phrases (any case) on its line, without markdown, a colon in front or final
    punctuation. It ends at a full stop that follows a number or a bracket: "is 42. So ..." gives 42.
last_number: the last number; thousands separators, decimals, a fraction bar and a minus sign belong to it.
last_line: the last line that is not empty, without markdown and final punctuation.
"""

from __future__ import annotations

import re
from typing import Any

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_SENTENCE_END = re.compile(r"(?<=[\d$})\]])[.;!]\s+(?=[A-Z(*])")
_NUMBER = re.compile(r"(?:(?<![\w.)\]}])[-−])?\d+(?:,\d{3})*(?!\d)(?:\.\d+)?(?:\s?/\s?\d+(?:\.\d+)?)?")
_MARKDOWN_START = re.compile(r"^(?:\s*(?:[#>]+|[-*+](?=\s)))?[\s*_`:=]*")
_MARKDOWN_END = re.compile(r"[\s*_`.,;:!?]+$")


def last_boxed(text: str) -> str | None:
    r"""The content of the last balanced \boxed{...} that is not empty; None without one. Escaped braces do not count."""
    for match in reversed(list(_BOX.finditer(text))):
        depth, position = 1, match.end()
        while position < len(text) and depth:
            character = text[position]
            if character == "\\":
                position += 1
            elif character == "{":
                depth += 1
            elif character == "}":
                depth -= 1
            position += 1
        if not depth and (content := text[match.end() : position - 1].strip()):
            return content
    return None


def trimmed(text: str) -> str:
    """`text` without markdown around it, a leading colon, and final punctuation."""
    text = _MARKDOWN_START.sub("", text)
    return _MARKDOWN_END.sub("", text).strip()


def phrase_ends(text: str, phrases: list[str]) -> list[int]:
    """Where the phrases end in `text`, in order; case and the width of blanks do not matter."""
    if not phrases:
        return []
    words = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in sorted(phrases, key=len, reverse=True))
    return [match.end() for match in re.finditer(words, text, re.IGNORECASE)]


def after_phrase(text: str, phrases: list[str]) -> str | None:
    """What follows the last phrase on its line; None when there is no phrase or nothing follows."""
    for end in reversed(phrase_ends(text, phrases)):
        line = text[end:].partition("\n")[0]
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
