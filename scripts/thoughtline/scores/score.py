"""Verdicts of a model on a benchmark, summed up.

`B.json`, in this order of importance (keys are sorted in the file; no times: the same inputs give the same bytes):

    model, benchmark, domain, sources   names; how many questions each source gave
    questions, samples                  n questions, k runs of each
    accuracy       {mean, standard_error, interval: [low, high], level, method}; all shares are 0..1
                   null where every trace is rated, not judged right or wrong (verifier rating): then see measures
    runs           accuracy of each run, sample 0 first; null for a run without any judged trace
    pass_at_k      {"1": {mean, standard_error}, "2": ..., "4": ...} up to the fewest judged runs of a question
    majority_vote  {k, mean, standard_error, interval}; null for k < 3, without parsed answers, and for code and chat
    measures       {name: {mean, standard_error, interval, level, scale, questions, weight}}: what verdicts measure beside
                   right and wrong, sum(value) / sum(weight) over all judged runs that have it; {} without any
    counts         {traces, correct, incorrect, unparsed, error}
    reasons        why traces are not correct: {wrong_answer: n, ...}
    trace_statuses {finished, truncated, ...}; truncated_share of all traces
    completion_tokens {mean, median, max}; null when the engine reported none
    flags          sentences that a reader must see; empty when all is well
    verifiers      {name: [fingerprints]}
    generation     how the traces were made, from their sidecars (files.generation): model, revision, engine, seed
    settings, versions

A verdict `unparsed` (the judge's reply could not be read) counts as not correct, like `incorrect`. A verdict `error`
(the verifier itself failed) says nothing about the model: the run is left out of every figure, counted, and flagged.
A question all of whose runs are errors is left out of the means. `B.questions.parquet` has a row a question.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import pyarrow as pa

from .. import __version__
from ..common.canonical import canonical_json
from ..common.errors import UserError
from ..common.measures import scale_of
from ..common.reconcile import check_covered, check_parallel, read_judged, read_questions
from . import statistics

QUESTION_SCORES = pa.schema(
    [
        ("question_id", pa.string()),
        ("domain", pa.string()),
        ("source", pa.string()),
        ("samples", pa.int32()),  # judged runs: all but verdicts `error`
        ("correct", pa.int32()),  # correct ones among them
        ("p", pa.float64()),  # correct / samples; null when no run was judged, or judged right or wrong
        ("statuses", pa.string()),  # JSON {verdict status: runs}, errors among them
        ("majority_answer", pa.string()),  # what most runs answered; null without parsed answers
        ("measures", pa.string()),  # JSON {name: [sum of values, sum of weights]} over judged runs
    ]
)

NO_VOTE = ("code", "chat")
"""Domains whose answers are programs or prose: two right ones need not be equal, so counting equal ones says nothing."""


@dataclass
class Asked:
    """A question of the benchmark and its runs."""

    question_id: str
    domain: str
    source: str
    runs: list[Run] = field(default_factory=list)

    @property
    def judged(self) -> list[Run]:
        """Runs that the verifier could judge."""
        return [run for run in self.runs if run.status != "error"]

    @property
    def correct(self) -> int:
        """How many runs are correct."""
        return sum(run.correct for run in self.runs)

    @property
    def measures(self) -> dict[str, tuple[float, float]]:
        """Name -> (sum of values, sum of weights) over the judged runs that have it."""
        return {
            name: (sum(value for value, _ in pairs), sum(weight for _, weight in pairs))
            for name in sorted({name for run in self.judged for name in run.measures})
            for pairs in [[run.measures[name] for run in self.judged if name in run.measures]]
        }

    @property
    def vote(self) -> tuple[float, str | None]:
        """Score and answer of the majority of the judged runs."""
        return statistics.majority_vote((run.answer, run.correct) for run in self.judged)


@dataclass(frozen=True)
class Run:
    """One trace of a question with its verdict."""

    sample: int
    trace_status: str
    completion_tokens: int | None
    status: str
    reason: str
    answer: str | None
    verifier: str
    fingerprint: str
    measures: dict[str, list[float]]

    @property
    def rates(self) -> bool:
        """True where the verifier gives ratings, which are neither right nor wrong."""
        return self.verifier == "rating"

    @property
    def correct(self) -> bool:
        """True for the verdict `correct` only."""
        return self.status == "correct"


def read(questions: Sequence[Path], traces: Sequence[Path], verdicts: Sequence[Path], samples: int) -> list[Asked]:
    """The benchmark's questions by id, each with its runs 0 .. samples-1.

    Raises:
        UserError: rows do not match, a run is missing, or nothing was judged (verifier `none`).
    """
    check_parallel(traces, verdicts)
    rows = read_questions(questions, ["question_id", "domain", "source"])
    if not rows:
        raise UserError(", ".join(map(str, questions)), "holds no question", "a score needs at least one")
    asked = {each: Asked(**row) for each, row in sorted(rows.items())}
    pairs = [
        pair
        for trace_file, verdict_file in zip(traces, verdicts, strict=True)
        for pair in read_judged(
            trace_file,
            verdict_file,
            ["question_id", "sample", "status", "completion_tokens"],
            ["status", "reason", "answer", "verifier", "fingerprint", "measures"],
        )
    ]
    check_covered(asked, (trace["question_id"] for trace, _ in pairs), traces)
    for trace, verdict in pairs:
        if verdict["status"] == "unverified":
            raise UserError(
                f"verdicts of {trace['question_id']}",
                "are `unverified`",
                "give the benchmark a verifier: nothing can be scored without",
            )
        asked[trace["question_id"]].runs.append(
            Run(
                sample=trace["sample"],
                trace_status=trace["status"],
                completion_tokens=trace["completion_tokens"],
                **{name: verdict[name] for name in ("status", "reason", "answer", "verifier", "fingerprint")},
                measures=json.loads(verdict["measures"]),
            )
        )
    for each in asked.values():
        each.runs.sort(key=lambda run: run.sample)
        found = [run.sample for run in each.runs]
        if found != list(range(samples)):
            raise UserError(
                f"question {each.question_id}",
                f"has the runs {found}",
                f"needs 0 to {samples - 1}, each once: make its traces again",
            )
    return list(asked.values())


def _mean_and_error(values: Sequence[float]) -> dict[str, float | None]:
    return {"mean": mean(values), "standard_error": statistics.standard_error(values)}


def _with_interval(values: Sequence[float], runs: int) -> dict[str, Any]:
    return {**_mean_and_error(values), "interval": list(statistics.interval(values, runs)), "level": statistics.LEVEL}


def _vote(judged: list[Asked], samples: int) -> dict[str, Any] | None:
    answered = any(run.answer is not None for each in judged for run in each.judged)
    if samples < 3 or not answered or any(each.domain in NO_VOTE for each in judged):
        return None
    return {"k": samples, **_with_interval([each.vote[0] for each in judged], len(judged))}


def sum_measures(by_question: Iterable[Mapping[str, tuple[float, float]]]) -> dict[str, dict[str, Any]]:
    """`measures` of the score file, from the sums of each question."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for measures in by_question:
        for name, pair in measures.items():
            pairs.setdefault(name, []).append(pair)
    return {
        name: {
            **statistics.ratio(found, scale_of(name)),
            "level": statistics.LEVEL,
            "scale": list(scale_of(name)),
            "questions": len(found),
            "weight": sum(weight for _, weight in found),
        }
        for name, found in sorted(pairs.items())
    }


