"""Rows of a source, whatever held them: number of rows, one column, chosen rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import datasets

BATCH = 1000
"""Rows decoded at once from Arrow."""


class Table(Protocol):
    """What a loader returns. Rows are numbered from 0 in the order of the source."""

    columns: list[str]

    def __len__(self) -> int: ...

    def column(self, name: str) -> list[Any]:
        """All values of a column; null where a row lacks it."""

    def rows(self, numbers: Sequence[int], names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows with these numbers, in this order, cut to these columns."""


class RowTable:
    """Rows held as dictionaries; a row may lack a column that another one has."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        self.columns = list(dict.fromkeys(name for row in rows for name in row))

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> list[Any]:
        """All values of a column; null where a row lacks it."""
        return [row.get(name) for row in self._rows]

    def rows(self, numbers: Sequence[int], names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows with these numbers, in this order, cut to these columns."""
        for number in numbers:
            yield {name: self._rows[number].get(name) for name in names}


class ArrowTable:
    """Rows in Arrow memory, decoded only when and where they are asked for."""

    def __init__(self, data: datasets.Dataset) -> None:
        self._data = data
        self.columns = list(data.column_names)

    def __len__(self) -> int:
        return len(self._data)

    def column(self, name: str) -> list[Any]:
        """All values of a column."""
        return self._data.select_columns([name])[:][name]

    def rows(self, numbers: Sequence[int], names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows with these numbers, in this order, cut to these columns."""
        narrow = self._data.select_columns(list(names))
        for start in range(0, len(numbers), BATCH):
            batch = narrow[list(numbers[start : start + BATCH])]
            for place in range(len(numbers[start : start + BATCH])):
                yield {name: batch[name][place] for name in names}
