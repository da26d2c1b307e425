"""An append-only journal of finished rows: what makes generation and verification resumable.

One JSON object a line. The first line is the header: what the rows were made with. A row is on
disk when `append` returns (fsync), so a kill loses at most the row that was being written; the
torn tail that this leaves is cut off at the next opening.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .canonical import canonical_json
from .errors import UserError


class Journal:
    """Rows by key, in a file that survives kill -9.

    Args:
        path: the journal file; its directory is made when missing.
        key: the name of the field that identifies a row.
        header: whatever must be equal for old rows to be reused. A journal with another header is
            set aside (renamed with a number), never mixed in and never deleted.
    """

    def __init__(self, path: str | os.PathLike[str], key: str, header: dict[str, Any]) -> None:
        self.path, self.key, self.header = Path(path), key, header
        self.rows: dict[str, dict[str, Any]] = {}
        self.torn_bytes = 0
        self.duplicates = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._load()
        self._stream = open(self.path, "ab")
        if self._stream.tell() == 0:
            self._write([{"journal": header}])

    def _load(self) -> None:
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        lines = data[:end].splitlines()
        if not lines or lines[0] != canonical_json({"journal": self.header}).encode():
            if data.strip(b"\0\n"):
                self._set_aside()
            else:
                self.path.unlink()
            return
        self.torn_bytes = len(data) - end
        if self.torn_bytes:
            os.truncate(self.path, end)
        for number, line in enumerate(lines[1:], start=2):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(
                    f"{self.path}:{number}", f"damaged journal line ({error})", "delete that line, or the journal"
                ) from None
            self._take(row, number)

    def _take(self, row: dict[str, Any], number: int) -> None:
        known = self.rows.get(row[self.key])
        if known is None:
            self.rows[row[self.key]] = row
        elif known == row:
            self.duplicates += 1
        else:
            raise UserError(
                f"{self.path}:{number}",
                f"two different rows with {self.key} {row[self.key]}",
                "two writers have used this journal: delete it, its rows are made again",
            )

    def _set_aside(self) -> None:
        number = 1
        while (other := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        os.replace(self.path, other)

    def _write(self, rows: Iterable[dict[str, Any]]) -> None:
        self._stream.write(b"".join(canonical_json(row).encode("utf-8", "surrogatepass") + b"\n" for row in rows))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def append(self, *rows: dict[str, Any]) -> None:
        """Write finished rows; they are on disk when this returns.

        Raises:
            UserError: a row with this key is there already with other content.
            OSError: the disk is full; the journal stays readable and can go on once there is room.
        """
        fresh = [row for row in rows if self.rows.get(row[self.key]) != row]
        for row in fresh:
            if row[self.key] in self.rows:
                raise UserError(str(self.path), f"a different row {row[self.key]} is there already", "")
        self._write(fresh)
        for row in fresh:
            self.rows[row[self.key]] = row

    def close(self) -> None:
        """Close the file; rows stay readable in `rows`."""
        self._stream.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
