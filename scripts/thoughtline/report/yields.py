"""How much of what a model writes is usable, and how long it is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .collect import Results
from .numbers import share


def _with_correct(traces: pd.DataFrame) -> int:
    return int((traces["verdict"] == "correct").groupby(traces["question_id"]).any().sum())


def yield_rows(results: Results) -> list[dict[str, Any]]:
    """One row a trace run and domain of the training questions.

    traces: all; judged: verdict correct or incorrect; correct_share: correct / traces, null while nothing is judged;
    with_correct_share: questions with at least one correct trace / questions asked.
    """
    rows = []
    for run in results.recipe.traces:
        parts = [each.traces for (name, _), each in results.answers.items() if name == run and not each.benchmark]
        if not parts:
            continue
        for domain, traces in pd.concat(parts).groupby("domain", sort=False):
            verdicts = traces["verdict"]
            correct, judged = int((verdicts == "correct").sum()), int(verdicts.isin(["correct", "incorrect"]).sum())
            asked, solved = traces["question_id"].nunique(), _with_correct(traces)
            rows.append(
                {
                    "run": run,
                    "domain": domain,
                    "questions": asked,
                    "samples": results.recipe.traces[run].samples,
                    "traces": len(traces),
                    "judged": judged,
                    "correct": correct,
                    "correct_share": share(correct, len(traces)) if judged else None,
                    "with_correct": solved,
                    "with_correct_share": share(solved, asked) if judged else None,
                }
            )
    return rows


def _measure(traces: pd.DataFrame) -> dict[str, Any]:
    tokens = traces["completion_tokens"].dropna()
    return {
        "traces": len(traces),
        "median": float(tokens.median()) if len(tokens) else None,
        "p90": float(tokens.quantile(0.9)) if len(tokens) else None,
        "max": int(tokens.max()) if len(tokens) else None,
        "truncated": share(int((traces["status"] == "truncated").sum()), len(traces)),
    }


def length_groups(results: Results, members: dict[str, list[str]]) -> dict[str, list[tuple[str, pd.DataFrame]]]:
    """Traces in the groups whose lengths are shown: training traces by run and domain, benchmark traces by model.

    Args:
        members: name in `targets.evaluate` -> its models (a group of seeds is shown as one).
    """
    training: list[tuple[str, pd.DataFrame]] = []
    several = len(results.recipe.traces) > 1
    for run in results.recipe.traces:
        parts = [each.traces for (name, _), each in results.answers.items() if name == run and not each.benchmark]
        if parts:
            for domain, traces in pd.concat(parts).groupby("domain", sort=False):
                training.append((f"{run}: {domain}" if several else str(domain), traces))
    answers: list[tuple[str, pd.DataFrame]] = []
    for name, models in members.items():
        parts = [each.traces for (who, _), each in results.answers.items() if who in models and each.benchmark]
        if parts:
            answers.append((name, pd.concat(parts)))
    return {"training": training, "benchmarks": answers}


def length_rows(groups: list[tuple[str, pd.DataFrame]]) -> list[dict[str, Any]]:
    """Lengths in completion tokens of each group: median, 90th percentile, longest; share cut off at the limit."""
    return [{"name": name, **_measure(traces)} for name, traces in groups]
