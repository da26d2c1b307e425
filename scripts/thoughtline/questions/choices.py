"""Multiple choice: which option is right, and in which order the options stand.

Data sets name the right option by its text, label, letter or index. A source uses one convention throughout, and
a single row cannot always tell which (with the options 3, 4, 5, 6, is `3` a text or an index?), so the
convention is found from all rows of a source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..common.canonical import digest
from ..common.names import MULTIPLE_CHOICE_LETTERS
from ..common.rows import normalise_problem
from .values import plain, text_of

CONVENTIONS = ("text", "label", "letter", "index", "number")
"""How an answer names its option; `index` counts from 0, `number` from 1."""

_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_POSITION = re.compile(
    r"\b(all|none|any|both|either|neither|some|each)( of)?( the)? (above|preceding|previous|following)\b"
    r"|\b(both|either|neither|only|options?|answers?) \(?[a-j]\)? (and|or|nor|&) \(?[a-j]\b"
    r"|^\(?[a-j]\)?,? (and|or|nor|&) \(?[a-j]\)?\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Options:
    """Options of one question: their texts, and their labels in the source where it gives some."""

    texts: list[str]
    labels: list[str] | None = None


def options_of(value: Any) -> Options | None:
    """Options from a list of texts, or from {text: [...], label: [...]} (ARC, riddle_sense); None when there are none.

    Raises:
        ValueError: it is neither, an option is empty, or their number is not 2 to 10.
    """
    value = plain(value)
    if value is None or value == []:
        return None
    labels = None
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        labels = value.get("label")
        value = value["text"]
    if not isinstance(value, list):
        raise ValueError("is no list of options")
    texts = [text_of(each) for each in value]
    if not 2 <= len(texts) <= len(MULTIPLE_CHOICE_LETTERS) or None in texts:
        raise ValueError(f"needs 2 to {len(MULTIPLE_CHOICE_LETTERS)} options, none empty")
    if labels is not None:
        labels = [text_of(each) or "" for each in labels]
        if len(labels) != len(texts):
            raise ValueError("has another number of labels than of options")
    return Options([str(text) for text in texts], labels)


def resolve(answer: Any, options: Options, convention: str) -> int | None:
    """Position of the option that `answer` names under a convention; None when it names none, or several unlike ones."""
    text = text_of(answer)
    if text is None:
        return None
    if convention == "text":
        if text in options.texts:
            return options.texts.index(text)
        same = [
            place for place, option in enumerate(options.texts) if normalise_problem(option) == normalise_problem(text)
        ]
        return same[0] if len(same) == 1 else None
    if convention == "label":
        labels = options.labels or []
        return labels.index(text) if labels.count(text) == 1 else None
    if convention == "letter":
        found = _LETTER.fullmatch(text)
        place = ord(found[1].upper()) - ord("A") if found else -1
    else:
        integral = isinstance(answer, float) and answer.is_integer()
        digits = str(int(answer)) if integral else text
        place = int(digits) - (convention == "number") if re.fullmatch(r"[0-9]{1,2}", digits) else -1
    return place if 0 <= place < len(options.texts) else None


def convention_of(pairs: Iterable[tuple[Any, Options]]) -> str | None:
    """The convention under which most answers of a source name an option (the earlier in CONVENTIONS among equals);
    None when none names any.
    """
    found = dict.fromkeys(CONVENTIONS, 0)
    for answer, options in pairs:
        for convention in CONVENTIONS:
            found[convention] += resolve(answer, options, convention) is not None
    best = max(CONVENTIONS, key=lambda each: found[each])
    return best if found[best] else None


def canonical_order(texts: list[str]) -> list[str]:
    """Options in the order that a question's identity is made of, whatever their order in the source."""
    return sorted(texts, key=lambda text: (normalise_problem(text), text))


def shuffled(texts: list[str], question: str) -> list[str]:
    """Options in the order in which they are shown: by a hash of question id and option.

    So the letters of right answers are uniform over questions, and every run shows a question alike. Options that speak of
    their position ("all of the above", "both A and C") make sense in the source's order only and keep it.
    """
    if any(_POSITION.search(text) for text in texts):
        return texts
    return sorted(texts, key=lambda text: (digest([question, text]), text))
