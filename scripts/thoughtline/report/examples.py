"""A few traces to read, chosen by rule and not by taste: the lowest ids of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .collect import Answers, Results

EACH = 2
"""Traces shown of each domain and verdict."""

LONGEST = 4000
"""Characters of one text that are shown; what is left out is counted."""


def readable(text: str | None) -> str | None:
    """`text`, shortened to LONGEST characters."""
    left = 0 if text is None else len(text) - LONGEST
    return text if left <= 0 else f"{text[:LONGEST]}\n[… {left:,} more characters]"


def _rows(paths: list[Path], key: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The rows with these ids, by id."""
    if not ids:
        return {}
    tables = [pq.read_table(path, filters=[(key, "in", ids)]) for path in paths if path.is_file()]
    return {row[key]: row for table in tables for row in table.to_pylist()}


def _evidence(verdict: dict[str, Any] | None) -> str | None:
    if not verdict or not verdict["evidence"]:
        return None
    try:
        return readable(json.dumps(json.loads(verdict["evidence"]), indent=1, sort_keys=True, ensure_ascii=False))
    except json.JSONDecodeError:
        return readable(verdict["evidence"])


def _shown(results: Results, answers: Answers, chosen: list[str]) -> list[dict[str, Any]]:
    """Question, reply and verdict of some traces, in the order of `chosen`."""
    where = f"{answers.answerer}/{answers.set_name}".split("/")
    traces = _rows(results.shards(f"traces/{where[0]}", where[1]), "trace_id", chosen)
    verdicts = _rows(results.shards(f"verdicts/{where[0]}", where[1]), "trace_id", chosen)
    ids = sorted({trace["question_id"] for trace in traces.values()})
    questions = _rows(results.shards("questions", where[1]), "question_id", ids)
    shown = []
    for each in chosen:
        trace, verdict = traces[each], verdicts.get(each)
        question = questions.get(trace["question_id"], {})
        shown.append(
            {
                "answerer": answers.answerer,
                "set": answers.set_name,
                "trace_id": each,
                "question_id": trace["question_id"],
                "trace_status": trace["status"],
                "tokens": trace["completion_tokens"],
                "problem": readable(question.get("problem")),
                "choices": [readable(choice) for choice in question.get("choices") or []],
                "reference": readable(question.get("answer")),
                "reasoning": readable(trace["reasoning"]),
                "response": readable(trace["response"] if trace["status"] != "failed" else trace["error"]),
                "verdict": verdict["status"] if verdict else "no verdict yet",
                "reason": readable(verdict["reason"]) if verdict else "",
                "parsed": readable(verdict["answer"]) if verdict else None,
                "evidence": _evidence(verdict),
            }
        )
    return shown


def training_examples(results: Results) -> dict[str, list[dict[str, Any]]]:
    """Domain -> traces of the training questions: the EACH lowest trace ids of each verdict, correct ones first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for answers in results.answers.values():
        if answers.benchmark or answers.traces.empty:
            continue
        here = found.setdefault(answers.traces["domain"].iloc[0], [])
        verdicts = answers.traces["verdict"].astype(object).where(answers.traces["verdict"].notna(), "none")
        for verdict in ("correct", "incorrect", *sorted(set(verdicts) - {"correct", "incorrect"})):
            already = sum(example["verdict"] == verdict for example in here)
            ids = sorted(answers.traces.loc[verdicts == verdict, "trace_id"])[: max(0, EACH - already)]
            here += _shown(results, answers, ids)
    return found


def benchmark_examples(results: Results, models: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Benchmark -> what each of `models` answered to its lowest question id, first sample."""
    found: dict[str, list[dict[str, Any]]] = {}
    for (model, name), answers in results.answers.items():
        if not answers.benchmark or model not in models or answers.traces.empty:
            continue
        first = answers.traces.sort_values(["question_id", "sample"]).iloc[0]
        found.setdefault(name, []).extend(_shown(results, answers, [first["trace_id"]]))
    return found
