"""A run's own scores beside published ones: reproduced, not distinguishable, or different.

A published score is a mean over questions too, and its questions are a sample as well as ours. Its outcomes by question are not
known, so the two are taken as independent, and it gets Wilson's interval at its number of questions, however many runs it is the
mean of. Both choices make the interval of the difference too wide rather than too short, for the questions are the same, and
runs of one question are not quite one run: whoever finds a difference here has found one. The interval of the difference is
MOVER's (Zou and Donner 2008, Statistics in Medicine 27:1693): distances to the limits add in squares.

- reproduced: the whole interval is within the recipe's margin. That is an equivalence test at 2.5 % on either side; it takes
  hundreds of questions, and no score of thirty can be reproduced in this sense.
- different: the interval does not hold 0.
- not distinguishable: anything else.

A published majority vote (cons@k) is held against the run's own vote of as many answers, and against nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..recipe.schema.evaluation import PublishedScore
from ..scores.statistics import Z, wilson
from .collect import Results

VOTE = "majority vote"
"""Metric of a published majority vote; of all other scores it is "accuracy"."""


def compared(own: dict[str, Any], published: PublishedScore, margin: float) -> dict[str, Any]:
    """The difference own - published, shares of 1, with its 95 % interval and the word for it.

    Args:
        own: {"mean", "low", "high", "questions"} of the run's score.
        published: the other one, in percent.
        margin: in percentage points.
    """
    theirs = published.score / 100
    low, high = wilson(theirs, Z * Z / (published.questions or own["questions"]))
    mean = own["mean"] - theirs
    below = mean - math.hypot(own["mean"] - own["low"], high - theirs)
    above = mean + math.hypot(own["high"] - own["mean"], theirs - low)
    word = "not distinguishable"
    if max(abs(below), abs(above)) <= margin / 100:
        word = "reproduced"
    elif below > 0 or above < 0:
        word = "different"
    return {
        "published": theirs,
        "published_low": low,
        "published_high": high,
        "difference": mean,
        "difference_low": below,
        "difference_high": above,
        "conclusion": word,
    }


def _vote(cell: dict[str, Any], runs: int) -> dict[str, Any] | None:
    """The run's own majority vote of so many answers, as `compared` wants it; None where it has none."""
    vote = cell["majority_vote"]
    if vote is None or vote["k"] != runs:
        return None
    low, high = vote["interval"]
    return {"mean": vote["mean"], "low": low, "high": high, "questions": cell["questions"], "samples": runs}


def _metrics(
    published: PublishedScore, cell: dict[str, Any] | None
) -> Iterator[tuple[str, PublishedScore, dict[str, Any] | None]]:
    """What was published of a model on a benchmark: metric, score, and the run's own score in the same metric."""
    yield "accuracy", published, cell
    if published.majority_vote is not None:
        vote = published.model_copy(update={"score": published.majority_vote})
        yield VOTE, vote, _vote(cell, published.runs) if cell else None


def published_rows(results: Results, scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a published score of a model that is evaluated, in the recipe's order: model, benchmark, metric, runs, source, own score and the comparison.

    Args:
        scores: scoreboard.score_rows(). Where a score is not there yet, `mean`, the difference and the conclusion are None.
    """
    recipe = results.recipe
    if recipe.published is None:
        return []
    cells = {row["name"]: row["cells"] for row in scores}
    nothing = dict.fromkeys(("published_low", "published_high", "difference", "difference_low", "difference_high"))
    found = []
    for model, by_benchmark in recipe.published.scores.items():
        if model not in cells:
            continue
        for benchmark, published in by_benchmark.items():
            cell = cells[model].get(benchmark)
            for metric, score, own in _metrics(published, cell):
                row = {"model": model, "benchmark": benchmark, "metric": metric, "published_runs": score.runs}
                row |= {"source": score.source, "published": score.score / 100, "scored": cell is not None}
                row |= {key: own[key] if own else None for key in ("mean", "low", "high", "questions", "samples")}
                comparison = compared(own, score, recipe.published.margin) if own else nothing | {"conclusion": None}
                found.append(row | comparison)
    return found


def summary(rows: list[dict[str, Any]]) -> str:
    """How many scores ended how: "3 of 8 scores are there: 1 reproduced, 2 not distinguishable, 0 different"."""
    words = [row["conclusion"] for row in rows if row["conclusion"]]
    counts = ", ".join(f"{words.count(word)} {word}" for word in ("reproduced", "not distinguishable", "different"))
    return f"{len(words)} of {len(rows)} published scores have one of this run beside them: {counts}."
