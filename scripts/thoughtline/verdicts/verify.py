"""Verify traces: one row of VERDICTS for each trace, with the verifier that the settings name.

A verdict depends on its question and its trace only, so order, number of workers and interruptions change nothing.
Finished verdicts go to a journal at once; a row is used again only if everything that it was judged by is the same.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json, digest
from ..common.deadline import Deadline
from ..common.errors import OutOfTime, UserError
from ..common.journal import Journal
from ..common.lease import Lease
from ..common.progress import Progress
from ..common.rows import QUESTIONS, TRACES, VERDICTS, read_rows, write_rows
from .cgroups import limits_reached
from .pool import Lending, run_jobs
from .verdict import Closing, Verdict, Verifier, excerpt, fingerprint_of

MODULES = {
    "math_verify": "math", "code": "code", "judge": "judge", "combined": "combine", "exact": "exact", "choice": "choice",
    "instructions": "instructions", "rating": "rating",
}  # fmt: skip
"""Verifier -> its module here, loaded by name: the code of one does not count in the results of another.
Each has `create(settings, options) -> Verifier`."""
QUESTION_COLUMNS = ["question_id", "problem", "answer", "choices", "tests"]
TRACE_COLUMNS = ["trace_id", "question_id", "sample", "status", "response"]
JUDGED_BY = ("problem", "answer", "choices", "tests")
MORE_COLUMNS = {"rating": (["turns", "references"], ["messages"])}
"""Verifier -> further columns of questions and of traces that it judges by."""


@dataclass(frozen=True)
class Service:
    """Where a judge is asked; `revision` is its model's, the rest cannot change a result."""

    url: str
    model: str
    revision: str
    key: str | None = None
    health_url: str | None = None
    diagnose: Callable[[], str] = str


@dataclass(frozen=True)
class Options:
    """What a verifier is given beside its settings."""

    service: Service | None = None
    """For a judge; default: the endpoint of its settings."""
    parsers: Lending = field(default_factory=Lending)
    """For a combined verifier: its parsers, which all who are given these options share."""


class NoVerifier(Closing):
    """The verifier `none`: every trace is unverified."""

    name = "none"

    def __init__(self, settings: dict[str, Any]) -> None:
        self.fingerprint = fingerprint_of(settings, {})

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge nothing."""
        return Verdict("unverified", "no_verifier")


def load(settings: dict[str, Any], options: Options | None = None) -> Verifier:
    """The verifier of complete settings (see complete.py)."""
    name = settings["verifier"]["verifier"]
    if name == "none":
        return NoVerifier(settings)
    return importlib.import_module(f".{MODULES[name]}", __package__).create(settings, options or Options())


def judged(verifier: Verifier, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
    """The verdict on one trace; a verifier that fails is tried again once, and then the row has status `error`.

    Raises:
        UserError, OutOfTime: nothing can be said of single rows.
    """
    for _ in range(2):
        try:
            return verifier.verify(question, trace)
        except (UserError, OutOfTime):
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
    return Verdict("error", "verifier_error", None, {"error": excerpt(why)})


def row_of(trace: dict[str, Any], verdict: Verdict, verifier: Verifier) -> dict[str, Any]:
    """A row of VERDICTS."""
    return {
        "trace_id": trace["trace_id"],
        "question_id": trace["question_id"],
        "sample": trace["sample"],
        "status": verdict.status,
        "reason": verdict.reason,
        "answer": _writable(verdict.answer),
        "verifier": verifier.name,
        "fingerprint": verifier.fingerprint,
        "evidence": _writable(canonical_json(verdict.evidence)),
        "measures": canonical_json(verdict.measures),
    }


def _writable(text: str | None) -> str | None:
    """`text` as Parquet can hold it: a lone surrogate becomes a question mark."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def key_of(question: dict[str, Any], trace: dict[str, Any]) -> str:
    """Identity of a verdict in the journal: all that it is judged by."""
    judged_by = [name for name in question if name in JUDGED_BY or name not in QUESTION_COLUMNS]
    return digest([*(question[name] for name in judged_by), *trace.values()], 32)


