"""The training rows: `default/train.parquet` of a dataset, as chat messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
"""Speaker in a `conversations` column (OpenThoughts' words and ShareGPT's) -> role of a chat message."""


def rows_path(dataset: Path) -> Path:
    """The file of the dataset's training rows."""
    return dataset / "default" / "train.parquet"


def messages_of(row: dict[str, Any], where: str) -> list[dict[str, str]]:
    """One row's chat messages: the system message where there is one, then user and assistant in turn.

    Raises:
        UserError: naming `where`, if a speaker is unknown, a turn is out of order, or the assistant never speaks.
    """
    messages = [{"role": "system", "content": row["system"]}] if row["system"] else []
    for number, turn in enumerate(row["conversations"] or []):
        role = ROLES.get(turn["from"])
        expected = ("user", "assistant")[number % 2]
        if role != expected:
            raise UserError(
                where,
                f"turn {number + 1} is from {turn['from']!r}",
                f"turns alternate, here the {expected} should speak",
            )
        messages.append({"role": role, "content": turn["value"] or ""})
    if not messages or messages[-1]["role"] != "assistant":
        raise UserError(where, "does not end with a reply of the assistant", "give rows with at least one reply")
    return messages


def read_conversations(dataset: Path) -> list[list[dict[str, str]]]:
    """The chat messages of each row, in the dataset's order.

    Raises:
        UserError: no such dataset, another format, no rows, or a row that is no conversation.
    """
    path = rows_path(dataset)
    if not path.is_file():
        raise UserError(str(path), "no such file", "make the dataset with `thoughtline datasets assemble`")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(str(path), f"cannot be read as Parquet ({error})", "make the dataset again") from None
    missing = [name for name in ("system", "conversations") if name not in table.schema.names]
    if missing:
        raise UserError(str(path), f"lacks the columns {missing}", "a training file has `system` and `conversations`")
    if table.num_rows == 0:
        raise UserError(
            str(path), "has no rows: there is nothing to train on", "relax the dataset's keep rule or filters"
        )
    rows = table.select(["system", "conversations"]).to_pylist()
    return [messages_of(row, f"{path}, row {number}") for number, row in enumerate(rows)]
