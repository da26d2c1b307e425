"""The report's figures as CSV, for whoever wants to compute with them: shares of 1 (ratings as given), not rounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..common.files import write_text
from .funnel import Step, funnel_rows
from .scoreboard import MACRO, conclusion

SCORES = ["model", "group", "seeds", "benchmark", "questions", "samples", "mean", "standard_error", "low", "high"]
DIFFERENCES = [
    "title", "a", "b", "benchmark", "questions", "mean", "standard_error", "low", "high", "standard_error_with_seeds",
    "low_with_seeds", "high_with_seeds", "better", "equal", "worse", "conclusion",
]  # fmt: skip
MEASURES = [
    "model", "group", "seeds", "benchmark", "measure", "questions", "mean", "standard_error", "low", "high",
]  # fmt: skip
AGREEMENT = [
    "answerer", "set", "source", "rows", "judged", "both", "parser_alone", "judge_alone", "neither", "undecided_kept",
    "undecided_rejected", "unparsed", "agreement", "agreement_low", "agreement_high", "kappa", "kappa_low", "kappa_high",
    "kept_parser", "kept_judge", "kept_either", "kept_both", "kept_undecided",
]  # fmt: skip
PUBLISHED = [
    "model", "benchmark", "metric", "mean", "low", "high", "questions", "samples", "published", "published_low", "published_high",
    "published_runs", "difference", "difference_low", "difference_high", "conclusion", "source",
]  # fmt: skip
FUNNEL = ["verb", "set", "by", "kind", "what", "rows"]
YIELDS = [
    "run", "domain", "questions", "samples", "traces", "judged", "correct", "correct_share", "with_correct",
    "with_correct_share",
]  # fmt: skip


def _score_lines(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        head = {"model": row["name"], "group": row["group"], "seeds": row["seeds"] or 1}
        for benchmark, cell in [*row["cells"].items(), (MACRO, row["macro"])]:
            if cell is not None:
                yield {**head, "benchmark": benchmark, **cell}


def _difference_lines(comparisons: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in comparisons:
        for row in each["rows"]:
            yield {**row, **{key: each[key] for key in ("title", "a", "b")}, "conclusion": conclusion(row)}


def csv_text(columns: list[str], rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> str:
    """CSV with a header; what is not in `columns` is left out, None is an empty field."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write_tables(
    folder: Path,
    scores: list[dict[str, Any]],
    differences: list[dict[str, Any]],
    steps: list[Step],
    yields: list[dict[str, Any]],
    measures: list[dict[str, Any]],
    agreements: list[dict[str, Any]],
    published: list[dict[str, Any]],
) -> list[Path]:
    """Write scores, measures, differences, published scores (if any), funnel, yields and agreement, each .csv, into `folder`; returns their paths."""
    texts = {
        "scores.csv": csv_text(SCORES, _score_lines(scores)),
        "differences.csv": csv_text(DIFFERENCES, _difference_lines(differences)),
        "funnel.csv": csv_text(FUNNEL, funnel_rows(steps)),
        "yields.csv": csv_text(YIELDS, yields),
        "agreement.csv": csv_text(AGREEMENT, agreements),
        "measures.csv": csv_text(MEASURES, [{**row, "seeds": row["seeds"] or 1} for row in measures]),
    }
    if published:
        texts["published.csv"] = csv_text(PUBLISHED, published)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
