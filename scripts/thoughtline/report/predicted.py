"""What was predicted of this run before it, and what it took: `thoughtline plan --keep` leaves the prediction in plan.json."""

from __future__ import annotations

import math
from typing import Any

from .collect import Results
from .durations import jobs_of, plain_number
from .numbers import DASH, seconds

STAGES = {"traces": "traces", "train": "models", "verdicts": "verdicts"}
"""Stage of a plan -> folder of its artifacts."""


def measured_seconds(results: Results) -> dict[str, float]:
    """Wall time of each job, by the path of its benchmark file or artifact without its ending: benchmark files where they are, else sidecars."""
    found: dict[str, float] = {}
    for job in jobs_of(results):
        found[job["artifact"].rsplit(".", 1)[0]] = job["wall"]
    for row in results.benchmarks:
        if (value := plain_number(row["s"])) is not None:
            found[row["job"]] = value
    return found


def _measured(times: dict[str, float], folder: str) -> float | None:
    """Seconds of all jobs of one folder of artifacts, or of the job of that name."""
    own = {path: value for path, value in times.items() if path == folder or path.startswith(f"{folder}/")}
    # A model has a benchmark file of its own name and a sidecar in its folder: one job.
    values = [own[folder]] if folder in own else list(own.values())
    return math.fsum(values) if values else None


def rows(results: Results) -> list[dict[str, Any]]:
    """A row for each kind of job whose time was predicted and measured, and one for all together; [] without a plan.

    Predicted are hours of jobs, added up; measured is their wall time, added up.
    """
    if results.plan is None:
        return []
    times, found = measured_seconds(results), []
    for line in results.plan["lines"]:
        if line["stage"] not in STAGES or not line["range"] or not line["left"]:
            continue
        predicted = 3600 * line["left"] * line["hours_a_job"]
        measured = _measured(times, "/".join([STAGES[line["stage"]], *line["names"]]))
        width = line["range"][1] / line["hours"] if line["hours"] else 1.0
        if measured is not None:
            found.append((" on ".join(line["names"]), line["stage"], predicted, width, measured))
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for what, stage, predicted, width, measured in found:
        name = (
            f"traces of {what.split(' on ')[0]}"
            if stage == "traces"
            else f"{'training of' if stage == 'train' else 'verdicts on'} {what}"
        )
        groups.setdefault(name, []).append((predicted, width, measured))
    groups = {**groups, "all of these": [each for group in groups.values() for each in group]} if groups else {}
    return [_row(name, group) for name, group in groups.items()]


def _row(name: str, group: list[tuple[float, float, float]]) -> dict[str, Any]:
    predicted, measured = math.fsum(each[0] for each in group), math.fsum(each[2] for each in group)
    low, high = math.fsum(each[0] / each[1] for each in group), math.fsum(each[0] * each[1] for each in group)
    error = predicted / measured - 1 if measured else None
    return {
        "what": name,
        "predicted": seconds(predicted),
        "range": f"{seconds(low)} to {seconds(high)}",
        "measured": seconds(measured),
        "error": DASH if error is None else f"{100 * error:+.0f} %",
        "seconds": (predicted, measured),
    }
