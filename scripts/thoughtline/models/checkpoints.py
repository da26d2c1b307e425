"""Checkpoints that are either whole or not there.

A checkpoint counts only once the file MARK stands in its folder; it is written last and lists every file with its size.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..common.files import read_json, write_json

MARK = "complete.json"
NAME = re.compile(r"^checkpoint-(\d+)$")


def _sizes(folder: Path) -> dict[str, int]:
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.name != MARK and not path.name.endswith(".part")
    ]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(files)}


def mark_complete(folder: Path) -> None:
    """Say that all of `folder` has been written."""
    write_json(folder / MARK, _sizes(folder))


def is_complete(folder: Path) -> bool:
    """True if `folder` was written to its end and still has all its files, each of the size that it had."""
    return (folder / MARK).is_file() and read_json(folder / MARK) == _sizes(folder)


def step_of(checkpoint: Path) -> int:
    """The optimiser step after which `checkpoint` was written."""
    return int(checkpoint.name.rpartition("-")[2])


def ranks_of(checkpoint: Path) -> int:
    """How many ranks wrote `checkpoint`: DeepSpeed leaves one file of optimiser state for each."""
    return len(list(checkpoint.glob("global_step*/*_optim_states.pt")))


def newest(folder: Path) -> Path | None:
    """The latest whole checkpoint in `folder`; what is left of any other is removed."""
    found = sorted((int(match[1]), path) for path in folder.glob("checkpoint-*") if (match := NAME.match(path.name)))
    whole = [path for _, path in found if is_complete(path)]
    for _, path in found:
        if path not in whole:
            shutil.rmtree(path)
    return whole[-1] if whole else None