def require_memory(batch: list[tuple[str, dict[str, Any]]], before: int) -> None:
    """Refuse verdicts on programs that may have been killed because the job, not the program, had too little memory.

    Raises:
        UserError: the job has reached its limit since `before` (limits_reached), and a program of `batch` was killed.
    """
    killed = [row for _, row in batch if row["reason"] == "memory_limit" or '"exit":-9' in row["evidence"]]
    if killed and limits_reached() > before:
        raise UserError(
            "memory",
            f"the job reached its limit, so nothing is known of {len(killed)} programs that were killed",
            "run it again with more (mem_mb); all other verdicts are kept",
        )


def jobs_of(
    questions_path: Path, traces_path: Path, verifier: str = "none"
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Key -> (question, trace) for each trace, with the columns that `verifier` judges by.

    Raises:
        UserError: a trace answers a question that is not there, or occurs twice.
    """
    of_questions, of_traces = MORE_COLUMNS.get(verifier, ([], []))
    rows = read_rows(questions_path, QUESTIONS, QUESTION_COLUMNS + of_questions)
    questions = {row["question_id"]: row for row in rows}
    jobs, seen = {}, set()
    for trace in read_rows(traces_path, TRACES, TRACE_COLUMNS + of_traces):
        if trace["question_id"] not in questions:
            raise UserError(
                str(traces_path), f"trace {trace['trace_id']} answers question {trace['question_id']}",
                f"which is not in {questions_path}: give the questions that were asked",
            )  # fmt: skip
        if trace["trace_id"] in seen:
            raise UserError(str(traces_path), f"trace {trace['trace_id']} occurs twice", "make it again")
        seen.add(trace["trace_id"])
        question = questions[trace["question_id"]]
        jobs[key_of(question, trace)] = (question, trace)
    return jobs


def counts_of(traces: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The sidecar's counts: traces that came in, verdicts that went out."""
    return {
        "in": traces,
        "out": len(rows),
        "dropped": {},
        "status": dict(sorted(Counter(row["status"] for row in rows).items())),
        "reason": dict(sorted(Counter(row["reason"] for row in rows if row["reason"]).items())),
    }


def verify_traces(
    settings: dict[str, Any],
    questions: Path,
    traces: Path,
    out: Path,
    work: Path,
    *,
    workers: int = 1,
    deadline: Deadline | None = None,
    options: Options | None = None,
    label: str = "verdicts",
) -> dict[str, Any]:
    """Judge every trace and write `out`; returns the counts.

    Args:
        settings: complete settings (complete.complete).
        questions, traces: Parquet files of QUESTIONS and TRACES (of them QUESTION_COLUMNS, TRACE_COLUMNS and the
            verifier's MORE_COLUMNS are read).
        out: the Parquet file of VERDICTS, sorted by question_id, sample, trace_id.
        work: folder of the journal.
        workers: verdicts in hand at once.

    Raises:
        OutOfTime: the deadline came; the journal keeps what is finished.
        UserError: the input is wrong, or a judge's service is down.
    """
    deadline, options = deadline or Deadline(), options or Options()
    jobs = jobs_of(questions, traces, settings["verifier"]["verifier"])
    with load(settings, options) as first:  # type: ignore[attr-defined]
        fingerprint = first.fingerprint
    header = {"stage": "verdicts", "fingerprint": fingerprint}
    with Lease(work), Journal(work / "journal.jsonl", "key", header) as journal:
        found = {key: journal.rows[key]["row"] for key in jobs if key in journal.rows}
        left = [key for key in jobs if key not in found]

        def one(verifier: Verifier, key: str) -> tuple[str, dict[str, Any]]:
            question, trace = jobs[key]
            return key, row_of(trace, judged(verifier, question, trace), verifier)

        with Progress(len(jobs), label, "verdicts", len(found)) as progress:
            before = limits_reached()
            for batch in run_jobs(left, lambda: load(settings, options), one, workers, deadline.check):
                require_memory(batch, before)
                # A failure of the verifier is not remembered: another run may do better.
                journal.append(*({"key": key, "row": row} for key, row in batch if row["status"] != "error"))
                found.update(batch)
                progress.advance(len(batch))
        rows = list(found.values())
        write_rows(out, rows, VERDICTS, ["question_id", "sample", "trace_id"])
    return counts_of(len(jobs), rows)
