"""The rows that a shard's traces must have: what is asked, and the identity and seed of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError
from ..common.rows import TRACES, read_rows, seed_of, trace_id
from .engine import revision_text
from .prompts import Messages, messages_of

FORMAT = 1
"""Of the journals' rows."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One row to make."""

    trace_id: str
    question_id: str
    sample: int
    seed: int
    messages: Messages
    sampling: dict[str, Any]
    turns: tuple[str, ...] = ()
    """Further user messages, each sent once the one before is answered."""
    form: str = "think"
    """How thinking and answer are told apart in the reply: the recipe's `format` of the trace run."""


def revision_of(settings: dict[str, Any], model: dict[str, Any] | None) -> str:
    """The revision that trace ids are made of: weights and engine settings, or what an endpoint says of itself."""
    endpoint = settings.get("endpoint")
    if endpoint:
        return canonical_json({"model": endpoint["model"], "revision": endpoint["revision"]})
    if model is None:
        raise UserError("--model", "is missing", "give the model's model.json (only an endpoint needs none)")
    return revision_text(model["revision"], settings.get("engine") or {})


def requests_of(questions: list[Row], settings: dict[str, Any], revision: str) -> list[Request]:
    """All rows that a shard's traces must have, in the order of questions, then samples.

    Raises:
        UserError: a question occurs twice.
    """
    repeated = [key for key, count in Counter(row["question_id"] for row in questions).items() if count > 1]
    if repeated:
        raise UserError("--questions", f"question_id {repeated[0]} occurs more than once", "curate the questions again")
    found = []
    for question in questions:
        messages = messages_of(settings["prompt"], question)
        for sample in range(settings["samples"]):
            key = trace_id(question["question_id"], messages, revision, settings["sampling"], sample)
            seed = seed_of(key, settings["seed"])
            turns = tuple(question["turns"] or ())
            form = settings.get("format", "think")
            found.append(
                Request(key, question["question_id"], sample, seed, messages, settings["sampling"], turns, form)
            )
    return found


def rewriting_of(
    questions: list[Row], settings: dict[str, Any], revision: str, traces: Path
) -> tuple[list[Request], list[Row]]:
    """All rows of a shard whose traces are those of another file, written anew.

    Args:
        traces: the file of the traces, of the same questions and samples.

    Returns:
        What is to be asked, and the rows of traces that did not finish: there is nothing to write anew, and they fail.

    Raises:
        UserError: the traces are not those of the questions.
    """
    before = {(row["question_id"], row["sample"]): row for row in read_rows(traces, TRACES)}
    wanted = {(row["question_id"], sample) for row in questions for sample in range(settings["samples"])}
    if before.keys() != wanted:
        raise UserError(
            str(traces),
            f"has {len(before)} traces, {len(before.keys() & wanted)} of the {len(wanted)} that are to be written anew",
            "give the same shard of the run that is rewritten",
        )
    asked, rest = [], []
    for question in questions:
        for sample in range(settings["samples"]):
            old = before[question["question_id"], sample]
            name = question["question_id"]
            if old["status"] == "finished":
                trace = {"reasoning": old["reasoning"] or "", "response": old["response"] or ""}
                messages = messages_of(settings["prompt"], question, trace)
                key = trace_id(name, messages, revision, settings["sampling"], sample)
                seed, form = seed_of(key, settings["seed"]), settings.get("format", "think")
                asked.append(Request(key, name, sample, seed, messages, settings["sampling"], (), form))
                continue
            source = [{"trace_id": old["trace_id"]}]
            key = trace_id(name, source, revision, settings["sampling"], sample)
            row: Row = dict.fromkeys(TRACES.names)
            row |= {"trace_id": key, "question_id": name, "sample": sample, "seed": seed_of(key, settings["seed"])}
            row |= {"status": "failed", "error": f"the trace to write anew was {old['status']}", "messages": "[]"}
            rest.append(row)
    return asked, rest


def made_by(settings: dict[str, Any]) -> dict[str, Any]:
    """The header of journals: rows are reused where it is the same."""
    return {"format": FORMAT, **{key: settings.get(key) for key in ("code", "environment", "seed")}}
