"""What a run has made already: rows, tokens and steps on disk, so that a plan shows what is left."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.files import read_json
from ..recipe.paths import Paths

ENOUGH = 20
"""Traces from which their lengths count rather than the expected ones."""


def _rows_of(path: Path) -> int:
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, ValueError) as error:
        raise UserError(str(path), f"cannot be read ({str(error).splitlines()[0]})", "make it again") from None


@dataclass(frozen=True)
class DoneTraces:
    """Of one answerer on one question set."""

    shards: int
    """Whole shards."""
    rows: int
    """Rows of whole shards, and of the journals of the others."""
    mean: float | None
    """Mean tokens of a reply, where there are ENOUGH in whole shards."""
    median: float | None


class Done:
    """The artifacts of a recipe that are there. With `fresh` none counts.

    Rows in journals count as they are: whether they still belong to the recipe is known when their job starts.
    """

    def __init__(self, paths: Paths, fresh: bool = False) -> None:
        self._paths, self._fresh = paths, fresh

    def _there(self, path: str | Path) -> bool:
        return not self._fresh and Path(path).is_file()

    def questions(self, set_name: str) -> int | None:
        """Questions of a set that has been curated."""
        files = self._paths.rows("questions", set_name)
        return sum(_rows_of(Path(path)) for path in files) if all(map(self._there, files)) else None

    def traces(self, answerer: str, set_name: str) -> DoneTraces:
        """What has been generated."""
        shards, rows, lengths = 0, 0, []
        for shard, path in zip(
            self._paths.shards(set_name), self._paths.rows("traces", answerer, set_name), strict=True
        ):
            if self._there(path):
                column = pq.read_table(path, columns=["completion_tokens"])["completion_tokens"].to_pylist()
                shards, rows = shards + 1, rows + len(column)
                lengths += [each for each in column if each]
                continue
            journal = Path(self._paths.traces_work(answerer, set_name, shard), "traces.jsonl")
            if self._there(journal):
                rows += max(0, journal.read_bytes().count(b"\n") - 1)
        known = len(lengths) >= ENOUGH
        return DoneTraces(
            shards, rows, statistics.fmean(lengths) if known else None, statistics.median(lengths) if known else None
        )

    def verdicts(self, answerer: str, set_name: str) -> int:
        """Whole shards of verdicts."""
        return sum(map(self._there, self._paths.rows("verdicts", answerer, set_name)))

    def dataset(self, name: str) -> int | None:
        """Rows of a dataset that has been assembled."""
        path = Path(self._paths.dataset(name), "default/train.parquet")
        return _rows_of(path) if self._there(path) else None

    def model(self, name: str) -> bool:
        """Whether a model is there."""
        return self._there(self._paths.model(name))

    def steps(self, name: str) -> int:
        """Optimiser steps of a training that its newest whole checkpoint has."""
        if self._fresh:
            return 0
        found = [0]
        for mark in Path(self._paths.root, "work/models", name).glob("*/checkpoint-*/complete.json"):
            number = mark.parent.name.rpartition("-")[2]
            found.append(int(number) if number.isdigit() else 0)
        return max(found)

    def scores(self, model: str, benchmark: str) -> bool:
        """Whether a score is there."""
        return self._there(f"{self._paths.root}/scores/{model}/{benchmark}.json")

    def draft(self, name: str) -> bool:
        """Whether a draft model has been measured."""
        return self._there(self._paths.draft(name))

    def report(self) -> bool:
        """Whether the report is there."""
        return all(map(self._there, self._paths.targets()))

    def probe(self) -> dict[str, Any]:
        """What a probe measured; {} without one."""
        path = Path(self._paths.root, "work/probe.json")
        try:
            return read_json(path) if path.is_file() else {}
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(str(path), f"cannot be read ({error})", "delete it, and probe again") from None
