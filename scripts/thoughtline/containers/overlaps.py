"""Files that two packages of a lock would both install: the second is written over the first, which then holds a part of another.

cuda-python 12 did so to cuda-bindings 13: the image was built, and FlashInfer could not be imported in it.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from ..common.errors import UserError

HARMLESS = {"build_backend.py"}
"""Files that packages leave beside their modules and nobody imports."""


def installed(wheel: Path) -> dict[str, str]:
    """The files that a wheel puts into site-packages, with their hashes, as its RECORD has them."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/RECORD"))
        rows = csv.reader(io.TextIOWrapper(archive.open(name), encoding="utf-8"))
        return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] and ".data/" not in row[0]}


def overlaps(wheels: Iterable[Path]) -> dict[tuple[str, str], list[str]]:
    """Pairs of wheels that install different files of one name, and these names."""
    first: dict[str, tuple[str, str]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for wheel in sorted(wheels):
        for name, sha256 in installed(wheel).items():
            other, known = first.setdefault(name, (wheel.name, sha256))
            if known != sha256 and name not in HARMLESS:
                found.setdefault((other, wheel.name), []).append(name)
    return found


def check(wheels: Iterable[Path], lock: Path) -> None:
    """Refuse a lock whose packages overwrite each other.

    Raises:
        UserError: naming the first such pair.
    """
    for (one, other), names in overlaps(wheels).items():
        raise UserError(
            str(lock),
            f"{one} and {other} both install {names[0]}, with different content{f', and {len(names) - 1} more files' if names[1:] else ''}",
            "constrain one of them in envs/ so that they go together, and `make locks`",
        )
