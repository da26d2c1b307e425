"""The row formats of the pipeline, and the identities that hold them together.

Three tables, each a Parquet file a shard, sorted by id, so that the same rows give the same bytes.
JSON inside a column is always canonical (common.canonical).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .canonical import digest
from .errors import UserError
from .files import atomic_path

QUESTIONS = pa.schema(
    [
        ("question_id", pa.string()),  # question_id() below
        ("domain", pa.string()),  # one of names.DOMAINS
        ("source", pa.string()),  # the recipe's name of the source
        ("problem", pa.string()),  # the text that is asked
        ("answer", pa.string()),  # the reference answer, short; null when there is none
        ("solution", pa.string()),  # a worked reference solution or known-good program; null when there is none
        ("choices", pa.list_(pa.string())),  # options of a multiple-choice question, else null
        # JSON {inputs, outputs, fn_name?} or {asserts, ...} of a code problem, {instructions} of IFEval, else null
        ("tests", pa.string()),
        ("starter_code", pa.string()),  # code that a solution starts from, else null
        ("turns", pa.list_(pa.string())),  # further user messages of a conversation, in order; null when there is one
        ("references", pa.list_(pa.string())),  # a reference reply for each turn, the first among them, else null
        ("metadata", pa.string()),  # JSON: what the source said beside this (id in the source, difficulty, ...)
    ]
)

TRACES = pa.schema(
    [
        ("trace_id", pa.string()),  # trace_id() below
        ("question_id", pa.string()),
        ("sample", pa.int32()),  # 0 .. samples-1
        ("seed", pa.int64()),  # seed_of(trace_id)
        ("status", pa.string()),  # one of TRACE_STATUS
        ("finish_reason", pa.string()),  # the engine's own word: stop, length, content_filter, ...; null if failed
        ("reasoning", pa.string()),  # the thinking, without its tags; null when the model gave none apart
        ("response", pa.string()),  # the final answer's text (the last turn's); null if failed
        ("error", pa.string()),  # why the request failed in the end, else null
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("messages", pa.string()),  # JSON: the exact chat messages last sent, with the replies of earlier turns
    ]
)
TRACE_STATUS = ("finished", "truncated", "refused", "failed")

VERDICTS = pa.schema(
    [
        ("trace_id", pa.string()),
        ("question_id", pa.string()),
        ("sample", pa.int32()),
        ("status", pa.string()),  # one of VERDICT_STATUS
        ("reason", pa.string()),  # why: wrong_answer, time_limit, no_answer, truncated, judge_no, ...; "" if correct
        ("answer", pa.string()),  # the final answer as it was parsed; null when none was found
        ("verifier", pa.string()),  # the verifier's name
        ("fingerprint", pa.string()),  # digest of the verifier's settings, code and library versions
        ("evidence", pa.string()),  # JSON: failing test, parsed answers, the judge's words, ...
        ("measures", pa.string()),  # JSON {name: [value, weight]} (common.measures); "{}" when there are none
    ]
)
VERDICT_STATUS = ("correct", "incorrect", "rated", "unparsed", "unverified", "error")
"""rated: neither right nor wrong, but measured; unparsed: the judge's reply could not be read; unverified: there was
nothing to judge by (verifier none); error: the verifier itself failed. Only `correct` and `incorrect` say right or wrong."""


def normalise_problem(problem: str) -> str:
    """Unicode NFKC, whitespace runs as one space, ends trimmed, lower case: what identity is made of."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", problem)).strip().lower()


def question_id(domain: str, problem: str, choices: list[str] | None = None, turns: list[str] | None = None) -> str:
    """32 hex digits from domain and normalised problem (and options and further turns, where there are any)."""
    parts = [domain, normalise_problem(problem)]
    if choices:
        parts.append([normalise_problem(choice) for choice in choices])
    if turns:
        parts.append({"turns": [normalise_problem(turn) for turn in turns]})
    return digest(parts, 32)


def trace_id(
    question: str, messages: list[dict[str, str]], revision: str, sampling: dict[str, Any], sample: int
) -> str:
    """32 hex digits from question id, exact prompt, model revision, sampling parameters and sample number."""
    return digest([question, messages, revision, sampling, sample], 32)


def seed_of(trace: str, seed: int = 0) -> int:
    """The request's seed, 0 .. 2**31-1, derived from the trace's identity and the recipe's seed."""
    return int(digest([trace, seed], 8), 16) & 0x7FFFFFFF


def shard_of(question: str, shards: int) -> int:
    """The shard of a question: a hash partition, so a new row moves no other."""
    return int(question[:12], 16) % shards


def shard_name(number: int) -> str:
    """0 -> "0000"."""
    return f"{number:04d}"


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]], schema: pa.Schema, sort: list[str]) -> int:
    """Write rows atomically as Parquet, sorted by the columns `sort`; the same rows give the same bytes.

    Text columns get no dictionary and row groups are small, so a reader may take a few columns or a
    few rows without holding the file. Returns the number of rows.

    Raises:
        UserError: a row has a field that the schema lacks, or lacks one that it has.
    """
    rows = sorted(rows, key=lambda row: [row[name] for name in sort])
    names = set(schema.names)
    for row in rows:
        if set(row) != names:
            raise UserError(str(path), f"row with columns {sorted(row)}", f"needs exactly {sorted(names)}")
    table = pa.Table.from_pylist(rows, schema=schema)
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd", use_dictionary=False, row_group_size=4096)
    return table.num_rows


def read_rows(path: str | Path, schema: pa.Schema, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Read rows as dictionaries; a file of another format is one clear error."""
    try:
        table = pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise UserError(str(path), "is not there", "check the path, or make it") from None
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise UserError(str(path), f"cannot be read as Parquet ({error})", "make it again") from None
    wanted = pa.schema([schema.field(name) for name in (columns or schema.names)])
    missing = [name for name in wanted.names if name not in table.schema.names]
    if missing:
        raise UserError(str(path), f"lacks the columns {missing}", f"expected {wanted.names}")
    return table.select(wanted.names).cast(wanted).to_pylist()