def _flags(asked: list[Asked], runs: list[Run]) -> list[str]:
    def count(matches: Callable[[Run], bool]) -> int:
        return sum(map(matches, runs))

    found = [
        (
            count(lambda run: run.status == "error"),
            "{} of {} runs could not be judged (verifier error) and are left out of every figure",
        ),
        (
            count(lambda run: run.status == "unparsed" and not run.rates),
            "{} of {} runs got an unreadable judgement and count as not correct",
        ),
        (
            count(lambda run: run.status == "unparsed" and run.rates),
            "{} of {} runs got an unreadable rating, which is left out of the means",
        ),
        (count(lambda run: run.trace_status == "failed"), "{} of {} runs failed to generate"),
    ]
    flags = [text.format(number, len(runs)) for number, text in found if number]
    if silent := sum(not each.judged for each in asked):
        flags.append(f"{silent} of {len(asked)} questions have no judged run and are left out of the means")
    return flags


def summarise(asked: list[Asked], model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The content of `B.json`: see the head of this module.

    Raises:
        UserError: not one run could be judged.
    """
    runs = [run for each in asked for run in each.runs]
    judged = [each for each in asked if each.judged]
    if not judged:
        raise UserError(
            settings["benchmark"],
            "the verifier failed on every run",
            "look at the verdicts' evidence, then verify again",
        )
    rated = any(run.rates for run in runs)
    shares = [each.correct / len(each.judged) for each in judged]
    by_run = [
        [each.runs[number].correct for each in judged if each.runs[number].status != "error"]
        for number in range(settings["samples"])
    ]
    tokens = [run.completion_tokens for run in runs if run.completion_tokens is not None]
    statuses = Counter(run.status for run in runs)
    trace_statuses = Counter(run.trace_status for run in runs)
    verifiers = {
        name: sorted({run.fingerprint for run in runs if run.verifier == name})
        for name in {run.verifier for run in runs}
    }
    return {
        "format": 1,
        "model": model,
        "benchmark": settings["benchmark"],
        "domain": "+".join(sorted({each.domain for each in asked})),
        "sources": dict(Counter(each.source for each in asked)),
        "questions": len(asked),
        "samples": settings["samples"],
        "accuracy": None
        if rated
        else {
            **_with_interval(shares, sum(len(each.judged) for each in judged)),
            "method": "Wilson at the effective sample size, questions as the sampling unit",
        },
        "runs": [mean(outcomes) if outcomes and not rated else None for outcomes in by_run],
        "pass_at_k": {
            str(k): _mean_and_error([statistics.pass_at_k(len(each.judged), each.correct, k) for each in judged])
            for k in statistics.powers_of_two(0 if rated else min(len(each.judged) for each in judged))
        },
        "majority_vote": None if rated else _vote(judged, settings["samples"]),
        "measures": sum_measures(each.measures for each in asked),
        "counts": {
            "traces": len(runs),
            **{status: statuses[status] for status in ("correct", "incorrect", "unparsed", "error")},
            **({"rated": statuses["rated"]} if rated else {}),
        },
        "reasons": dict(
            Counter(
                run.reason or run.status for run in runs if not run.correct and (run.reason or run.status != "rated")
            )
        ),
        "trace_statuses": dict(trace_statuses),
        "truncated_share": trace_statuses["truncated"] / len(runs),
        "completion_tokens": {"mean": mean(tokens), "median": median(tokens), "max": max(tokens)} if tokens else None,
        "flags": _flags(asked, runs),
        "verifiers": verifiers,
        "settings": settings,
        "versions": {"thoughtline": __version__, "python": platform.python_version(), "pyarrow": pa.__version__},
    }


def question_rows(asked: list[Asked]) -> list[dict[str, Any]]:
    """Rows of QUESTION_SCORES, one a question."""
    return [
        {
            "question_id": each.question_id,
            "domain": each.domain,
            "source": each.source,
            "samples": len(each.judged),
            "correct": each.correct,
            "p": each.correct / len(each.judged) if each.judged and not any(run.rates for run in each.runs) else None,
            "statuses": canonical_json(dict(Counter(run.status for run in each.runs))),
            "majority_answer": None if each.domain in NO_VOTE else each.vote[1],
            "measures": canonical_json(each.measures),
        }
        for each in asked
    ]
