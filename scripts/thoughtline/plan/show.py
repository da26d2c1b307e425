"""A plan, and the calibration, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .calibration import Row, lengths_alone
from .plan import Line, Plan
from .rates import INNER, Rates

STAGE_WORDS = {
    "fetch": "fetch weights", "questions": "questions", "traces": "traces", "verdicts": "verdicts", "datasets": "dataset",
    "train": "training", "scores": "scores", "drafts": "draft", "report": "report",
}  # fmt: skip


USING = {"traces": "of traces", "verdicts": "of judges", "train": "of training"}
"""Stages that may use a model -> heads of the columns with their part of the hours."""


def short(value: float | None, unit: str = "") -> str:
    """A number in few letters.

    >>> short(1.06e9), short(3200), short(0.034), short(12.3), short(None)
    ('1.06G', '3,200', '0.034', '12', '–')
    """
    if value is None:
        return "–"
    for size, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}{unit}"
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}{unit}"
    return f"{value:.2g}{unit}" if abs(value) < 10 else f"{value:.0f}{unit}"


def flops(value: float | None) -> str:
    """FLOPs with an exponent."""
    return "–" if value is None else f"{value:.2g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> list[str]:
    """Columns, the first `left` of them to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(head), line(["-" * width for width in widths]), *(line(row) for row in rows)]


def hours_of(plan: Plan, lines: Sequence[Line]) -> str:
    """Hours of lines together, with their range."""
    if not lines[0].computes:
        return ""
    total = plan.total([line.key for line in lines])
    return "–" if total is None else f"{short(total[0])} ({short(total[1])} to {short(total[2])})" if total[0] else "0"


def where_of(line: Line) -> str:
    """Nodes and GPUs of a job."""
    if not line.gpus:
        return ""
    return f"{line.nodes} x {line.gpus // line.nodes}" if line.nodes > 1 else f"{line.gpus}"


def joined(plan: Plan, lines: Sequence[Line]) -> list[str]:
    """Cells of lines that are of one stage and model, as one line of the table."""
    first = lines[0]
    names = {line.key[1] for line in lines}
    what = first.what
    if len(lines) > 1:
        subjects = dict.fromkeys(each[0] for each in names)
        what = (
            f"{first.key[1][0]} on {len(lines)} sets"
            if len(subjects) == 1 and len(first.key[1]) > 1
            else f"{len(lines)} of them"
        )
        what += judges_of(lines)
    left, jobs, computes = sum(line.left for line in lines), sum(line.jobs for line in lines), first.computes
    longest = max((line.hours for line in lines if line.hours is not None), default=None)
    segments = max(line.segments for line in lines)
    return [
        STAGE_WORDS[first.stage], what, short(added(lines, "rows")), short(added(lines, "tokens")), flops(added(lines, "flops")),
        hours_of(plan, lines), where_of(first), f"{left}" if left == jobs else f"{left} of {jobs}", short(longest) if computes else "",
        f"{segments}" if segments > 1 else "", ", ".join(dict.fromkeys(line.where for line in lines)),
        f"{sum(line.done for line in lines) / len(lines):.0%}" if any(line.done for line in lines) else "",
    ]  # fmt: skip


def judges_of(lines: Sequence[Line]) -> str:
    """Whose hours those of verdicts are, where all of them are a model's: " by qwen"."""
    judges = dict.fromkeys(line.judge for line in lines)
    return f" by {', '.join(judges)}" if all(judges) else ""


def added(lines: Sequence[Line], name: str) -> float | None:
    """Sum of what is known; None where nothing is."""
    values = [value for line in lines if (value := getattr(line, name)) is not None]
    return sum(values) if values else None


