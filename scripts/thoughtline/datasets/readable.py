"""Whether a person could read a chain of thought: languages that mix, paragraphs without end, code among the thoughts.

DeepSeek-R1's rejection sampling dropped such chains (arXiv:2501.12948, section 2.3.3); how it measured them was not published, so the
limits are the recipe's.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

FENCE = re.compile(r"^[ \t]*(```|~~~)", re.M)
SHARED = "GREEK"
"""Mathematics in any language uses these letters."""


@functools.cache
def script_of(letter: str) -> str:
    """The script of a letter, by the first word of its Unicode name; Chinese characters and kana count as one.

    >>> script_of("a"), script_of("\u0434"), script_of("\u6570"), script_of("\u304b")
    ('LATIN', 'CYRILLIC', 'CJK', 'CJK')
    """
    word = unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
    return "CJK" if word in ("HIRAGANA", "KATAKANA") else word


def scripts(text: str) -> Counter[str]:
    """How many letters of each script a text has; Greek ones are left out."""
    # Mathematical letters are Latin ones once they are normalised.
    letters = Counter(each for each in unicodedata.normalize("NFKC", text) if each.isalpha())
    found: Counter[str] = Counter()
    for letter, number in letters.items():
        found[script_of(letter)] += number
    del found[SHARED]
    return found


def other_scripts(text: str, problem: str) -> float:
    """Share of a text's letters that are of another script than most of the problem's; 0 where either has no letters."""
    found, own = scripts(text), scripts(problem)
    if not found or not own:
        return 0.0
    main = min(own, key=lambda name: (-own[name], name))
    return 1 - found[main] / found.total()


def unreadable(text: str, problem: str, rule: Mapping[str, Any]) -> str | None:
    """Why a chain of thought is not fit to read: mixed_language, long_paragraph or code_block; None when it is.

    Args:
        text: the thinking.
        problem: what was asked.
        rule: the recipe's `readable`: other_scripts, paragraph (characters), code_blocks.
    """
    if rule["other_scripts"] is not None and other_scripts(text, problem) > rule["other_scripts"]:
        return "mixed_language"
    if rule["paragraph"] is not None and any(len(each) > rule["paragraph"] for each in re.split(r"\n\s*\n", text)):
        return "long_paragraph"
    return "code_block" if not rule["code_blocks"] and FENCE.search(text) else None
