"""Which questions of a set are the same: by identity, and by likeness of their texts. Earlier ones win."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rapidfuzz import fuzz, process
from rensa import RMinHash, RMinHashLSH

from ..common.rows import normalise_problem

ALL_PAIRS = 2000
"""Up to this many questions every pair is compared; above, MinHash proposes the pairs."""

PERMUTATIONS = 256
SHINGLE = 3
"""Characters of a shingle."""

RECALL = 0.999
"""Least chance that a pair at the threshold is proposed."""


def compared_text(question: dict[str, Any]) -> str:
    """What likeness is measured on: the normalised problem, and the options, which belong to the question."""
    options = sorted(normalise_problem(choice) for choice in question["choices"] or [])
    return "\n".join([normalise_problem(question["problem"]), *options])


def exact_duplicates(questions: list[dict[str, Any]]) -> dict[int, int]:
    """Place of each question whose id an earlier one has -> place of that earlier one."""
    first: dict[str, int] = {}
    found = {}
    for place, question in enumerate(questions):
        earlier = first.setdefault(question["question_id"], place)
        if earlier != place:
            found[place] = earlier
    return found


def near_duplicates(
    texts: list[str], similarity: float, all_pairs: int = ALL_PAIRS, step: Callable[[], None] = lambda: None
) -> dict[int, int]:
    """Place of each text that is like an earlier kept one -> place of the kept one that it is most like.

    Args:
        texts: compared_text of the questions, in order of precedence.
        similarity: least normalised Indel ratio (rapidfuzz `fuzz.ratio`), percent, of texts that count as one.
        all_pairs: compare every pair up to this many texts.
        step: called after each text (progress, deadline).

    A text is compared with kept ones only, so a chain of small changes does not empty the set.
    """
    rows = None if len(texts) <= all_pairs else rows_of_band(similarity)
    kept: Kept = Kept() if rows is None else ProposedKept(rows)
    found = {}
    for place, text in enumerate(texts):
        like = kept.closest(text, similarity)
        if like is None:
            kept.add(place, text)
        else:
            found[place] = like
        step()
    return found


class Kept:
    """Kept texts, all of them compared with."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._texts: list[str] = []

    def add(self, place: int, text: str) -> None:
        """Keep a text."""
        self._places.append(place)
        self._texts.append(text)

    def candidates(self, text: str) -> Sequence[int]:
        """Positions in the kept lists of the texts to compare with."""
        return range(len(self._texts))

    def closest(self, text: str, similarity: float) -> int | None:
        """Place of the candidate most like `text`, at least `similarity` percent; the earliest of equals."""
        chosen = self.candidates(text)
        texts = self._texts if len(chosen) == len(self._texts) else [self._texts[number] for number in chosen]
        best = process.extractOne(text, texts, scorer=fuzz.ratio, score_cutoff=similarity)
        return None if best is None else self._places[chosen[best[2]]]


class ProposedKept(Kept):
    """Kept texts, of which MinHash proposes those to compare with."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        # rensa's threshold serves its own verdicts on likeness; a query proposes whatever shares a band.
        self._index = RMinHashLSH(0.0, PERMUTATIONS, PERMUTATIONS // rows)
        self._last: tuple[str, RMinHash] = ("", RMinHash(PERMUTATIONS, 0))

    def _signature(self, text: str) -> RMinHash:
        if self._last[0] != text:
            signature = RMinHash(PERMUTATIONS, 0)
            signature.update(
                sorted({text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))})
            )
            self._last = (text, signature)
        return self._last[1]

    def add(self, place: int, text: str) -> None:
        """Keep a text."""
        self._index.insert(len(self._texts), self._signature(text))
        super().add(place, text)

    def candidates(self, text: str) -> Sequence[int]:
        """Positions of the kept texts that share a band of the MinHash signature."""
        return sorted(self._index.query(self._signature(text)))


def rows_of_band(similarity: float) -> int | None:
    """Rows of an LSH band: the most with which a pair at the threshold is proposed with chance RECALL.

    The worst case at ratio s of a text of n characters is x = 2 (1 - s) / s characters inserted, as a share of n and apart from
    one another: each breaks SHINGLE - 1 shingles and makes SHINGLE new ones, so the Jaccard likeness
    is at least (1 - 2 x) / (1 + 3 x) for shingles of 3. None where that promises too little: compare all pairs.
    """
    inserted = 2 * (1 - similarity / 100) / (similarity / 100)
    jaccard = (1 - (SHINGLE - 1) * inserted) / (1 + SHINGLE * inserted)
    if jaccard <= 0:
        return None
    fitting = [rows for rows in (2, 4, 8, 16, 32) if 1 - (1 - jaccard**rows) ** (PERMUTATIONS // rows) >= RECALL]
    return max(fitting, default=None)
