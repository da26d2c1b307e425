"""Curate a question set: load its sources, sample, normalise, filter, deduplicate, and write its shards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..common.deadline import Deadline
from ..common.errors import UserError
from ..common.progress import Progress
from ..common.rows import QUESTIONS, shard_name, shard_of, write_rows
from ..provenance.sidecar import sidecar_path
from .deduplicate import compared_text, exact_duplicates, near_duplicates
from .filters import check_filter, entries, first_refusal
from .normalise import Mapping, Question, Unusable, encoded
from .sample import select
from .sources import load
from .table import Table

DROPPED = pa.schema(
    [
        ("source", pa.string()),
        ("index_in_source", pa.int64()),  # row number from 0
        (
            "reason",
            pa.string(),
        ),  # where, take, no_problem, bad_*, a filter's name, duplicate, near_duplicate, partition, limit
        ("problem", pa.string()),  # its first EXCERPT characters; null when there is none
        ("same_as", pa.string()),  # question_id of the kept question that it repeats, else null
    ]
)
EXCERPT = 200


@dataclass
class Pool:
    """Questions on their way into a set, and the rows that fell out of it."""

    sizes: dict[str, int] = field(default_factory=dict)  # source -> rows loaded
    questions: list[Question] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)  # source -> what identifies it

    def drop(self, source: str, number: int, reason: str, problem: Any, same_as: str | None = None) -> None:
        """Count a row out."""
        text = str(problem)[:EXCERPT].encode("utf-8", "replace").decode("utf-8") if problem is not None else None
        row = {"source": source, "index_in_source": number, "reason": reason, "problem": text, "same_as": same_as}
        self.dropped.append(row)

    def drop_questions(self, reasons: dict[int, tuple[str, str | None]]) -> None:
        """Count questions out: position -> (reason, id of the question that it repeats)."""
        for place, (reason, same_as) in reasons.items():
            question = self.questions[place]
            self.drop(question["source"], question["row"], reason, question["problem"], same_as)
        self.questions = [question for place, question in enumerate(self.questions) if place not in reasons]

    def counts(self) -> dict[str, Any]:
        """{"in", "out", "dropped": {reason: n}, "by_source": {source: the same three}}; in = out + dropped."""
        by_source = {
            name: {
                "in": size,
                "out": sum(question["source"] == name for question in self.questions),
                "dropped": _tally(row["reason"] for row in self.dropped if row["source"] == name),
            }
            for name, size in self.sizes.items()
        }
        whole = {
            "in": sum(self.sizes.values()),
            "out": len(self.questions),
            "dropped": _tally(row["reason"] for row in self.dropped),
        }
        for name, count in {"the set": whole, **by_source}.items():
            if count["in"] != count["out"] + sum(count["dropped"].values()):
                raise AssertionError(f"rows of {name} do not add up: {count}")
        return {**whole, "by_source": by_source}


def _tally(reasons: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for reason in reasons:
        found[reason] = found.get(reason, 0) + 1
    return dict(sorted(found.items()))


def curate(settings: dict[str, Any], stage: Path, work: Path, deadline: Deadline) -> Pool:
    """The questions of a set, sorted by id, and what was dropped on the way.

    Args:
        settings: {"set", "domain", "shards", "sources": [{"name", ...}], "deduplicate", "partition",
            "limit"}.
        stage: where hub data sets are staged.
        work: folder for temporary files.

    Raises:
        UserError: a source cannot be used, or no question is left.
        OutOfTime: the deadline came first (nothing is kept).
    """
    pool = Pool()
    for source in settings["sources"]:
        check_filters(source)
    for source in settings["sources"]:
        deadline.check()
        loaded = load(source, stage, work / "datasets")
        pool.sizes[source["name"]] = len(loaded.table)
        pool.files.extend(loaded.files)
        pool.facts[source["name"]] = dict(loaded.facts)
        add_source(pool, source, settings["domain"], loaded.table, deadline)
    deduplicate(pool, settings.get("deduplicate") or {}, settings["set"], deadline)
    if rule := settings.get("partition"):
        parts = [part_of(question["question_id"], rule["parts"]) for question in pool.questions]
        pool.drop_questions({at: ("partition", None) for at, part in enumerate(parts) if part not in rule["keep"]})
    pool.questions.sort(key=lambda question: question["question_id"])
    if limit := settings.get("limit"):
        pool.drop_questions(dict.fromkeys(range(limit, len(pool.questions)), ("limit", None)))
    if not pool.questions:
        raise UserError(f"questions.{settings['set']}", "no question is left", _why_empty(pool))
    return pool


def check_filters(source: dict[str, Any]) -> None:
    """Raise UserError unless the filters of a source fit, its metadata columns among them."""
    kept = (source.get("fields") or {}).get("metadata") or []
    for name, arguments in entries(source.get("filters") or []):
        where = f"sources.{source['name']}.filters"
        check_filter(name, arguments, where)
        column = str(arguments.get("field", ""))
        if (
            column.startswith("metadata.")
            and not source.get("reasoning_gym")
            and column.removeprefix("metadata.") not in kept
        ):
            raise UserError(
                f"{where}.{name}.field",
                f"{column!r} is no kept column",
                f"name the column under fields.metadata, which has {', '.join(kept) or 'none'}",
            )


def add_source(pool: Pool, source: dict[str, Any], domain: str, table: Table, deadline: Deadline) -> None:
    """Bring the rows of one source into the pool, as questions or as drops."""
    name, filters = source["name"], entries(source.get("filters") or [])
    mapping = Mapping(source, domain, table)
    numbers, skipped = select(table, source)
    problem = mapping.column["problem"]
    skipped_numbers = sorted(skipped)
    for number, row in zip(skipped_numbers, table.rows(skipped_numbers, [problem]), strict=True):
        pool.drop(name, number, skipped[number], row[problem])
    mapping.learn(table, numbers)
    with Progress(len(numbers), f"questions {name}") as progress:
        for number, row in zip(numbers, table.rows(numbers, mapping.columns), strict=True):
            try:
                question = mapping.question(row, number)
            except Unusable as reason:
                pool.drop(name, number, str(reason), row[problem])
            else:
                refusal = first_refusal(question, filters)
                if refusal:
                    pool.drop(name, number, refusal, question["problem"])
                else:
                    pool.questions.append(question)
            progress.advance()
            deadline.check()


def deduplicate(pool: Pool, rule: dict[str, Any], set_name: str, deadline: Deadline) -> None:
    """Drop repeated questions; of equals the one of the earliest source, there the earliest, stays.

    Raises:
        UserError: exact deduplication is off and two questions have one identity, which every later step needs unique.
    """
    same = exact_duplicates(pool.questions)
    ids = [question["question_id"] for question in pool.questions]
    if same and not rule.get("exact", True):
        place, first = next(iter(same.items()))
        names = [f"{pool.questions[at]['source']} row {pool.questions[at]['row']}" for at in (first, place)]
        raise UserError(
            f"questions.{set_name}.deduplicate.exact",
            f"is off, but {names[0]} and {names[1]} are the same question ({len(same)} repeated in all)",
            "turn it on: traces and verdicts are kept by question_id",
        )
    pool.drop_questions({place: ("duplicate", ids[first]) for place, first in same.items()})
    if similarity := rule.get("similarity"):
        ids = [question["question_id"] for question in pool.questions]
        with Progress(len(ids), f"questions {set_name}: near-duplicates") as progress:

            def step() -> None:
                progress.advance()
                deadline.check()

            like = near_duplicates([compared_text(question) for question in pool.questions], similarity, step=step)
        pool.drop_questions({place: ("near_duplicate", ids[first]) for place, first in like.items()})


def part_of(question: str, parts: int) -> int:
    """The part of a question, 0 .. parts-1, from other digits of its id than its shard (rows.shard_of)."""
    return int(question[12:24], 16) % parts


def _why_empty(pool: Pool) -> str:
    parts = []
    for name, count in pool.counts()["by_source"].items():
        reasons = ", ".join(
            f"{reason} {n}" for reason, n in sorted(count["dropped"].items(), key=lambda each: -each[1])
        )
        parts.append(f"{name}: {count['in']} rows" + (f", dropped by {reasons}" if reasons else ""))
    return "; ".join(parts)


def shard_paths(out: Path, shards: int) -> list[Path]:
    """SET/0000.parquet and so on."""
    return [out / f"{shard_name(number)}.parquet" for number in range(shards)]


def write(pool: Pool, shards: int, out: Path) -> list[int]:
    """Write SET/{0000..}.parquet and SET/dropped.parquet; returns the rows of each shard.

    Shards that an earlier run with more of them left behind are removed.
    """
    paths = shard_paths(out, shards)
    rows: list[list[dict[str, Any]]] = [[] for _ in paths]
    for question in pool.questions:
        rows[shard_of(question["question_id"], shards)].append(encoded(question))
    for path in set(out.glob("[0-9][0-9][0-9][0-9].parquet")) - set(paths):
        path.unlink()
        sidecar_path(path).unlink(missing_ok=True)
    write_rows(out / "dropped.parquet", pool.dropped, DROPPED, ["source", "index_in_source"])
    return [write_rows(path, part, QUESTIONS, ["question_id"]) for path, part in zip(paths, rows, strict=True)]
