"""Training rows that share text with a benchmark.

A row is contaminated when it holds a benchmark item, wherever it stands in the row: the share of the item's word
n-grams that occur in the row is compared with the recipe's `containment`. Overlap of whole texts, such as a ratio of
95, misses an item behind a preamble, and any single shared n-gram flags set phrases. Items are known by id, never by
their place in a list, so a row without text shifts nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from ..common.rows import normalise_problem

TEMPLATE_ITEMS = 3
"""An n-gram that stands in this many items of one benchmark is its template ("Find the remainder when ... is divided
by 1000", the rules of a puzzle): it says nothing about which item it is, and is not counted. An item that consists of
nothing else is compared whole."""

WORD = re.compile(r"\w+")

Grams = tuple[int, ...]


@dataclass(frozen=True)
class Hit:
    """Which benchmark item a row holds, and how it was found."""

    benchmark: str
    item: str
    found: str

    def __str__(self) -> str:
        return f"{self.benchmark}/{self.item}: {self.found}"


def words(text: str | None) -> list[str]:
    """Runs of letters, digits and underscores, NFKC, lower case: punctuation and LaTeX's braces do not count."""
    return WORD.findall(unicodedata.normalize("NFKC", text or "").lower())


def _windows(sequence: Sequence[int], length: int) -> Iterator[Grams]:
    return zip(*(sequence[start:] for start in range(length)), strict=False)


class Benchmarks:
    """An index of benchmark items.

    Args:
        items: (benchmark, item id) -> text; None and empty texts match nothing.
        ngram: words an n-gram; None: no n-grams are compared, the ratio alone. Items with fewer words are found when the row holds all their words in a row.
        containment: share of an item's n-grams, 0 < share <= 1, from which a row is contaminated.
        similarity: also contaminated from this normalised Indel ratio of the whole texts, percent; None: not compared.
    """

    def __init__(
        self,
        items: Mapping[tuple[str, str], str | None],
        ngram: int | None,
        containment: float,
        similarity: float | None,
    ) -> None:
        self._containment, self._similarity = containment, similarity
        self._texts = {key: text for key, raw in sorted(items.items()) if (text := normalise_problem(raw or ""))}
        self._by_text = {text: key for key, text in reversed(self._texts.items())}
        # Numbers for words: n-grams are tuples of these, compared exactly and hashed the same in every process.
        self._vocabulary: dict[str, int] = {}
        sequences = {
            key: tuple(self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text))
            for key, text in (self._texts.items() if ngram else ())
        }
        self._sizes: dict[tuple[str, str], int] = {}
        self._index: defaultdict[int, dict[Grams, list[tuple[str, str]]]] = defaultdict(dict)
        grams = {key: set(_windows(sequence, ngram or 1)) for key, sequence in sequences.items()}
        uses = Counter((key[0], gram) for key, found in grams.items() for gram in found)
        for key, sequence in sequences.items():
            telling = {gram for gram in grams[key] if uses[key[0], gram] < TEMPLATE_ITEMS}
            self._add(key, telling or ({sequence} if sequence else set()))

    def _add(self, key: tuple[str, str], grams: set[Grams]) -> None:
        self._sizes[key] = len(grams)
        for gram in grams:
            self._index[len(gram)].setdefault(gram, []).append(key)

    def find(self, text: str) -> Hit | None:
        """The benchmark item that `text` holds most of; None when it is clean."""
        normal = normalise_problem(text)
        if normal in self._by_text:
            return Hit(*self._by_text[normal], "the same text")
        sequence = [self._vocabulary.get(word, -1) for word in words(normal)]
        counts: Counter[tuple[str, str]] = Counter()
        for length, grams in self._index.items():
            for gram in set(_windows(sequence, length)) & grams.keys():
                counts.update(grams[gram])
        shares = [(count / self._sizes[key], key) for key, count in counts.items()]
        share, key = min(shares, key=lambda found: (-found[0], found[1]), default=(0.0, ("", "")))
        if share >= self._containment:
            return Hit(*key, f"{100 * share:.0f} % of its n-grams")
        if self._similarity is not None:
            match = process.extractOne(normal, self._texts, scorer=fuzz.ratio, score_cutoff=self._similarity)
            if match:
                return Hit(*match[2], f"ratio {match[1]:.1f}")
        return None
