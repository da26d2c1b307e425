"""Numbers as people read them. A missing number is a dash, never a zero."""

from __future__ import annotations

import math
from typing import Any

DASH = "–"
MINUS = "−"


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def count(value: Any) -> str:
    """12345 -> "12,345"."""
    return f"{value:,.0f}" if _known(value) else DASH


def percent(share: Any) -> str:
    """A share of 1, in percent with one decimal and no sign: 0.4167 -> "41.7"."""
    return f"{100 * share:.1f}".replace("-", MINUS) if _known(share) else DASH


def points(share: Any) -> str:
    """A difference of shares in percentage points, always signed: 0.031 -> "+3.1"."""
    if not _known(share):
        return DASH
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def two(value: Any) -> str:
    """A number with two decimals: -0.4167 -> "−0.42"."""
    return f"{value:.2f}".replace("-", MINUS) if _known(value) else DASH


def share(part: Any, whole: Any) -> float | None:
    """part / whole; None where there is nothing to divide by."""
    return part / whole if whole else None


def seconds(value: Any) -> str:
    """42.31 -> "42.3 s", 754 -> "12 min 34 s", 5025 -> "1 h 24 min"."""
    if not _known(value):
        return DASH
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def megabytes(value: Any) -> str:
    """512.4 -> "512 MB", 2300 -> "2.2 GB" (1 GB = 1024 MB, as Snakemake counts)."""
    if not _known(value):
        return DASH
    return f"{value:.0f} MB" if value < 1024 else f"{value / 1024:.1f} GB"


def size(value: Any) -> str:
    """Bytes: 1536 -> "1.5 KiB"."""
    if not _known(value):
        return DASH
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def plain(value: Any) -> str:
    """A setting as it would be written by hand: 1e-05 stays short, lists are joined, None is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if _known(value) else DASH
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value) or DASH
    return str(value) if _known(value) else DASH
