"""Values of foreign rows as plain JSON values and texts."""

from __future__ import annotations

import datetime
import math
from typing import Any

from ..common.canonical import canonical_json


def plain(value: Any) -> Any:
    """`value` as JSON has it: tuples become lists, sets sorted lists, NaN and infinities null, the rest its text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(each) for each in value), key=canonical_json)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def text_of(value: Any) -> str | None:
    """A short value as text, ends trimmed; null when empty. Lists and objects become canonical JSON."""
    value = plain(value)
    if value is None:
        return None
    text = (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, (bool, int, float))
        else canonical_json(value)
    )
    return text.strip() or None


def encodable(value: Any) -> bool:
    """False when a text somewhere in `value` has a lone surrogate, which UTF-8 (and so Parquet) cannot hold."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True
    if isinstance(value, dict):
        return all(encodable(key) and encodable(each) for key, each in value.items())
    return not isinstance(value, (list, tuple)) or all(map(encodable, value))
