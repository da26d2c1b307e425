"""Score files: where the per-question outcomes lie, and reading both back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError
from ..common.files import read_json
from ..common.rows import read_rows
from ..provenance.sidecar import sidecar_path
from .score import QUESTION_SCORES


def questions_path(score: str | Path) -> Path:
    """`scores/M/B.json` -> `scores/M/B.questions.parquet`."""
    return Path(score).with_suffix(".questions.parquet")


def generation(traces: Sequence[str | Path]) -> list[dict[str, Any]]:
    """How traces were made, as their sidecars say: [{model, revision, engine, endpoint, seed, environment}], one a way.

    Files without a sidecar (somebody else's traces) say nothing; shards made alike say it once.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in traces:
        sidecar = sidecar_path(path)
        if not sidecar.is_file():
            continue
        record = read_json(sidecar)
        settings = record["settings"]
        way = {
            "model": record["details"].get("model"),
            "revision": record["details"].get("revision"),
            **{key: settings.get(key) for key in ("engine", "endpoint", "seed", "environment")},
        }
        found[canonical_json(way)] = way
    return [found[key] for key in sorted(found)]


def read_score(path: str | Path) -> dict[str, Any]:
    """A score file's content.

    Raises:
        UserError: there is no such file, or it is no score file.
    """
    if not Path(path).is_file():
        raise UserError(str(path), "there is no such file", "give a file that `thoughtline scores score` wrote")
    score = read_json(path)
    if not isinstance(score, dict) or not {"model", "benchmark", "accuracy"} <= score.keys():
        raise UserError(str(path), "is no score file", "give a file that `thoughtline scores score` wrote")
    return score


def read_shares(path: str | Path) -> dict[str, float | None]:
    """question_id -> share of correct runs (None where no run was judged), of the score file `path`."""
    rows = read_rows(questions_path(path), QUESTION_SCORES, ["question_id", "p"])
    return {row["question_id"]: row["p"] for row in rows}


def read_measures(path: str | Path) -> dict[str, dict[str, tuple[float, float]]]:
    """question_id -> {measure: (sum of values, sum of weights)}, of the score file `path`."""
    rows = read_rows(questions_path(path), QUESTION_SCORES, ["question_id", "measures"])
    return {
        row["question_id"]: {name: (value, weight) for name, (value, weight) in json.loads(row["measures"]).items()}
        for row in rows
    }
