"""The rows that a shard's traces must have: what is asked, and the identity and seed of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError
from ..common.rows import seed_of, trace_id
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
            found.append(Request(key, question["question_id"], sample, seed, messages, settings["sampling"], turns))
    return found


def made_by(settings: dict[str, Any]) -> dict[str, Any]:
    """The header of journals: rows are reused where it is the same."""
    return {"format": FORMAT, **{key: settings.get(key) for key in ("code", "environment", "seed")}}
