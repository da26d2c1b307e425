"""How long a trace will probably be, from other traces of the same question: who starts the longest first ends earliest.

Only the order of requests depends on it, never a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.rows import TRACES, read_rows

COLUMNS = ["question_id", "completion_tokens"]


class Expected:
    """Tokens by question: the mean over what other models wrote on it, and over its finished samples.

    Args:
        out: the shard's file, traces/ANSWERER/SET/SHARD.parquet; other answerers' files of the shard stand beside it.
        rows: of this shard, finished already.
    """

    def __init__(self, out: Path, rows: Iterable[dict[str, Any]] = ()) -> None:
        lengths: dict[str, list[int]] = defaultdict(list)
        for path in sorted(out.parents[2].glob(f"*/{out.parent.name}/{out.name}")):
            try:
                others = read_rows(path, TRACES, COLUMNS)
            except UserError:  # it is being made again, or of another format
                continue
            for row in others:
                lengths[row["question_id"]].append(row["completion_tokens"] or 0)
        for row in rows:
            lengths[row["question_id"]].append(row["completion_tokens"] or 0)
        self.known = {question: sum(each) / len(each) for question, each in lengths.items()}
        self.mean = sum(self.known.values()) / max(1, len(self.known))

    def of(self, question: str) -> float:
        """Tokens of a trace of this question; the mean where nothing is known."""
        return self.known.get(question, self.mean)
