"""What verdicts measure beside right and wrong (common.measures), for the report's table."""

from __future__ import annotations

from typing import Any

from ..common.measures import is_share
from ..recipe.expand import group
from ..scores.files import read_measures
from ..scores.score import sum_measures
from .collect import Results, evaluated_on
from .numbers import percent


def _summed(results: Results, models: list[str], benchmark: str) -> dict[str, dict[str, Any]]:
    """Measures of one model, or of a group of seeds with the runs of all seeds together."""
    if len(models) == 1:
        return results.scores[models[0], benchmark]["measures"]
    sums: dict[str, dict[str, tuple[float, float]]] = {}
    for model in models:
        for question, measures in read_measures(results.root / "scores" / model / f"{benchmark}.json").items():
            here = sums.setdefault(question, {})
            for name, (value, weight) in measures.items():
                known = here.get(name, (0.0, 0.0))
                here[name] = (known[0] + value, known[1] + weight)
    return sum_measures(sums.values())


def measure_rows(results: Results) -> list[dict[str, Any]]:
    """One row a model or group of seeds, benchmark and measure.

    Returns:
        {"model", "group" (None unless a seed of one), "seeds" (of a group, else 0), "benchmark", "measure", "questions",
        "mean", "standard_error", "low", "high", "share" (True: of 1, False: a rating)}.
    """
    rows = []
    for name in results.recipe.targets.evaluate:
        members = group(results.recipe, name)
        entries = [(name, None, members)] if members != [name] else []
        entries += [(member, name if members != [name] else None, [member]) for member in members]
        for label, parent, models in entries:
            for benchmark in evaluated_on(results.recipe):
                if not all((model, benchmark) in results.scores for model in models):
                    continue
                for measure, found in _summed(results, models, benchmark).items():
                    low, high = found["interval"]
                    rows.append(
                        {
                            "model": label,
                            "group": parent,
                            "seeds": len(models) if len(models) > 1 else 0,
                            "benchmark": benchmark,
                            "measure": measure,
                            **{key: found[key] for key in ("questions", "mean", "standard_error")},
                            "low": low,
                            "high": high,
                            "share": is_share(measure),
                        }
                    )
    return rows


def shown(row: dict[str, Any]) -> dict[str, str]:
    """{"mean", "low", "high"} as people read them: shares in percent, ratings with two decimals."""
    return {key: percent(row[key]) if row["share"] else f"{row[key]:.2f}" for key in ("mean", "low", "high")}
