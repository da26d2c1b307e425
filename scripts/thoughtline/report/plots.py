"""The report's figures. Each function takes plain data and returns one <svg>, or "" where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .numbers import MINUS, count, percent
from .svg import BAD, GOOD, INK, LINE, MUTED, OFF, PAPER, Plot, colour, plot

BINS = 30


def _verdict_legend(drawn: Plot, labels: dict[str, str]) -> None:
    """A legend above the figure: what the colours GOOD, OFF and BAD stand for."""
    handles = [Patch(color=shade, label=label) for shade, label in labels.items()]
    drawn.figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=1.2)


def _rows_only(ax: Axes, labels: Sequence[str], positions: Sequence[float]) -> None:
    ax.set_yticks(positions, labels)
    ax.tick_params(axis="y", labelcolor=INK, labelsize=12)
    ax.grid(False, axis="y")


def intervals(
    name: str, rows: Sequence[str], series: dict[str, list[dict[str, float] | None]], signed: bool = False
) -> str:
    """Dots with whiskers in percent: one band a row (a benchmark), one colour a series (a model or a comparison).

    Args:
        series: label -> for each row {"mean", "low", "high"} as shares of 1, or None where there is no value.
        signed: differences in points, with a line at 0, instead of scores.
    """
    if not series or not rows:
        return ""
    band = 20 * len(series) + 18
    what = "difference in percentage points" if signed else "correct answers, %"
    alternative = f"{what[0].upper()}{what[1:]}, with 95 % intervals, for {', '.join(rows)}; the table has the numbers."
    with plot(name, 62 + band * len(rows) + 24, alternative) as drawn:
        ax = drawn.figure.subplots()
        for number, (label, values) in enumerate(series.items()):
            offset = ((len(series) - 1) / 2 - number) * 20 / band
            known = [(len(rows) - 1 - row + offset, value) for row, value in enumerate(values) if value is not None]
            heights, means = [height for height, _ in known], [100 * value["mean"] for _, value in known]
            ax.hlines(
                heights, [100 * value["low"] for _, value in known], [100 * value["high"] for _, value in known],
                color=colour(number), linewidth=2.5, alpha=0.55,
            )  # fmt: skip
            ax.plot(means, heights, "o", color=colour(number), markersize=8, markeredgecolor=PAPER, label=label)
        for edge in range(len(rows) - 1):
            ax.axhline(edge + 0.5, color=LINE, linewidth=0.8)
        if signed:
            ax.axvline(0, color=INK, linewidth=1.2)
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", MINUS) if value else "0")
        else:
            ax.set_xlim(left=max(-1.5, ax.get_xlim()[0]), right=min(101.5, ax.get_xlim()[1]))
        ax.set_ylim(-0.5, len(rows) - 0.5)
        _rows_only(ax, rows, range(len(rows) - 1, -1, -1))
        ax.set_xlabel(what)
        handles, _ = ax.get_legend_handles_labels()
        drawn.figure.legend(handles=handles, loc="outside upper left", ncols=min(4, len(handles)), handletextpad=0.2)
    return drawn.svg


def funnel(groups: list[tuple[str, list[dict[str, Any]]]]) -> str:
    """What becomes of all that comes into a step, as bars of 100 %: one panel a question set.

    Args:
        groups: (set name, its bars), a bar being {"label", "total", "good", "bad", "off"} in rows.
    """
    groups = [(name, bars) for name, bars in groups if bars]
    if not groups:
        return ""
    heights = [len(bars) for _, bars in groups]
    alternative = "Share of the rows that each step passed on, dropped or left unjudged, for each question set."
    with plot("funnel", sum(30 * height + 54 for height in heights) + 44, alternative) as drawn:
        axes = drawn.figure.subplots(
            len(groups), 1, sharex=True, height_ratios=[h + 0.6 for h in heights], squeeze=False
        )
        for ax, (name, bars) in zip(axes[:, 0], groups, strict=True):
            for row, bar in enumerate(bars):
                left = 0.0
                for key, shade in (("good", GOOD), ("off", OFF), ("bad", BAD)):
                    width = 100 * bar[key] / bar["total"] if bar["total"] else 0
                    ax.barh(row, width, left=left, height=0.66, color=shade, edgecolor=PAPER, linewidth=1)
                    if width > 3 + 1.4 * len(count(bar[key])):
                        ax.text(
                            left + width / 2, row, count(bar[key]), ha="center", va="center", color=PAPER, fontsize=11
                        )
                    left += width
                ax.text(101, row, count(bar["total"]), va="center", color=MUTED, fontsize=11)
            ax.set_title(name)
            ax.set_xlim(0, 112)
            ax.set_xticks(range(0, 101, 20))
            ax.invert_yaxis()
            ax.grid(False)
            _rows_only(ax, [bar["label"] for bar in bars], range(len(bars)))
            ax.grid(False)
        axes[-1, 0].set_xlabel("% of what came in (number at the right)")
        labels = {GOOD: "passed on", OFF: "not judged", BAD: "dropped or wrong"}
        if not any(bar["off"] for _, bars in groups for bar in bars):
            del labels[OFF]
        _verdict_legend(drawn, labels)
    return drawn.svg


def yields(rows: list[dict[str, Any]]) -> str:
    """Two bars a row: correct share of traces, and share of questions with a correct trace."""
    rows = [row for row in rows if row["correct_share"] is not None]
    if not rows:
        return ""
    several = len({row["run"] for row in rows}) > 1
    labels = [f"{row['run']}: {row['domain']}" if several else row["domain"] for row in rows]
    keys = (
        ("with_correct_share", "questions with at least one correct trace", colour(4)),
        ("correct_share", "correct traces", GOOD),
    )
    with plot(
        "yields", 56 * len(rows) + 84, "Share of correct traces and of questions solved at least once, by domain."
    ) as drawn:
        ax = drawn.figure.subplots()
        for side, (key, label, shade) in zip((1, -1), keys, strict=True):
            places = [len(rows) - 1 - row + side * 0.19 for row in range(len(rows))]
            values = [100 * row[key] for row in rows]
            ax.barh(places, values, height=0.34, color=shade, label=label)
            for place, row in zip(places, rows, strict=True):
                ax.text(100 * row[key] + 0.8, place, percent(row[key]), va="center", fontsize=11, color=MUTED)
        _rows_only(ax, labels, range(len(rows) - 1, -1, -1))
        ax.set_xlim(0, min(106.0, 8 + max(100 * row["with_correct_share"] for row in rows)))
        ax.set_xlabel("%")
        handles, _ = ax.get_legend_handles_labels()
        drawn.figure.legend(handles=handles[::-1], loc="outside upper left", ncols=2, handlelength=1.2)
    return drawn.svg


def lengths(name: str, groups: list[tuple[str, Any]]) -> str:
    """Histograms of completion tokens, one small panel a group, stacked by verdict: correct, incorrect, not judged.

    Args:
        groups: (title, traces with columns completion_tokens and verdict).
    """
    groups = [(title, traces.dropna(subset=["completion_tokens"])) for title, traces in groups]
    groups = [(title, traces) for title, traces in groups if len(traces)]
    if not groups:
        return ""
    longest = max(int(traces["completion_tokens"].max()) for _, traces in groups)
    edges = np.linspace(0, max(longest, 1), BINS + 1)
    columns = 2 if len(groups) > 1 else 1
    lines = -(-len(groups) // columns)
    alternative = "Histograms of trace lengths in tokens: " + ", ".join(title for title, _ in groups)
    with plot(name, 150 * lines + 70, alternative) as drawn:
        axes = drawn.figure.subplots(lines, columns, sharex=True, squeeze=False)
        for ax, (title, traces) in zip(axes.flat, groups, strict=False):
            tokens, verdict = traces["completion_tokens"], traces["verdict"]
            masks = [verdict == "correct", ~verdict.isin(["correct", "incorrect"]), verdict == "incorrect"]
            ax.hist(
                [tokens[mask] for mask in masks], bins=edges, stacked=True, color=[GOOD, OFF, BAD],
                edgecolor=PAPER, linewidth=0.5,
            )  # fmt: skip
            ax.set_title(title)
            ax.grid(False, axis="x")
            ax.set_ylabel("traces")
            ax.yaxis.get_major_locator().set_params(integer=True, nbins=4)
            ax.tick_params(axis="x", labelbottom=True)
        for ax in axes.flat[len(groups) :]:
            ax.set_axis_off()
        for ax in axes.flat[max(0, len(groups) - columns) : len(groups)]:
            ax.set_xlabel("completion tokens")
        labels = {GOOD: "correct", OFF: "not judged", BAD: "incorrect"}
        if all(traces["verdict"].isin(["correct", "incorrect"]).all() for _, traces in groups):
            del labels[OFF]
        _verdict_legend(drawn, labels)
    return drawn.svg


def losses(curves: dict[str, list[list[tuple[float, float]]]]) -> str:
    """Loss by optimiser step: a colour a student, a thin line a seed.

    Args:
        curves: student -> for each seed the (step, loss) pairs.
    """
    curves = {name: [line for line in lines if line] for name, lines in curves.items()}
    curves = {name: lines for name, lines in curves.items() if lines}
    if not curves:
        return ""
    with plot("losses", 330, "Training loss by optimiser step for " + ", ".join(curves)) as drawn:
        ax = drawn.figure.subplots()
        for number, lines in enumerate(curves.values()):
            for line in lines:
                marker = "o" if len(line) < 3 else None
                ax.plot(*zip(*line, strict=True), color=colour(number), linewidth=1.6, alpha=0.85, marker=marker)
        ax.set_xlabel("optimiser step")
        ax.set_ylabel("loss (mean cross-entropy a token, nats)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        handles = [
            Line2D([], [], color=colour(number), label=f"{name} ({len(lines)} seeds)" if len(lines) > 1 else name)
            for number, (name, lines) in enumerate(curves.items())
        ]
        drawn.figure.legend(handles=handles, loc="outside upper left", ncols=min(3, len(handles)))
    return drawn.svg


def times(rows: list[dict[str, Any]]) -> str:
    """Wall time a stage, all its jobs together, in minutes (in hours from two hours on)."""
    rows = [row for row in rows if row["wall"]]
    if not rows:
        return ""
    hours = max(row["wall"] for row in rows) >= 7200
    unit = 3600 if hours else 60
    with plot("durations", 26 * len(rows) + 62, "Wall time of each stage, all its jobs together.") as drawn:
        ax = drawn.figure.subplots()
        places = range(len(rows) - 1, -1, -1)
        ax.barh(places, [row["wall"] / unit for row in rows], height=0.62, color=colour(0))
        for place, row in zip(places, rows, strict=True):
            ax.text(row["wall"] / unit, place, f" {row['wall_text']}", va="center", fontsize=11, color=MUTED)
        ax.set_xlim(0, 1.18 * max(row["wall"] for row in rows) / unit)
        _rows_only(ax, [row["stage"] for row in rows], places)
        ax.set_xlabel(f"wall time, {'hours' if hours else 'minutes'}, summed over jobs")
    return drawn.svg