def grouped(plan: Plan, every: bool = False) -> list[list[Line]]:
    """Lines that are shown as one: of one stage, and where it uses a model of one answerer. `every`: each by itself."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in plan.lines:
        names = line.key[1]
        own = names if every else names[:1] if line.stage in ("traces", "train") or line.computes else ()
        groups.setdefault((line.stage, *own), []).append(line)
    return list(groups.values())


def unit_of(plan: Plan) -> str:
    """What hours are those of."""
    return "machine hours" if plan.machine_hours else "GPU-hours"


def heads(plan: Plan) -> list[str]:
    """Heads of the columns of `joined`."""
    hours = f"{unit_of(plan)} (80 % range)"
    return ["stage", "what", "rows", "tokens", "FLOPs", hours, "GPUs", "jobs", "longest h", "segments", "where", "done"]


def fits_of(plan: Plan) -> list[str]:
    """How models are spread, and that they fit."""
    groups: dict[str, list[Line]] = {}
    for line in plan.lines:
        if line.fit and line.left:
            # A judge is spread the same way whomever it judges.
            whose = line.by if line.judge else f" {line.key[1][0]}"
            groups.setdefault(f"{STAGE_WORDS[line.stage]}{whose}: {line.fit}", []).append(line)
    found = []
    for words, lines in groups.items():
        held = [line.held for line in lines if line.held is not None]
        found.append(words + (f"; context of {short(min(held))} requests or more" if held else ""))
    return found


def notes_of(plan: Plan) -> list[str]:
    """Notes, each once, with the lines that it is of."""
    groups: dict[str, list[str]] = {}
    for line in plan.lines:
        for note in line.notes if line.left else []:
            groups.setdefault(note, []).append(f"{STAGE_WORDS[line.stage]} {line.what}")
    return [
        f"{note} ({', '.join(names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''})"
        for note, names in groups.items()
    ]


def unknown_of(plan: Plan) -> list[str]:
    """Why hours are not known, and what would tell them; nothing where all are."""
    unknown = [line for line in plan.lines if line.computes and line.left and line.hours is None]
    if not unknown:
        return []
    if not plan.probed:
        return [
            f"not known (–) before a probe, since the file of the machine {plan.machine} has no data sheet (`gpu_speed`); "
            "`thoughtline plan --probe`, with the same options, measures it on a few rows and steps"
        ]
    names = list(dict.fromkeys(f"{STAGE_WORDS[line.stage]} {line.what}" for line in unknown))
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return [
        f"not known (–) of {', '.join(names[:2])}{more}: the probe did not measure them, and there is no data sheet (`gpu_speed`)"
    ]


def text(plan: Plan, every: bool = False) -> str:
    """The plan; with `every` a line for each question set."""
    found = [f"{plan.recipe} on {plan.machine}; rates from {plan.rates.source}", ""]
    found += table(heads(plan), [joined(plan, lines) for lines in grouped(plan, every)])
    found += ["", *table(target_heads(plan), target_rows(plan), left=1)]
    found += [
        "* the longest way through jobs that use a model, as many at once as the machine allows, without waiting in the queue",
        "FLOPs: what models need, nothing recomputed and no padding",
        *counted_of(plan),
        "",
    ]
    found += [f"hours: {words}" for words in unknown_of(plan)]
    found += [f"fits: {words}" for words in fits_of(plan)]
    found += [f"note: {words}" for words in notes_of(plan)]
    for area in plan.areas:
        quota = f"; quota {short(area.quota, 'B')}" if area.quota else ""
        found.append(
            f"storage: {area.name} ({area.path}): {short(area.kept, 'B')} stay, {short(area.peak, 'B')} at the peak{quota}"
        )
    found += [f"limits: {words}" for words in plan.limits]
    found += [f"advice: {words}" for words in plan.advice]
    found += [f"EXCEEDED: {words}" for words in plan.exceeded]
    return "\n".join(found)


def counted_of(plan: Plan) -> list[str]:
    """What node-hours and money count."""
    if plan.machine_hours:
        return []
    part = any(line.shared for line in plan.lines if line.gpus)
    held = (
        "a job's part of a node, since others may have the rest"
        if part
        else "whole nodes, since jobs do not share them"
    )
    words = [f"node-hours count {held}"]
    if plan.price:
        words.append(
            "cost is that of the GPUs in them; nodes that are paid for and wait, or are half empty, come on top"
        )
    return ["; ".join(words)]


def target_heads(plan: Plan) -> list[str]:
    """Heads of the columns of `target_rows`."""
    priced = ["cost"] if plan.price and not plan.machine_hours else []
    return ["target", unit_of(plan), "80 % range", *USING.values(), "node-hours", "jobs", "wall h*", *priced]


def target_rows(plan: Plan) -> list[list[str]]:
    """Cells of a line for each target and one for all; parts that targets share count in each, and once in the last."""
    rows = []
    for name, keys in [*plan.targets.items(), ("all", None)]:
        total = plan.total(keys)
        cells = ["–", "–"] if total is None else [short(total[0]), f"{short(total[1])} to {short(total[2])}"]
        for stage in USING:
            part = plan.total([line.key for line in plan.of(keys) if line.stage == stage])
            cells.append("–" if part is None else short(part[0]))
        cells.append(short(plan.node_hours(keys)))
        cells += [f"{sum(line.left for line in plan.of(keys))}", short(plan.wall(keys))]
        if plan.price and not plan.machine_hours:
            cost = plan.cost(keys)
            cells.append("–" if cost is None else f"{cost:,.0f} {plan.price.currency}")
        rows.append([name, *cells])
    return rows


def percent(error: float) -> str:
    """A relative error with its sign, which nothing has none of.

    >>> percent(0.046), percent(-0.09), percent(-0.002)
    ('+5%', '-9%', '0%')
    """
    words = f"{error:+.0%}"
    return "0%" if words in ("+0%", "-0%") else words


def calibration_text(rates: Rates, rows: Sequence[Row]) -> str:
    """The calibration table."""
    cells = []
    for row in rows:
        cells.append(
            [
                row.kind,
                row.name,
                f"{row.published:,.1f}",
                f"{row.predicted:,.1f}",
                percent(row.error),
                percent(row.left_out_error) if row.fitted else "not fitted",
            ]
        )
        if cost := row.facts.get("cost"):
            paid = row.predicted * row.facts["price"]
            cells.append(["", f"{row.name}, USD", f"{cost:,.0f}", f"{paid:,.0f}", percent(paid / cost - 1), ""])
    met = [row for row in rows if row.kind == "training" and abs(row.left_out_error) <= 0.2]
    trainings = [row for row in rows if row.kind == "training"]
    return "\n".join(
        [
            *table(["kind", "run", "published", "predicted", "error", "left out"], cells),
            "",
            "GPU-hours. `left out`: error of the prediction from all other runs (of evaluations: from none of the four).",
            f"training: {rates.training:.1%} of the peak FLOPs, and a node receives {rates.network / 1e9:.1f} GB/s of weights and gradients; "
            f"{len(met)} of {len(trainings)} runs left out are within 20 %",
            f"generation: {rates.generation:.1%} of the roofline",
            *(
                f"slowest job of {row.facts['jobs']} over the mean: published {row.facts['slowest_over_mean']:.2f}; "
                f"lengths of rows alone give {lengths_alone(row.facts):.2f}"
                for row in rows
                if "slowest_over_mean" in row.facts
            ),
            f"80 % ranges: training x {factors(rates.training_spread)}, generation x {factors(rates.generation_spread)}",
        ]
    )


def factors(spread: float) -> str:
    """Factors of an 80 % range.

    >>> factors(0.16)
    '0.81 to 1.23'
    """
    return f"{math.exp(-INNER * spread):.2f} to {math.exp(INNER * spread):.2f}"
