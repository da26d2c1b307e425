"""How the students were trained: what was set, and how the loss fell."""

from __future__ import annotations

import re
from typing import Any

from .collect import Results
from .numbers import count, plain

SHOWN = (
    "dataset", "epochs", "learning_rate", "schedule", "warmup_ratio", "global_batch", "micro_batch", "max_length",
    "packing", "optimizer", "betas", "epsilon", "weight_decay", "max_grad_norm", "precision", "zero", "ranks", "seed",
)  # fmt: skip


def group_name(model: str) -> str:
    """The student that a trained model is a seed of: "verified-seed2" -> "verified"."""
    return re.sub(r"-seed\d+(?=$|\.)", "", model)


def curves(results: Results) -> dict[str, list[list[tuple[float, float]]]]:
    """Student -> for each of its seeds the (step, loss) pairs of the training log."""
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for name, model in results.models.items():
        line = [(row["step"], row["loss"]) for row in model.steps if row.get("loss") is not None]
        if line:
            found.setdefault(group_name(name), []).append(line)
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {plain(each)}" for key, each in value.items())
    return plain(value)


def hyperparameters(results: Results) -> dict[str, Any]:
    """A table with a column for each student: {"columns": names, "rows": [(key, values)], "same": [(key, value)]}.

    Seeds of one student share a column; keys with the same value for all go to `same`.
    """
    columns: dict[str, dict[str, list[str]]] = {}
    for name, model in results.recipe.models.items():
        for stage in model.stages:
            facts = {"base": model.base, **stage.model_dump(mode="json")}
            column = columns.setdefault(group_name(name), {})
            for key in ("base", *SHOWN):
                value = _shown(facts[key])
                if value not in column.setdefault(key, []):
                    column[key].append(value)
    table = (
        [(key, [", ".join(column[key]) for column in columns.values()]) for key in ("base", *SHOWN)] if columns else []
    )
    return {
        "columns": list(columns),
        "rows": [(key, values) for key, values in table if len(set(values)) > 1],
        "same": [(key, values[0]) for key, values in table if len(set(values)) == 1],
    }


def outcomes(results: Results) -> list[dict[str, str]]:
    """One row a trained model: rows, how many were cut or dropped for length, steps, loss, tokens; the same each run."""
    rows = []
    for name, model in results.models.items():
        logged = [row for row in model.steps if row.get("loss") is not None]
        if logged:
            tokens = next((row["tokens"] for row in reversed(model.steps) if row.get("tokens") is not None), None)
            rows.append(
                {
                    "model": name,
                    **{key: count(model.summary.get(key)) for key in ("rows", "cut", "dropped")},
                    "steps": count(logged[-1]["step"]),
                    "first": f"{logged[0]['loss']:.3f}",
                    "last": f"{logged[-1]['loss']:.3f}",
                    "tokens": count(tokens),
                }
            )
    return rows
