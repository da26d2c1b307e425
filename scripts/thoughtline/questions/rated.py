"""Questions of one set, chosen by what a model said of them: a difficulty from 1 to 10, or how long it took to answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ..common.errors import UserError
from ..common.reconcile import check_covered, read_questions
from ..common.rows import QUESTIONS, TRACES, read_rows, shard_of, write_rows
from .curate import DROPPED, EXCERPT, part_of, shard_paths

Row = dict[str, Any]


def number_of(trace: Mapping[str, Any], measure: str, pattern: re.Pattern[str]) -> float | None:
    """The number that a trace gives its question; None when it gives none, or did not finish."""
    if trace["status"] != "finished":
        return None
    if measure == "tokens":
        return trace["completion_tokens"]
    found = pattern.findall(trace["response"] or "")
    try:
        return float(found[-1]) if found else None
    except ValueError:
        return None


def ratings(traces: Iterable[Mapping[str, Any]], rule: Mapping[str, Any]) -> dict[str, float | None]:
    """question_id -> mean of the numbers of its traces; None when no trace gives one."""
    pattern = re.compile(rule["pattern"])
    found: dict[str, list[float]] = {}
    for trace in traces:
        number = number_of(trace, rule["measure"], pattern)
        found.setdefault(trace["question_id"], []).extend([] if number is None else [number])
    return {question: mean(numbers) if numbers else None for question, numbers in found.items()}


def reason_of(rating: float | None, rule: Mapping[str, Any]) -> str | None:
    """Why a question is not chosen by its number alone; None when it may be."""
    if rating is None:
        return "unrated" if rule["unrated"] == "drop" else None
    if rule["at_least"] is not None and rating < rule["at_least"]:
        return "rated_below"
    return "rated_above" if rule["at_most"] is not None and rating > rule["at_most"] else None


def choose(rated: Mapping[str, float | None], settings: Mapping[str, Any]) -> dict[str, str]:
    """question_id -> why it is not chosen: unrated, rated_below, rated_above, not_highest, partition, limit.

    Of equal numbers the lowest question_id goes first.
    """
    rule = settings["rated"]
    dropped = {question: reason for question, rating in rated.items() if (reason := reason_of(rating, rule))}

    def left() -> list[str]:
        return sorted(rated.keys() - dropped.keys())

    def drop(questions: Iterable[str], reason: str) -> None:
        dropped.update(dict.fromkeys(questions, reason))

    if rule["highest"] is not None:
        lowest = float("-inf")
        ranked = sorted(left(), key=lambda each: -(lowest if rated[each] is None else rated[each]))
        drop(ranked[rule["highest"] :], "not_highest")
    if part := settings["partition"]:
        drop([each for each in left() if part_of(each, part["parts"]) not in part["keep"]], "partition")
    if settings["limit"] is not None:
        drop(left()[settings["limit"] :], "limit")
    return dropped


def counts_of(questions: Mapping[str, Row], dropped: Mapping[str, str]) -> dict[str, Any]:
    """{"in", "out", "dropped": {reason: n}, "by_source": {source: the same three}}; in = out + dropped."""

    def count(names: Sequence[str]) -> dict[str, Any]:
        reasons = Counter(dropped[each] for each in names if each in dropped)
        return {"in": len(names), "out": len(names) - reasons.total(), "dropped": dict(sorted(reasons.items()))}

    by_source: dict[str, list[str]] = {}
    for name, row in questions.items():
        by_source.setdefault(row["source"], []).append(name)
    return {**count(list(questions)), "by_source": {source: count(names) for source, names in by_source.items()}}


def select(settings: dict[str, Any], questions: Sequence[Path], traces: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write OUT/{0000..}.parquet and OUT/dropped.parquet; returns the counts.

    Args:
        settings: recipe.settings.questions of a set with `rated`.
        questions: all shards of the set to choose from.
        traces: all shards of the run that was asked about it.

    Raises:
        UserError: the files do not belong together, or no question is left.
    """
    rows = read_questions(questions)
    said = [trace for path in traces for trace in read_rows(path, TRACES)]
    check_covered(rows, (trace["question_id"] for trace in said), traces)
    dropped = choose(ratings(said, settings["rated"]), settings)
    counts = counts_of(rows, dropped)
    if not counts["out"]:
        reasons = ", ".join(f"{reason} {number}" for reason, number in counts["dropped"].items())
        raise UserError(
            f"questions.{settings['set']}", f"no question is left of {counts['in']} ({reasons})", "loosen `rated`"
        )
    shards: list[list[Row]] = [[] for _ in range(settings["shards"])]
    for name, row in rows.items():
        if name not in dropped:
            shards[shard_of(name, settings["shards"])].append(row)
    left_out = [
        {
            "source": rows[name]["source"],
            "index_in_source": json.loads(rows[name]["metadata"])["source_index"],
            "reason": reason,
            "problem": rows[name]["problem"][:EXCERPT],
            "same_as": None,
        }
        for name, reason in dropped.items()
    ]
    write_rows(out / "dropped.parquet", left_out, DROPPED, ["source", "index_in_source"])
    for path, part in zip(shard_paths(out, settings["shards"]), shards, strict=True):
        write_rows(path, part, QUESTIONS, ["question_id"])
    return counts
