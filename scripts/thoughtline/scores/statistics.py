"""Means of repeated runs, and how far they can be trusted: the question is the sampling unit.

A benchmark is a sample of the questions that could have been asked, and k runs of one question are not k questions.
So each question gives one number, its share of correct runs p_q, and standard errors come from the spread of the p_q
over questions, as Miller (2024), "Adding Error Bars to Evals", arXiv:2411.00640, asks for clustered data.

Normal intervals around such a mean are too short for the few dozen questions of AIME-like benchmarks (Bowyer et al.
2025, arXiv:2503.01747), collapse to a point when all answers agree, and leave [0, 1]. Here the interval is Wilson's
(1927, JASA 22:209) at the effective sample size of a clustered sample, with Student's t for the estimated variance
(Franco et al. 2019, J. Survey Statistics and Methodology 7:334). With one run a question it is Wilson's own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist, mean, stdev

LEVEL = 0.95
"""Confidence level of every interval of this package."""

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def student_t_probability(t: float, degrees: int) -> float:
    """P(|T| <= t) of Student's t with a whole number of degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0 if degrees == 1 else term
    for power in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    return (angle + math.sin(angle) * total) * 2 / math.pi if odd else math.sin(angle) * total


@functools.cache
def student_t(degrees: int) -> float:
    """The t that holds LEVEL of Student's distribution between -t and t; 12.706 at one degree of freedom."""
    low, high = 0.0, 20.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if student_t_probability(middle, degrees) < LEVEL else (low, middle)
    return high


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean of one value a question; None for fewer than two questions."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def wilson(share: float, ratio: float) -> tuple[float, float]:
    """Wilson's score interval of a share, with `ratio` = quantile^2 / sample size."""
    centre = (share + ratio / 2) / (1 + ratio)
    half = math.sqrt(ratio * share * (1 - share) + ratio * ratio / 4) / (1 + ratio)
    # At 0 and 1 one end is the share itself; the arithmetic misses it by a rounding error.
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    high = 1.0 if share >= 1 else min(1.0, centre + half)
    return low, high


def interval(shares: Sequence[float], runs: int) -> tuple[float, float]:
    """95 % interval of the mean of per-question shares in [0, 1].

    Args:
        shares: p_q of each of n questions.
        runs: runs over all questions together (n when each was asked once).

    The effective sample size p(1-p)/SE^2 lies between n (runs of a question always agree) and `runs` (runs of a
    question are as unlike as those of different questions); estimates outside are brought back to these bounds.
    """
    questions, share = len(shares), mean(shares)
    widest, narrowest = Z * Z / questions, Z * Z / runs
    error = standard_error(shares)
    if error is None or not 0 < share < 1:
        return wilson(share, widest)
    estimated = (student_t(questions - 1) * error) ** 2 / (share * (1 - share))
    return wilson(share, min(widest, max(narrowest, estimated)))


def ratio(pairs: Sequence[tuple[float, float]], scale: tuple[float, float]) -> dict[str, float | list[float] | None]:
    """sum(values) / sum(weights) of one (value, weight) a question, with standard error and 95 % interval.

    Questions are the sampling unit and differ in weight, so the error is the ratio estimator's (Cochran 1977, Sampling
    Techniques, section 2.11; None for one question). The interval is Wilson's on the scale brought to 0..1, at the
    effective sample size that the error stands for. That lies above Kish's (1965), which holds when all of a question's
    weight stands or falls together, and for shares below the whole weight; estimates outside are brought back.

    Args:
        pairs: at least one, weights positive.
        scale: least and greatest value / weight; (0, 1) for shares.

    Returns:
        {"mean", "standard_error", "interval": [low, high]}.
    """
    number, total = len(pairs), math.fsum(weight for _, weight in pairs)
    centre = math.fsum(value for value, _ in pairs) / total
    error = None
    if number > 1:
        squares = math.fsum((value - centre * weight) ** 2 for value, weight in pairs)
        error = math.sqrt(squares * number / (number - 1)) / total
    low, high = scale
    share = (centre - low) / (high - low)
    used = widest = Z * Z * math.fsum(weight * weight for _, weight in pairs) / total**2
    if error and 0 < share < 1:
        estimated = (student_t(number - 1) * error / (high - low)) ** 2 / (share * (1 - share))
        narrowest = Z * Z / total if scale == (0, 1) else 0.0
        used = min(widest, max(narrowest, estimated))
    limits = [low + (high - low) * each for each in wilson(share, used)]
    return {"mean": centre, "standard_error": error, "interval": limits}


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of P(at least one of k samples is correct) (Chen et al. 2021, arXiv:2107.03374, eq. 1).

    Raises:
        ValueError: k is larger than the number of samples.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {samples}")
    return 1 - math.comb(samples - correct, k) / math.comb(samples, k)


def powers_of_two(limit: int) -> list[int]:
    """1, 2, 4, ... up to `limit`."""
    return [1 << bit for bit in range(limit.bit_length())]


def majority_vote(runs: Iterable[tuple[str | None, bool]]) -> tuple[float, str | None]:
    """Outcome of a vote over the runs of one question, each (parsed answer, correct).

    Equal answers vote together; runs without an answer abstain. A group counts with its own share of correct
    verdicts (0 or 1 unless the verifier is inconsistent), tied groups share equally, no votes at all score 0.
    Returns the score and the winning answer (the first in sorted order of tied ones; None without votes).
    """
    groups: dict[str, list[bool]] = {}
    for answer, correct in runs:
        if answer is not None:
            groups.setdefault(answer, []).append(correct)
    if not groups:
        return 0.0, None
    most = max(map(len, groups.values()))
    winners = sorted(answer for answer, votes in groups.items() if len(votes) == most)
    return mean(sum(groups[answer]) / most for answer in winners), winners[0]


def macro_average(scores: Sequence[tuple[float, float | None]]) -> tuple[float, float | None]:
    """Unweighted mean over benchmarks of (mean, standard error), and its standard error (benchmarks are independent).

    The error is None when one of them is.
    """
    errors = [error for _, error in scores]
    if any(error is None for error in errors):
        return mean(value for value, _ in scores), None
    return mean(value for value, _ in scores), math.hypot(*errors) / len(scores)  # type: ignore[arg-type]
