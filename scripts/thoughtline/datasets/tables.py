"""The tables of a dataset folder, and writing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .candidates import BATCH, Candidate

CONVERSATIONS = pa.schema(
    [
        ("system", pa.string()),  # "" for none
        ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),  # user, assistant
    ]
)

METADATA = pa.schema(
    [
        (name, pa.string())
        for name in (
            "problem",
            "ground_truth_solution",  # the worked solution; the short answer where there is none
            "test_cases",  # code only
            "starter_code",  # code only
            "deepseek_reasoning",  # OpenThoughts' names, whoever the teacher is
            "deepseek_solution",
            "domain",
            "source",
        )
    ]
)
"""Exactly the eight columns of the `metadata` config of open-thoughts/OpenThoughts-114k, in their order."""

ROWS = pa.schema(
    [
        ("row", pa.int64()),  # its number in both configs, from 0
        ("question_id", pa.string()),
        ("trace_id", pa.string()),
        ("run", pa.string()),
        ("set", pa.string()),
        ("domain", pa.string()),
        ("source", pa.string()),
        ("tokens", pa.int32()),  # of the chat-formatted text; null when the recipe sets no max_tokens
        ("verdict", pa.string()),  # the verdict's status
    ]
)

DROPPED = pa.schema(
    [
        ("question_id", pa.string()),
        ("trace_id", pa.string()),
        ("set", pa.string()),  # two sets may share a question
        ("reason", pa.string()),  # one of card.REASONS
        ("detail", pa.string()),  # contaminated: which benchmark item; near_duplicate: which question stands for it
    ]
)

_TEXTS = ["trace_id", "reasoning", "response"]


def texts_of(
    traces: Sequence[Path], candidates: Iterable[Candidate]
) -> Iterator[list[tuple[Candidate, str | None, str]]]:
    """(candidate, reasoning, response) of the candidates, in the order of the files, a batch at a time."""
    by_file: dict[int, dict[str, Candidate]] = {}
    for each in candidates:
        by_file.setdefault(each.file, {})[each.trace_id] = each
    for number, wanted in sorted(by_file.items()):
        for batch in pq.ParquetFile(traces[number]).iter_batches(BATCH, columns=_TEXTS):
            rows = batch.filter(pc.is_in(batch["trace_id"], pa.array(list(wanted), pa.string()))).to_pylist()
            if rows:
                yield [(wanted[row["trace_id"]], row["reasoning"], row["response"]) for row in rows]


def ordered_texts(
    traces: Sequence[Path], candidates: Sequence[Candidate]
) -> Iterator[list[tuple[Candidate, str | None, str]]]:
    """The same in the order of `candidates`; all texts are held once, as Arrow memory."""
    schema = pa.schema([(name, pa.large_string()) for name in _TEXTS])
    parts = []
    for number in sorted({each.file for each in candidates}):
        wanted = pa.array([each.trace_id for each in candidates if each.file == number], pa.large_string())
        for batch in pq.ParquetFile(traces[number]).iter_batches(BATCH, columns=_TEXTS):
            table = pa.Table.from_batches([batch]).select(_TEXTS).cast(schema)
            parts.append(table.filter(pc.is_in(table["trace_id"], wanted)))
    texts = pa.concat_tables(parts).combine_chunks()
    place = {trace: number for number, trace in enumerate(texts["trace_id"].to_pylist())}
    for start in range(0, len(candidates), BATCH):
        chosen = candidates[start : start + BATCH]
        rows = texts.take(pa.array([place[each.trace_id] for each in chosen], pa.int64())).to_pylist()
        yield [(each, row["reasoning"], row["response"]) for each, row in zip(chosen, rows, strict=True)]


class Writer:
    """A Parquet file written a batch of rows at a time: small row groups, no dictionary, the same bytes each time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows as one row group."""
        self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
