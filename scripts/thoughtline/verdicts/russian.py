"""Russian words without their endings, as the reference implementation of ruIFEval compares them.

Lemmas are those of pymorphy3 (https://github.com/no-plagiarism/pymorphy3), the kept-up successor of the reference's
pymorphy2, with the same dictionary; of several readings the likeliest counts. Words in other letters are left alone.
"""

from __future__ import annotations

import functools
import re
import threading

LIBRARIES = ("pymorphy3", "pymorphy3-dicts-ru")

_WORD = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile(r"[а-яё]+(?:-[а-яё]+)*", re.IGNORECASE)
LONGEST_WORD = 60
"""Letters; longer runs are no words and are compared as they stand."""

_lock = threading.Lock()


@functools.cache
def _analyser():  # type: ignore[no-untyped-def]  # pymorphy3 has no types
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


@functools.lru_cache(maxsize=50_000)
def lemma(word: str) -> str:
    """The dictionary form of a word, lower case, е for ё."""
    found = word.lower()
    if len(word) <= LONGEST_WORD and _CYRILLIC.fullmatch(word):
        with _lock:
            found = _analyser().normal_forms(found)[0]
    return found.replace("ё", "е")


def lemmas(text: str) -> str:
    """The words of `text` as lemmas with one blank between; punctuation is left out."""
    return " ".join(lemma(word) for word in _WORD.findall(text))
