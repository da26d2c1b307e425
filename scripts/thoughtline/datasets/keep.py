"""Which traces of a question are kept: the recipe's `keep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..common.canonical import sha256_text
from .candidates import Candidate, Drop

Split = tuple[list[Candidate], list[Drop]]
"""What goes on, and what does not."""


def shuffled(seed: int, identity: str) -> str:
    """The place of something in a seeded random order that does not depend on what else there is."""
    return sha256_text(f"{seed}/{identity}")


def unfit(candidate: Candidate) -> str | None:
    """Why a trace can never be trained on, whatever its verdict; None when it can."""
    if candidate.status != "finished":
        return candidate.status
    return None if candidate.has_response else "no_response"


def rejected(candidate: Candidate, keep: str, keep_unverified: bool) -> str | None:
    """Why the verdict speaks against a trace under the keep rule; None when it does not."""
    if "correct" not in keep or candidate.verdict == "correct":
        return None
    if candidate.verdict == "unverified" and keep_unverified:
        return None
    return "verifier_error" if candidate.verdict == "error" else candidate.verdict


def choose(
    candidates: Sequence[Candidate],
    keep: str,
    seed: int,
    rows: Mapping[str, int] | None = None,
    per_question: int | None = None,
) -> Split:
    """Choose among the remaining traces of each question.

    `first` and `first_correct` take the lowest sample number, `shortest` and `shortest_correct` the fewest tokens, `random` and
    `random_correct` the first in a seeded order of hashes, `all` and `correct` take everything. With `rows` (question -> number of
    rows) or `per_question` that number of traces is taken instead of one or all, in the same order; `all` and `correct` then take
    them in seeded order.
    """
    by_question: dict[str, list[Candidate]] = {}
    for each in candidates:
        by_question.setdefault(each.question_id, []).append(each)
    in_order = keep in ("first", "first_correct")
    everything = keep in ("all", "correct") and rows is None and per_question is None
    reason = "not_first" if in_order else "not_chosen"
    kept: list[Candidate] = []
    dropped: list[Drop] = []
    for question, traces in by_question.items():
        if in_order:
            traces.sort(key=lambda each: (each.sample, each.trace_id))
        elif keep.startswith("shortest"):
            traces.sort(key=lambda each: (each.written or 0, each.sample, each.trace_id))
        else:
            traces.sort(key=lambda each: shuffled(seed, each.trace_id))
        limit = len(traces) if everything else (per_question or 1) if rows is None else rows.get(question, 0)
        kept += traces[:limit]
        dropped += [Drop(each, reason) for each in traces[limit:]]
    return kept, dropped
