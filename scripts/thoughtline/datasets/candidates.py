"""Every trace that may become a row, without its text: thousands of them fit into little memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.reconcile import check_covered, check_parallel, read_judged

BATCH = 512
"""Rows that are read or written at once; a trace of a reasoning model is tens of kilobytes."""


@dataclass(slots=True, eq=False)
class Candidate:
    """One trace with its verdict."""

    trace_id: str
    question_id: str
    sample: int
    domain: str
    source: str
    run: str  # the trace run's name
    set: str  # the question set's name
    status: str  # of the trace
    verdict: str  # status of the verdict
    has_response: bool
    file: int  # which of the trace files holds it
    written: int | None = None  # tokens that the model wrote
    unreadable: str | None = None  # why the trace is not fit to read, once it was read
    text: str | None = None  # digest of the training text, once it was read
    tokens: int | None = None  # of the training text; counted only where the recipe limits them


@dataclass(frozen=True, slots=True)
class Drop:
    """A candidate that is not in the dataset, and why: the first reason that applies."""

    candidate: Candidate
    reason: str
    detail: str = ""


def with_response(path: str | Path) -> set[str]:
    """Ids of the traces whose response has anything but white space."""
    found: set[str] = set()
    for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=["trace_id", "response"]):
        filled = pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(batch["response"])), 0)
        found.update(batch["trace_id"].filter(pc.fill_null(filled, False)).to_pylist())
    return found


def read_candidates(
    questions: dict[str, dict[str, Any]], traces: Sequence[Path], verdicts: Sequence[Path]
) -> list[Candidate]:
    """All traces with their verdicts, in the order of the files.

    Args:
        questions: rows of QUESTIONS by id, with domain and source.
        traces: files named .../RUN/SET/SHARD.parquet.
        verdicts: one file for each of `traces`.

    Raises:
        UserError: rows of the files do not match.
    """
    check_parallel(traces, verdicts)
    found: list[Candidate] = []
    for number, (trace_file, verdict_file) in enumerate(zip(traces, verdicts, strict=True)):
        pairs = read_judged(
            trace_file, verdict_file, ["question_id", "sample", "status", "completion_tokens"], ["status"]
        )
        filled = with_response(trace_file)
        for trace, verdict in pairs:
            question = questions.get(trace["question_id"])
            if question is None:
                raise UserError(
                    str(trace_file),
                    f"question {trace['question_id']} is in no file of --questions",
                    "give all question files",
                )
            found.append(
                Candidate(
                    trace_id=trace["trace_id"],
                    question_id=trace["question_id"],
                    sample=trace["sample"],
                    domain=question["domain"],
                    source=question["source"],
                    run=trace_file.parent.parent.name,
                    set=trace_file.parent.name,
                    status=trace["status"],
                    verdict=verdict["status"],
                    has_response=trace["trace_id"] in filled,
                    file=number,
                    written=trace["completion_tokens"],
                )
            )
    check_covered(questions, (each.question_id for each in found), traces)
    return found
