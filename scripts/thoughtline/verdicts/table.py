"""Anybody's table of responses, one row each, as the questions and traces that verifiers take.

A column `response` and something to judge by are needed: `tests`, `choices` (with `answer`) or `answer`. Which verifier judges a row
follows from that, unless one is named. Everything else is optional: `problem`, `question_id` and `sample` (for agreement
and votes), `trace_id` (default: the row's number, so verdicts stand in the order of the table), `status` (default: finished).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.files import atomic_path
from ..common.rows import QUESTIONS, TRACES

BY_REFERENCE = (("tests", "code"), ("choices", "choice"), ("answer", "math_verify"))
"""What a row is judged by -> the verifier that does it, first match."""
OF_QUESTION = ("problem", "answer", "choices", "tests")
RIGHT = "one row a response, with columns response and tests, choices or answer (--columns response=TEXT renames)"


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet or JSON Lines file.

    Raises:
        UserError: it is neither, or empty.
    """
    try:
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            lines = path.read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror or error})", RIGHT) from None
    except (ValueError, pa.ArrowInvalid) as error:
        raise UserError(str(path), f"is neither Parquet nor JSON Lines ({error})", RIGHT) from None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(str(path), "has no rows", RIGHT)
    return rows


def renamed(rows: list[dict[str, Any]], columns: dict[str, str], path: Path) -> list[dict[str, Any]]:
    """The rows with our names for their columns.

    Args:
        columns: our name -> the table's.

    Raises:
        UserError: a column is not there.
    """
    known = {"response", *OF_QUESTION, "question_id", "sample", "trace_id", "status"}
    for ours, theirs in columns.items():
        if ours not in known:
            raise UserError(
                f"--columns {ours}={theirs}", f"{ours} is no column of ours", f"known: {', '.join(sorted(known))}"
            )
        if not any(theirs in row for row in rows):
            raise UserError(
                f"--columns {ours}={theirs}", f"{path} has no column {theirs}", f"it has {', '.join(rows[0])}"
            )
    rows = [{**row, **{ours: row.get(theirs) for ours, theirs in columns.items()}} for row in rows]
    if not any("response" in row for row in rows):
        raise UserError(str(path), f"has no column response, only {', '.join(rows[0])}", RIGHT)
    return rows


def verifier_of(row: dict[str, Any]) -> str:
    """Which verifier judges this row."""
    return next((verifier for column, verifier in BY_REFERENCE if row.get(column)), "none")


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def split(
    rows: list[dict[str, Any]], verifier: str | None, path: Path
) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Verifier -> (questions, traces).

    Raises:
        UserError: two rows of one question_id ask different things, or two rows are the same trace.
    """
    found: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    questions: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    placed: set[str] = set()
    for number, row in enumerate(rows):
        identity = str(row.get("question_id") or f"{number:09d}")
        question = {"question_id": identity, **{name: row.get(name) for name in OF_QUESTION}}
        question |= {name: _text(question[name]) for name in ("problem", "answer", "tests")}
        if questions.setdefault(identity, question) != question:
            raise UserError(
                f"{path}, row {number}", f"question_id {identity} asks something else further up", "give it its own id"
            )
        trace = {
            "trace_id": str(row.get("trace_id") or f"{number:09d}"),
            "question_id": identity,
            "sample": int(row.get("sample") or 0),
            "status": row.get("status") or "finished",
            "response": row.get("response"),
        }
        if trace["trace_id"] in seen:
            raise UserError(
                f"{path}, row {number}", f"trace_id {trace['trace_id']} occurs twice", "each row needs its own"
            )
        seen.add(trace["trace_id"])
        asked, answered = found.setdefault(verifier or verifier_of(row), ([], []))
        if identity not in placed:
            placed.add(identity)
            asked.append(question)
        answered.append(trace)
    return found


def write_part(folder: Path, questions: list[dict[str, Any]], traces: list[dict[str, Any]]) -> tuple[Path, Path]:
    """The two files that verify_traces takes, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "questions.parquet", folder / "traces.parquet"
    for path, rows, schema in zip(paths, (questions, traces), (QUESTIONS, TRACES), strict=True):
        names = list(rows[0])
        table = pa.Table.from_pylist(rows, schema=pa.schema([schema.field(name) for name in names]))
        with atomic_path(path) as part:
            pq.write_table(table, part)
    return paths
