"""Small question sets made on the spot."""

import json

import pytest
from thoughtline.common.deadline import Deadline
from thoughtline.common.rows import QUESTIONS, read_rows
from thoughtline.questions.curate import curate, shard_paths, write


@pytest.fixture
def jsonl(tmp_path):
    """Write rows as JSONL; gives the path."""

    def make(rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return make


@pytest.fixture
def curated(tmp_path):
    """Curate by function; gives the pool."""
    return lambda settings: curate(settings, tmp_path / "stage", tmp_path / "work", Deadline())


@pytest.fixture
def written(tmp_path, curated):
    """Curate and write; gives the rows of each shard."""

    def make(settings, out="out"):
        folder = tmp_path / out
        write(curated(settings), settings["shards"], folder)
        return [read_rows(path, QUESTIONS) for path in shard_paths(folder, settings["shards"])]

    return make
