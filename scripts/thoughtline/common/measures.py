"""Measures: numbers that a verdict gives beside its status, {name: (value, weight)}.

Their sum over runs is sum(values) / sum(weights): instruction_strict (2, 3) says that 2 of 3 instructions were followed, and
the sum is the share of all instructions; rating (7, 1) is one rating, and the sum is their mean.
"""

from __future__ import annotations

from collections.abc import Mapping

Measures = Mapping[str, tuple[float, float]]

RATING = (1.0, 10.0)
"""From worst to best, as MT-Bench's judge is asked (Zheng et al. 2023, arXiv:2306.05685, figure 6)."""

_SCALES = {"rating": RATING, "rating_turn_1": RATING, "rating_turn_2": RATING}


def scale_of(name: str) -> tuple[float, float]:
    """The least and the greatest value / weight that a measure can have: 1 to 10 for ratings, 0 to 1 for all else."""
    return _SCALES.get(name, (0.0, 1.0))


def is_share(name: str) -> bool:
    """True for a share of something, which is shown in percent; False for a rating."""
    return scale_of(name) == (0.0, 1.0)


def check_measures(measures: Measures) -> None:
    """Raise ValueError unless every weight is positive and every value within its scale."""
    for name, (value, weight) in measures.items():
        low, high = scale_of(name)
        if not (weight > 0 and low * weight <= value <= high * weight):
            raise ValueError(f"measure {name} has value {value} at weight {weight}; its scale is {low:g} to {high:g}")
