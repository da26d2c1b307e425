"""The difference between two models on the same questions, paired by question.

Pairing takes out what both models share, the difficulty of the questions, and so needs far fewer of them than two
separate intervals (Miller 2024, arXiv:2411.00640, section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from ..common.errors import UserError
from .statistics import LEVEL, Z, standard_error, student_t

Shares = Mapping[str, float | None]
"""question_id -> share of correct runs; None when no run could be judged."""


def _common(sides: Sequence[Sequence[Shares]]) -> list[str]:
    first, *others = (shares for side in sides for shares in side)
    for other in others:
        alone = first.keys() ^ other.keys()
        if alone:
            raise UserError(
                "compare", f"{len(alone)} questions are only in some of the scores", "score all on the same benchmark"
            )
    found = sorted(
        question for question in first if all(shares[question] is not None for side in sides for shares in side)
    )
    if not found:
        raise UserError("compare", "no question was judged for all", "look at the flags of the scores")
    return found


def _interval(differences: Sequence[float]) -> tuple[float, float, str]:
    count, centre = len(differences), mean(differences)
    error = standard_error(differences)
    if error and any(each not in (-1, 0, 1) for each in differences):
        half, method = student_t(count - 1) * error, "student_t"
    else:
        # One run a side, or no spread to estimate from: two more questions, one won by each side (Bonett and Price
        # 2012, J. Educational and Behavioral Statistics 37:479), keep the interval from collapsing to a point.
        total = count + 2
        centre = sum(differences) / total
        variance = (sum(each * each for each in differences) + 2) / total - centre * centre
        half, method = Z * math.sqrt(variance / total), "bonett_price"
    return max(-1.0, centre - half), min(1.0, centre + half), method


def _spread(side: Sequence[Shares], questions: Sequence[str]) -> dict[str, Any]:
    means = [mean(shares[question] for question in questions) for shares in side]
    return {"means": means, "standard_deviation": stdev(means) if len(means) > 1 else None}


def difference(a: Sequence[Shares], b: Sequence[Shares]) -> dict[str, Any]:
    """b - a, each a model or the trained seeds of one (a list of one or more).

    The runs of all seeds of a side are averaged question by question; `standard_error` and `interval` come from the
    spread of the paired differences over questions and hold for these very seeds. `standard_error_with_seeds` adds
    the variance of each side's mean over its seeds (nothing for a side of one; None when both are): what to use for a
    claim about the training method. It is cautious, since the spread between seeds holds some sampling noise too.

    Returns:
        mean, standard_error (None for one question), interval [low, high], level, method, questions, left_out (questions
        not judged for all), better / equal / worse (questions on which b did better, ...), a and b: {means,
        standard_deviation} over seeds.

    Raises:
        UserError: the scores are of different questions, or no question was judged for all.
    """
    questions = _common((a, b))
    # Rounded, so that 0.1 + 0.2 against 0.3 counts as equal.
    differences = [round(mean(each[name] for each in b) - mean(each[name] for each in a), 12) for name in questions]
    low, high, method = _interval(differences)
    error, spread_a, spread_b = standard_error(differences), _spread(a, questions), _spread(b, questions)
    seeds = sum(
        spread["standard_deviation"] ** 2 / len(side)
        for spread, side in ((spread_a, a), (spread_b, b))
        if spread["standard_deviation"] is not None
    )
    with_seeds = math.sqrt(error**2 + seeds) if error is not None and len(a) + len(b) > 2 else None
    return {
        "mean": mean(differences),
        "standard_error": error,
        "standard_error_with_seeds": with_seeds,
        "interval": [low, high],
        "level": LEVEL,
        "method": method,
        "questions": len(questions),
        "left_out": len(a[0]) - len(questions),
        "better": sum(each > 0 for each in differences),
        "equal": sum(each == 0 for each in differences),
        "worse": sum(each < 0 for each in differences),
        "a": spread_a,
        "b": spread_b,
    }
