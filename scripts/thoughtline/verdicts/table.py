"""Anybody's table of responses, one row each, as the questions and traces that verifiers take.

A column `response` and something to judge by are needed: unit tests, instructions, `choices` (with `answer`) or `answer`. Unit tests
may stand in a column `tests` or in the columns of a published set (PUBLISHED). Which verifier judges a row follows from what it brings,
unless one is named. Everything else is optional: `problem`, `question_id` and `sample` (for agreement and votes), `trace_id` (default:
row-NUMBER, counted from 0, so verdicts stand in the order of the table), `status` (default: finished). Thinking in <think>
tags is taken off a response and is not judged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.files import atomic_path
from ..common.rows import QUESTIONS, TRACE_STATUS, TRACES
from ..questions.instructions import instructions
from ..traces.reasoning import split_reasoning

PUBLISHED = (
    ("input_output",),
    ("public_test_cases", "private_test_cases", "metadata"),
    ("public_tests", "private_tests", "generated_tests"),
    ("test", "entry_point", "prompt"),
    ("test_list", "test_setup_code", "test_imports", "challenge_test_list"),
)
"""Columns that hold the unit tests of published sets (see formats.py); a row has such tests if it has the first."""
BY_REFERENCE = (("choices", "choice"), ("answer", "math_verify"))
"""What a row without tests is judged by -> the verifier that does it, first match."""
OF_QUESTION = ("problem", "answer", "choices", "tests")
KNOWN = {"response", *OF_QUESTION, "question_id", "sample", "trace_id", "status"}
RIGHT = "one row a response, with columns response and tests, choices or answer (--columns response=TEXT renames)"


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet or JSON Lines file.

    Raises:
        UserError: it is neither, or empty.
    """
    try:
        rows = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else _lines(path)
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror or error})", RIGHT) from None
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise UserError(str(path), f"is neither Parquet nor JSON Lines ({error})", RIGHT) from None
    if not rows:
        raise UserError(str(path), "has no rows", RIGHT)
    return rows


def _lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}, line {number}", f"is no JSON ({error})", "one JSON object a line") from None
            if not isinstance(row, dict):
                raise UserError(
                    f"{path}, line {number}", f"is {type(row).__name__}, no object", "one JSON object a line"
                )
            rows.append(row)
    return rows


def renamed(rows: list[dict[str, Any]], columns: dict[str, str], path: Path) -> list[dict[str, Any]]:
    """The rows with our names for their columns.

    Args:
        columns: our name -> the table's; for `tests` several, divided by commas.

    Raises:
        UserError: a column is not there.
    """
    for ours, theirs in columns.items():
        where = f"--columns {ours}={theirs}"
        if ours not in KNOWN:
            raise UserError(where, f"{ours} is no column of ours", f"known: {', '.join(sorted(KNOWN))}")
        for name in theirs.split(",") if ours == "tests" else [theirs]:
            if not any(name in row for row in rows):
                raise UserError(where, f"{path} has no column {name}", f"it has {', '.join(rows[0])}")
    rows = [{**row, **{ours: _taken(row, ours, theirs) for ours, theirs in columns.items()}} for row in rows]
    if not any("response" in row for row in rows):
        raise UserError(str(path), f"has no column response, only {', '.join(rows[0])}", RIGHT)
    return rows


def _taken(row: dict[str, Any], ours: str, theirs: str) -> Any:
    names = theirs.split(",") if ours == "tests" else [theirs]
    published = {name for group in PUBLISHED for name in group}
    # A published form is known by the names of its columns, so they go along.
    return {name: row.get(name) for name in names} if published & set(names) else row.get(theirs)


def tests_of_row(row: dict[str, Any]) -> Any:
    """What a row is tested by: `tests`, a published set's columns, or instructions; None when it has none of these.

    Raises:
        ValueError: its instructions cannot be read.
    """
    if row.get("tests"):
        return row["tests"]
    for group in PUBLISHED:
        if row.get(group[0]) and (group[0] != "test" or row.get("entry_point")):
            return {name: row[name] for name in group if name in row}
    if row.get("instruction_id_list"):
        return instructions(row["instruction_id_list"], row.get("kwargs"))
    return None


def verifier_of(row: dict[str, Any], tests: Any) -> str:
    """Which verifier judges this row."""
    if tests:
        named = tests if isinstance(tests, dict) else {}
        return "instructions" if "instructions" in named else "code"
    return next((verifier for column, verifier in BY_REFERENCE if row.get(column) not in (None, "", [])), "none")


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _question(row: dict[str, Any], identity: str, tests: Any) -> dict[str, Any]:
    choices = row.get("choices")
    if choices is not None and not (isinstance(choices, list) and all(isinstance(each, str) for each in choices)):
        raise ValueError(f"choices {str(choices)[:40]!r} is no list of texts")
    return {
        "question_id": identity, "source": "table", "problem": _text(row.get("problem")), "answer": _text(row.get("answer")),
        "choices": choices, "tests": _text(tests),
    }  # fmt: skip


def _trace(row: dict[str, Any], identity: str, default: str) -> dict[str, Any]:
    response, status, sample = row.get("response"), row.get("status") or "finished", row.get("sample") or 0
    if response is not None and not isinstance(response, str):
        raise ValueError(f"response {str(response)[:40]!r} is no text")
    if status not in TRACE_STATUS:
        raise ValueError(f"status {status!r} is none of {', '.join(TRACE_STATUS)}")
    if not isinstance(sample, int):
        raise ValueError(f"sample {sample!r} is no whole number")
    thinking, answer = split_reasoning(response or "")
    if thinking is not None and not answer and status == "finished":
        status = "truncated"  # it never came to an answer
    return {
        "trace_id": str(row.get("trace_id") or default), "question_id": identity, "sample": sample, "status": status,
        "response": answer,
    }  # fmt: skip


Part = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Questions and traces."""


def split(rows: list[dict[str, Any]], verifier: str | None, path: Path) -> dict[str, Part]:
    """Verifier -> its questions and traces.

    Raises:
        UserError: a row cannot be read, two rows of one question_id ask different things, or two rows are the same trace.
    """
    found: dict[str, Part] = {}
    questions: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for number, row in enumerate(rows):
        default = f"row-{number:09d}"
        identity = str(row.get("question_id") or default)
        try:
            tests = tests_of_row(row)
            question, trace = _question(row, identity, tests), _trace(row, identity, default)
        except ValueError as error:
            raise UserError(f"{path}, row {number} (from 0)", str(error), RIGHT) from None
        asked, answered = found.setdefault(verifier or verifier_of(row, tests), ([], []))
        if identity not in questions:
            asked.append(question)
        if questions.setdefault(identity, question) != question:
            raise UserError(
                f"{path}, row {number} (from 0)", f"question_id {identity} asks something else further up", "give it its own id"
            )  # fmt: skip
        if trace["trace_id"] in seen:
            raise UserError(
                f"{path}, row {number} (from 0)", f"trace_id {trace['trace_id']} occurs twice", "each row needs its own"
            )  # fmt: skip
        seen.add(trace["trace_id"])
        answered.append(trace)
    return found


def write_part(folder: Path, questions: list[dict[str, Any]], traces: list[dict[str, Any]]) -> tuple[Path, Path]:
    """The two files that verify_traces takes, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "questions.parquet", folder / "traces.parquet"
    for path, rows, schema in zip(paths, (questions, traces), (QUESTIONS, TRACES), strict=True):
        whole = [{**dict.fromkeys(schema.names), **row} for row in rows]
        with atomic_path(path) as part:
            pq.write_table(pa.Table.from_pylist(whole, schema=schema), part)
    return paths
