"""Near-duplicate texts: MinHash proposes pairs, the exact ratio decides. Used within question sets and over datasets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from rapidfuzz import fuzz, process
from rensa import RMinHash

from .rows import normalise_problem

SHINGLE = 3
"""Characters a shingle: longer ones set unrelated texts further apart, but one edit destroys more of them."""

RECALL = 0.999
"""Least chance that a pair of the asked similarity is proposed, even when its edits lie as badly as can be."""

HASH_SEED = 42
"""Seed of the hash functions. Another one proposes other pairs below the asked similarity, nothing else."""

CHUNK = 4096
"""Texts whose MinHash digests are held at once."""


def worst_jaccard(similarity: float) -> float:
    """Least Jaccard index of the shingles of two texts with this Indel ratio (percent); 0 or less: nothing is sure.

    The worst that a ratio s allows is x = 2 (1 - s) / s characters inserted for each of the text, far from one another:
    each destroys SHINGLE - 1 shingles and makes SHINGLE new ones.
    """
    inserted = 2 * (100 / similarity - 1)
    return (1 - (SHINGLE - 1) * inserted) / (1 + SHINGLE * inserted)


def rows_per_band(similarity: float, permutations: int) -> int | None:
    """The most rows a band that propose a pair of this similarity with a chance of RECALL: the fewest other pairs.

    None when no number does (a similarity of 80 and less): every pair must be compared.
    """
    jaccard = max(0.0, worst_jaccard(similarity))
    chances = {rows: 1 - (1 - jaccard**rows) ** (permutations // rows) for rows in range(1, permutations + 1)}
    return max((rows for rows, chance in chances.items() if chance >= RECALL), default=None)


def shingles(text: str) -> list[str]:
    """All substrings of SHINGLE characters; a shorter text is its own only one."""
    return [text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))]


class Kept:
    """Texts that were kept, and which of them a new one may be like.

    Args:
        band: rows a band, or None to propose every text.
        permutations: MinHash permutations of a digest.
    """

    def __init__(self, band: int | None, permutations: int) -> None:
        self.texts: dict[str, str] = {}
        self._band = band
        self._starts = range(0, permutations - band + 1, band) if band else range(0)
        self._buckets: defaultdict[int, list[str]] = defaultdict(list)

    def _bands(self, digest: list[int]) -> list[int]:
        # Hashes of tuples of numbers are the same in every process; two bands with one hash propose a pair in vain.
        return [hash((start, *digest[start : start + (self._band or 0)])) for start in self._starts]

    def add(self, key: str, text: str, digest: list[int]) -> None:
        """Keep a text."""
        self.texts[key] = text
        for band in self._bands(digest):
            self._buckets[band].append(key)

    def most_like(self, text: str, digest: list[int], similarity: float) -> str | None:
        """Key of the kept text that is most like `text`, at least `similarity` percent; the first kept of equals."""
        if self._band is None:
            proposed = self.texts
        else:
            keys = {key for band in self._bands(digest) for key in self._buckets.get(band, ())}
            proposed = {key: self.texts[key] for key in sorted(keys)}
        found = process.extractOne(text, proposed, scorer=fuzz.ratio, score_cutoff=similarity)
        return found[2] if found else None


def near_duplicates(
    texts: Mapping[str, str],
    similarity: float,
    permutations: int,
    all_pairs: int = 0,
    step: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """Texts to drop -> the text that stands for each.

    In order of their keys, a text is dropped when its normalised Indel ratio to one that was kept is at least
    `similarity` percent; the most similar stands for it, the lowest key among equals. Texts are compared as questions
    are identified: NFKC, white space and case do not count. Only kept texts are compared with, so a chain of small
    changes does not empty the set.

    Args:
        texts: key -> text.
        similarity: 50 .. 100.
        permutations: MinHash permutations; with more of them fewer pairs are proposed in vain.
        all_pairs: compare every pair up to this many texts.
        step: called after each text (progress, deadline).
    """
    kept = Kept(rows_per_band(similarity, permutations) if len(texts) > all_pairs else None, permutations)
    dropped: dict[str, str] = {}
    keys = sorted(texts)
    for chunk in (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)):
        normal = {key: normalise_problem(texts[key]) for key in chunk}
        tokens = [shingles(text) for text in normal.values()]
        digests = RMinHash.digests_from_token_sets(tokens, permutations, HASH_SEED)
        for (key, text), digest in zip(normal.items(), digests, strict=True):
            like = kept.most_like(text, digest, similarity)
            if like is None:
                kept.add(key, text, digest)
            else:
                dropped[key] = like
            step()
    return dropped
