"""Removing what a build leaves behind: only in the folder that it made, never across a mount.

Builds run as root and Apptainer binds the host's folders into them, so a careless removal reaches the host.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..common.errors import UserError

LEFT_BEHIND = ("var/cache", "var/lib/apt/lists", "var/log", "tmp", "var/tmp", "root/.cache")
"""Folders of a root whose contents are of no use in an image."""


def mounts_below(folder: Path, mountinfo: str) -> list[str]:
    """Mount points at or below `folder`, by the text of /proc/self/mountinfo."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines() if line.strip()]
    top = os.path.realpath(folder)
    return [point for point in points if point == top or point.startswith(f"{top}/")]


def _refuse_mounts(folder: Path) -> None:
    if found := mounts_below(folder, Path("/proc/self/mountinfo").read_text(encoding="utf-8")):
        raise UserError(str(folder), f"not removed: {', '.join(found)} is mounted there", "unmount it first")


def empty(root: Path) -> None:
    """Empty LEFT_BEHIND in the finished root `root`.

    Raises:
        UserError: something is mounted below it, or one of the folders leads out of it by a link.
    """
    _refuse_mounts(root)
    top = Path(os.path.realpath(root))
    for name in LEFT_BEHIND:
        folder = root / name
        if not folder.is_dir():
            continue
        if Path(os.path.realpath(folder)) != top / name:
            raise UserError(
                str(folder), "is a link or lies behind one, so it may lead to the host", "do not link it in the base"
            )
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def remove(folder: Path) -> None:
    """Remove a build's folder with all that is in it.

    Raises:
        UserError: something is mounted below it.
    """
    _refuse_mounts(folder)
    shutil.rmtree(folder)
