"""The funnel of rows: what came into each step, what went out, what was dropped and why. Nothing may vanish."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..common.rows import TRACE_STATUS, VERDICT_STATUS
from .collect import Answers, Results


@dataclass
class Step:
    """One step of the funnel for one set: came_in = went_out + sum(dropped), or `problems` says otherwise.

    `parts` splits what went out (traces and verdicts by status); `reasons` splits the parts further.
    """

    verb: str  # curate, generate, verify, assemble
    set_name: str  # question set
    by: str  # answerer or dataset; "" for curate
    came_in: int | None  # None: nobody has said
    went_out: int
    unit: tuple[str, str]  # what came in and what went out, in words
    dropped: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def _counts(values: pd.Series, order: tuple[str, ...] = ()) -> dict[str, int]:
    """How often each value occurs: those of `order` first, in that order, then others by frequency and name."""
    found = values.value_counts().to_dict()
    rest = sorted((key for key in found if key not in order), key=lambda key: (-found[key], key))
    return {key: int(found[key]) for key in [*(key for key in order if key in found), *rest]}


def _gap(came_in: int, went_out: int, dropped: dict[str, int]) -> list[str]:
    rest = came_in - went_out - sum(dropped.values())
    if rest == 0:
        return []
    what = f"{rest:,} unaccounted for" if rest > 0 else f"{-rest:,} more than came in"
    return [f"{came_in:,} in, {went_out:,} out, {sum(dropped.values()):,} dropped: {what}"]


def _curate(results: Results, name: str) -> Step:
    rows = results.questions[name]
    jobs = [
        results.sidecars.get(path.relative_to(results.root).as_posix()) for path in results.shards("questions", name)
    ]
    # One job writes all shards of a set and says the same counts in each sidecar: the first one there speaks for all.
    counts = next((job.get("counts") or {} for job in jobs if job), {})
    dropped = {reason: int(number) for reason, number in (counts.get("dropped") or {}).items()}
    step = Step("curate", name, "", counts.get("in"), len(rows), ("rows read", "questions"), dropped)
    if step.came_in is not None:
        step.problems += _gap(step.came_in, step.went_out, dropped)
    if counts.get("out") is not None and counts["out"] != len(rows):
        step.problems.append(f"the sidecar says {counts['out']:,} questions, the files hold {len(rows):,}")
    if repeated := len(rows) - rows["question_id"].nunique():
        step.problems.append(f"{repeated:,} question ids occur twice")
    return step


def _generate(results: Results, answers: Answers) -> Step:
    rows = answers.traces
    step = Step(
        "generate", answers.set_name, answers.answerer, answers.expected, len(rows), ("questions × samples", "traces")
    )
    step.parts = _counts(rows["status"], TRACE_STATUS)
    step.problems += _gap(answers.expected, len(rows), {})
    known = set(results.questions[answers.set_name]["question_id"]) if answers.set_name in results.questions else set()
    if strangers := len(set(rows["question_id"]) - known):
        step.problems.append(f"{strangers:,} traces' questions are not in the set")
    return step


def _verify(answers: Answers) -> Step:
    judged = answers.verdicts
    assert judged is not None
    step = Step("verify", answers.set_name, answers.answerer, len(answers.traces), len(judged), ("traces", "verdicts"))
    step.parts = _counts(judged["status"], VERDICT_STATUS)
    step.reasons = _counts(judged.loc[judged["reason"].fillna("") != "", "reason"])
    step.problems += _gap(len(answers.traces), len(judged), {})
    if strangers := len(set(judged["trace_id"]) - set(answers.traces["trace_id"])):
        step.problems.append(f"{strangers:,} verdicts are of no trace of this set")
    return step


def _assemble(results: Results, name: str) -> list[Step]:
    """One step a question set of the dataset: every trace of its runs is kept, or dropped with a reason."""
    tables, steps = results.datasets[name], []
    runs = results.recipe.datasets[name].traces
    sets = list(dict.fromkeys(each for run in runs for each in results.recipe.traces[run].questions))
    kept, dropped = tables["rows"], tables.get("dropped")
    for set_name in sets:
        found = [results.answers[run, set_name] for run in runs if (run, set_name) in results.answers]
        ids = {each for answers in found for each in answers.traces["trace_id"]}
        out = kept[kept["set"] == set_name]
        reasons = {} if dropped is None else _counts(dropped.loc[dropped["set"] == set_name, "reason"])
        step = Step("assemble", set_name, name, len(ids), len(out), ("traces", "rows"), reasons)
        step.problems += _gap(len(ids), len(out), reasons)
        if strangers := len(set(out["trace_id"]) - ids):
            step.problems.append(f"{strangers:,} rows are of no trace of this set")
        steps.append(step)
    return steps


def steps_of(results: Results) -> list[Step]:
    """All steps, set by set in the recipe's order: curate, generate, verify, then assemble."""
    found = []
    for set_name in [*results.recipe.questions, *results.recipe.benchmarks]:
        if set_name in results.questions:
            found.append(_curate(results, set_name))
        for (_, asked), answers in results.answers.items():
            if asked == set_name:
                found.append(_generate(results, answers))
                if answers.verdicts is not None:
                    found.append(_verify(answers))
    for name in results.datasets:
        found += _assemble(results, name)
    return found


def sidecar_problems(results: Results) -> list[str]:
    """Artifacts whose own sidecar does not add up (in = out + dropped)."""
    found = []
    for artifact, sidecar in results.sidecars.items():
        counts = sidecar.get("counts") or {}
        if counts.get("in") is not None and counts.get("out") is not None:
            gap = _gap(counts["in"], counts["out"], counts.get("dropped") or {})
            found += [f"{artifact}: its sidecar counts {text}" for text in gap]
    return found


def training_problems(results: Results) -> list[str]:
    """Students that were trained on another number of rows than their dataset has."""
    found = []
    for name, model in results.recipe.models.items():
        told = (results.sidecars.get(f"models/{name}/model.json", {}).get("counts") or {}).get("in")
        for stage in model.stages:
            tables = results.datasets.get(stage.dataset)
            if tables and told is not None and told != len(tables["rows"]):
                rows = len(tables["rows"])
                found.append(f"train {name}: {told:,} rows in, but {stage.dataset} has {rows:,}")
    return found


def problems_of(steps: list[Step], results: Results) -> list[str]:
    """Everything that does not add up, one line each; empty when every row is accounted for."""
    own = [
        f"{step.verb} {step.by + ' on ' if step.by else ''}{step.set_name}: {text}"
        for step in steps
        for text in step.problems
    ]
    return own + training_problems(results) + sidecar_problems(results)


def funnel_rows(steps: list[Step]) -> list[dict[str, Any]]:
    """The funnel as rows of a table: verb, set, by, kind (in, out, dropped, status, reason), what, rows."""
    rows = []
    for step in steps:
        head = {"verb": step.verb, "set": step.set_name, "by": step.by}
        if step.came_in is not None:
            rows.append({**head, "kind": "in", "what": step.unit[0], "rows": step.came_in})
        for kind, counts in (("dropped", step.dropped), ("status", step.parts), ("reason", step.reasons)):
            rows += [{**head, "kind": kind, "what": key, "rows": value} for key, value in counts.items()]
        rows.append({**head, "kind": "out", "what": step.unit[1], "rows": step.went_out})
    return rows
