"""Scores side by side, and the differences that the recipe asks for, in numbers and in careful words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, mean, stdev
from typing import Any

from ..recipe.expand import group
from ..scores.differences import difference
from ..scores.files import read_shares
from ..scores.statistics import LEVEL, interval, macro_average, standard_error
from .collect import Results, judged_on

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)

MACRO = "macro average"
"""Name of the unweighted mean over benchmarks, in place of a benchmark's."""


def macro_interval(parts: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """95 % interval of the mean of independent estimates, each {"mean", "low", "high"}, from their own intervals.

    MOVER (Zou and Donner 2008, Statistics in Medicine 27:1693): distances to the limits add in squares. Unlike a
    normal interval it stays open where a benchmark's answers all agree, as it does for the benchmark itself.
    """
    centre = mean(part["mean"] for part in parts)
    below = math.hypot(*(part["mean"] - part["low"] for part in parts)) / len(parts)
    above = math.hypot(*(part["high"] - part["mean"] for part in parts)) / len(parts)
    return centre - below, centre + above


def _macro(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    centre, error = macro_average([(part["mean"], part["standard_error"]) for part in parts])
    low, high = macro_interval(parts)
    return {
        "mean": centre,
        "standard_error": error,
        "low": low,
        "high": high,
        "questions": sum(part["questions"] for part in parts),
        "flags": [],
    }


def _one(score: dict[str, Any]) -> dict[str, Any]:
    accuracy = score["accuracy"]
    low, high = accuracy["interval"]
    return {
        "mean": accuracy["mean"],
        "standard_error": accuracy["standard_error"],
        "low": low,
        "high": high,
        "questions": score["questions"],
        "samples": score["samples"],
        "truncated_share": score["truncated_share"],
        "flags": score["flags"],
        "majority_vote": score["majority_vote"],
    }


def _shares(results: Results, model: str, benchmark: str) -> dict[str, float | None]:
    path = results.root / "scores" / model / f"{benchmark}.json"
    return read_shares(path)


def _pooled(results: Results, models: list[str], benchmark: str) -> dict[str, Any]:
    """The score of a group of seeds: runs of all seeds averaged question by question."""
    scores = [results.scores[model, benchmark] for model in models]
    sides = [_shares(results, model, benchmark) for model in models]
    judged = [each for each in sides[0] if all(side.get(each) is not None for side in sides)]
    shares = [mean(side[each] for side in sides) for each in judged]  # type: ignore[type-var]
    runs = sum(score["counts"]["traces"] - score["counts"]["error"] for score in scores)
    low, high = interval(shares, runs)
    return {
        "mean": mean(shares),
        "standard_error": standard_error(shares),
        "low": low,
        "high": high,
        "questions": len(shares),
        "samples": sum(score["samples"] for score in scores),
        "truncated_share": mean(score["truncated_share"] for score in scores),
        "flags": [],
        "majority_vote": None,  # several models do not vote together
    }


def score_rows(results: Results) -> list[dict[str, Any]]:
    """The score table: one row a model or group of seeds, each group followed by its seeds.

    Returns:
        {"name", "group" (None unless a seed of one), "seeds" (of a group, else 0), "cells": {benchmark: cell or None},
        "macro": cell or None}; a cell has mean, standard_error, low, high as shares, questions, and (benchmarks only)
        samples, truncated_share, flags, majority_vote (as in the score file; None for a group). Macro averages need every benchmark.
    """
    benchmarks, rows = judged_on(results.recipe), []
    for name in results.recipe.targets.evaluate:
        members = group(results.recipe, name)
        entries = [(name, None, members)] if members != [name] else []
        entries += [(member, name if members != [name] else None, [member]) for member in members]
        for label, parent, models in entries:
            cells: dict[str, dict[str, Any] | None] = {}
            for benchmark in benchmarks:
                if not all((model, benchmark) in results.scores for model in models):
                    cells[benchmark] = None
                elif len(models) == 1:
                    cells[benchmark] = _one(results.scores[models[0], benchmark])
                else:
                    cells[benchmark] = _pooled(results, models, benchmark)
            known = [cell for cell in cells.values() if cell is not None]
            macro = _macro(known) if known and len(known) == len(benchmarks) > 1 else None
            seeds = len(models) if label == name and members != [name] else 0
            rows.append({"name": label, "group": parent, "seeds": seeds, "cells": cells, "macro": macro})
    return rows


def wording(low: float, high: float) -> str:
    """What an interval of a difference allows to say."""
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "not distinguishable"


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    """Add the interval that also covers the spread between seeds (the first one, widened), and the words for both."""
    error, plain = row["standard_error_with_seeds"], row["standard_error"]
    row["low_with_seeds"] = row["high_with_seeds"] = row["wording_with_seeds"] = None
    row["wording"] = wording(row["low"], row["high"])
    if error is not None:
        spread = Z * math.sqrt(max(0.0, error**2 - plain**2))
        row["low_with_seeds"] = max(-1.0, row["mean"] - math.hypot(row["mean"] - row["low"], spread))
        row["high_with_seeds"] = min(1.0, row["mean"] + math.hypot(row["high"] - row["mean"], spread))
        row["wording_with_seeds"] = wording(row["low_with_seeds"], row["high_with_seeds"])
    return row


def _seed_variance(per_benchmark: list[list[float]]) -> float:
    """Variance of a side's macro average over its seeds, 0 for a side of one. `per_benchmark`: the seeds' means."""
    seeds = [mean(values) for values in zip(*per_benchmark, strict=True)]
    return stdev(seeds) ** 2 / len(seeds) if len(seeds) > 1 else 0.0


def _macro_difference(parts: list[dict[str, Any]]) -> dict[str, Any]:
    whole = _macro(parts)
    # A seed is one model on all benchmarks, so its luck does not average out over them as the questions' does.
    variance = sum(_seed_variance([part[side]["means"] for part in parts]) for side in ("a", "b"))
    known = all(part["standard_error_with_seeds"] is not None for part in parts)
    return {
        **whole,
        "standard_error_with_seeds": math.sqrt(whole["standard_error"] ** 2 + variance) if known else None,
        **{key: sum(part[key] for part in parts) for key in ("better", "equal", "worse")},
    }


def difference_rows(results: Results) -> list[dict[str, Any]]:
    """The comparisons of the recipe's targets, each {"title", "a", "b", "rows", "missing"}.

    A row is a benchmark, or the macro average over all (last, from two benchmarks on): {"benchmark", "mean" (b - a),
    "standard_error", "low", "high", "standard_error_with_seeds", "low_with_seeds", "high_with_seeds", "questions",
    "better", "equal", "worse", "wording", "wording_with_seeds"}. `missing` names the scores that are not there.
    """
    found = []
    benchmarks = judged_on(results.recipe)
    for comparison in results.recipe.targets.compare:
        sides = [group(results.recipe, name) for name in (comparison.a, comparison.b)]
        rows: list[dict[str, Any]] = []
        missing = []
        for benchmark in benchmarks:
            absent = [model for side in sides for model in side if (model, benchmark) not in results.scores]
            if absent:
                missing += [f"{model} on {benchmark}" for model in absent]
                continue
            shares = [[_shares(results, model, benchmark) for model in side] for side in sides]
            facts = difference(*shares)
            low, high = facts["interval"]
            rows.append({"benchmark": benchmark, **facts, "low": low, "high": high})
        if len(rows) == len(benchmarks) > 1:
            rows.append({"benchmark": MACRO, **_macro_difference(rows)})
        found.append(
            {
                "title": comparison.title,
                "a": comparison.a,
                "b": comparison.b,
                "seeds": [len(side) for side in sides],
                "rows": [_worded(row) for row in rows],
                "missing": missing,
            }
        )
    return found


def conclusion(row: dict[str, Any]) -> str:
    """What may be said of a difference: strongest where the spread between training seeds allows it too."""
    seeds, plain = row["wording_with_seeds"], row["wording"]
    if plain == "not distinguishable":
        return "not distinguishable"
    if seeds is not None and seeds != plain:
        return (
            f"{plain} for these trained models, but not distinguishable once the spread between training seeds counts"
        )
    return plain
