"""Questions, traces and verdicts belong together row by row; what does not match stops the job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import UserError
from .rows import QUESTIONS, TRACES, VERDICTS, read_rows

Row = dict[str, Any]


def read_questions(paths: Iterable[str | Path], columns: list[str] | None = None) -> dict[str, Row]:
    """Questions of all files by id, in file order; where an id repeats, the first file's row stands."""
    found: dict[str, Row] = {}
    for path in paths:
        for row in read_rows(path, QUESTIONS, columns):
            found.setdefault(row["question_id"], row)
    return found


def _by_trace(path: str | Path, rows: list[Row]) -> dict[str, Row]:
    found = {row["trace_id"]: row for row in rows}
    if len(found) != len(rows):
        raise UserError(str(path), f"{len(rows) - len(found)} trace ids repeat", "make the file again")
    return found


def read_judged(
    traces: str | Path, verdicts: str | Path, trace_columns: list[str], verdict_columns: list[str]
) -> list[tuple[Row, Row]]:
    """(trace, verdict) of each trace, in the order of the trace file, with the columns asked for and trace_id.

    Raises:
        UserError: a trace has no verdict, a verdict no trace, or an id repeats; it names both files.
    """
    left = _by_trace(traces, read_rows(traces, TRACES, ["trace_id", *trace_columns]))
    right = _by_trace(verdicts, read_rows(verdicts, VERDICTS, ["trace_id", *verdict_columns]))
    for here, there, lacking, having, word in (
        (left, right, verdicts, traces, "verdict"),
        (right, left, traces, verdicts, "trace"),
    ):
        alone = sorted(here.keys() - there.keys())
        if alone:
            raise UserError(
                str(lacking),
                f"lacks a {word} for {len(alone)} rows of {having} (first {alone[0]})",
                "verify the traces again",
            )
    return [(row, right[trace]) for trace, row in left.items()]


def check_parallel(traces: Sequence[str | Path], verdicts: Sequence[str | Path]) -> None:
    """Refuse lists of trace and verdict files that cannot be paired one to one."""
    if len(traces) != len(verdicts):
        raise UserError(
            "--verdicts",
            f"{len(verdicts)} files for {len(traces)} trace files",
            "give one for each of --traces, in the same order",
        )


def check_covered(questions: Iterable[str], asked: Iterable[str], traces: Sequence[str | Path]) -> None:
    """Refuse traces of unknown questions, and questions without any trace."""
    known, seen = set(questions), set(asked)
    files = ", ".join(map(str, traces[:3])) + (", ..." if len(traces) > 3 else "")
    if unknown := sorted(seen - known):
        raise UserError(
            files,
            f"{len(unknown)} questions are in no file of --questions (first {unknown[0]})",
            "give all question files",
        )
    if silent := sorted(known - seen):
        raise UserError(
            files, f"{len(silent)} questions of --questions have no trace (first {silent[0]})", "give all trace files"
        )
