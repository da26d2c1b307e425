"""Which rows of a source are taken at all: `where` and `take`, before any filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..common.canonical import canonical_json
from ..common.errors import UserError
from .table import Table
from .values import plain


def select(table: Table, source: dict[str, Any]) -> tuple[list[int], dict[int, str]]:
    """Row numbers that go on, in their order, and the reason (`where` or `take`) of each of the others.

    Raises:
        UserError: a column does not exist, or `where` keeps no row.
    """
    at = f"sources.{source['name']}"
    numbers, dropped = list(range(len(table))), {}
    for name, values in (source.get("where") or {}).items():
        column = column_of(table, name, f"{at}.where")
        wanted = {_key(value) for value in values}
        kept = [number for number in numbers if _key(column[number]) in wanted]
        if numbers and not kept:
            found = sorted({canonical_json(plain(column[number])) for number in numbers})
            shown = ", ".join(found[:10]) + (", ..." if len(found) > 10 else "")
            raise UserError(f"{at}.where.{name}", f"keeps no row for {list(values)}", f"the column holds {shown}")
        dropped.update(dict.fromkeys(set(numbers) - set(kept), "where"))
        numbers = kept
    if take := source.get("take"):
        groups = column_of(table, take["per"], f"{at}.take.per") if take.get("per") else None
        kept = sample(numbers, take["count"], take.get("seed"), groups)
        dropped.update(dict.fromkeys(set(numbers) - set(kept), "take"))
        numbers = kept
    return numbers, dropped


def sample(numbers: list[int], count: int, seed: int | None, groups: Sequence[Any] | None = None) -> list[int]:
    """The first `count` of `numbers` (of each group), after a shuffle when there is a seed.

    The shuffle is that of `datasets.Dataset.shuffle(seed=...)`, so "shuffle seed 42, take 1,250" in a
    release's description means the same rows here.
    """
    if seed is not None:
        numbers = [numbers[place] for place in np.random.default_rng(seed).permutation(len(numbers))]
    if groups is None:
        return numbers[:count]
    taken: dict[Any, int] = {}
    kept = []
    for number in numbers:
        group = _key(groups[number])
        taken[group] = taken.get(group, 0) + 1
        if taken[group] <= count:
            kept.append(number)
    return kept


def column_of(table: Table, name: str, where: str) -> list[Any]:
    """A column's values, or a clear error."""
    if name not in table.columns:
        raise UserError(
            where, f"the source has no column {name!r}", f"it has {', '.join(map(repr, table.columns)) or 'no row'}"
        )
    return table.column(name)


def _key(value: Any) -> Any:
    """Hashable, and True is not 1 (canonical JSON tells them apart); 1.0 is 1."""
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical_json(value)
