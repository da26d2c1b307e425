"""Which questions of a set are the same: by identity, and by likeness of their texts. Earlier ones win."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common import near_duplicates as near
from ..common.rows import normalise_problem

ALL_PAIRS = 2000
"""Up to this many questions every pair is compared; above, MinHash proposes the pairs."""

PERMUTATIONS = 256


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
    """
    by_place = {f"{place:012d}": text for place, text in enumerate(texts)}
    found = near.near_duplicates(by_place, similarity, PERMUTATIONS, all_pairs, step)
    return {int(place): int(like) for place, like in found.items()}
