"""Scores as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..common.measures import is_share
from .statistics import macro_average


def percent(value: float) -> str:
    """0.3131 -> "31.3"."""
    return f"{100 * value:.1f}"


def with_interval(value: float, low: float, high: float) -> str:
    """ "43.3 [27.4, 60.8]", all in percent."""
    return f"{percent(value)} [{percent(low)}, {percent(high)}]"


def measure_text(name: str, found: dict[str, Any]) -> str:
    """A measure with its interval: a share in percent, a rating as it is: "6.42 [5.91, 6.90]"."""
    low, high = found["interval"]
    return with_interval(found["mean"], low, high) if is_share(name) else f"{found['mean']:.2f} [{low:.2f}, {high:.2f}]"


def _measure_table(cells: dict[tuple[str, str], dict[str, Any]], models: list[str], benchmarks: list[str]) -> str:
    """Models down, the measures of each benchmark across; "" when there are none."""
    columns = [
        (benchmark, name)
        for benchmark in benchmarks
        for name in sorted({name for model in models for name in cells.get((model, benchmark), {}).get("measures", {})})
    ]
    if not columns:
        return ""
    lines = [["model", *(f"{benchmark} {name}" for benchmark, name in columns)]]
    for model in models:
        found = [cells.get((model, benchmark), {}).get("measures", {}).get(name) for benchmark, name in columns]
        lines.append([model, *(measure_text(c[1], f) if f else "-" for c, f in zip(columns, found, strict=True))])
    return "\n" + _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def score_table(scores: Iterable[dict[str, Any]]) -> str:
    """Models down, benchmarks across, in order of first appearance; the last column is the unweighted mean.

    The mean is left out for a model that lacks a benchmark, and altogether for a single benchmark.
    """
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for score in scores:
        cells[score["model"], score["benchmark"]] = score
    models = list(dict.fromkeys(model for model, _ in cells))
    benchmarks = list(dict.fromkeys(benchmark for _, benchmark in cells))
    sizes = {benchmark: score for (_, benchmark), score in cells.items()}
    heads = [f"{each} (n={sizes[each]['questions']}, k={sizes[each]['samples']})" for each in benchmarks]
    lines = [["model", *heads, "mean"]]
    flagged = False
    rated = sum(sizes[each]["accuracy"] is None for each in benchmarks)
    for model in models:
        line, parts = [model], []
        for benchmark in benchmarks:
            score = cells.get((model, benchmark))
            if score is None:
                line.append("-")
                continue
            accuracy = score["accuracy"]
            flagged = flagged or bool(score["flags"])
            if accuracy is None:
                found = score["measures"].get("rating")
                line.append((measure_text("rating", found) if found else "-") + ("*" if score["flags"] else ""))
                continue
            line.append(with_interval(accuracy["mean"], *accuracy["interval"]) + ("*" if score["flags"] else ""))
            parts.append((accuracy["mean"], accuracy["standard_error"]))
        line.append(percent(macro_average(parts)[0]) if parts and len(parts) == len(benchmarks) - rated else "-")
        lines.append(line)
    if len(benchmarks) == 1:
        lines = [line[:-1] for line in lines]
    notes = ["accuracy in percent [95 % interval], n questions, k runs of each"]
    if rated:
        notes.append("from 1 to 10: mean rating, which is in no mean of accuracies")
    if flagged:
        notes.append("* has flags:")
        notes += [
            f"  {model} on {benchmark}: {flag}"
            for (model, benchmark), score in cells.items()
            for flag in score["flags"]
        ]
    measures = _measure_table(cells, models, benchmarks)
    return "\n".join([_aligned(lines), *([measures] if measures else []), *notes])


def difference_text(title: str, difference: dict[str, Any]) -> str:
    """One paragraph about a paired difference, in percentage points."""
    low, high = difference["interval"]
    error = difference["standard_error"]
    lines = [
        f"{title}: {100 * difference['mean']:+.1f} points, 95 % interval [{100 * low:+.1f}, {100 * high:+.1f}]"
        + (f", standard error {100 * error:.1f}" if error is not None else ""),
        f"paired over {difference['questions']} questions: better on {difference['better']}, "
        f"equal on {difference['equal']}, worse on {difference['worse']}",
    ]
    if difference["left_out"]:
        lines.append(f"{difference['left_out']} questions could not be judged for all and are left out")
    if difference["standard_error_with_seeds"] is not None:
        lines.append(
            f"standard error with the spread between seeds: {100 * difference['standard_error_with_seeds']:.1f} points"
        )
    if low <= 0 <= high:
        lines.append("the interval holds 0: these questions do not show a difference")
    return "\n".join(lines)
