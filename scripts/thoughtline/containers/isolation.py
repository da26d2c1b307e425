"""A mount namespace of a build's own: its /tmp is an empty folder, so that nothing in it can reach the host's.

Apptainer binds the building machine's /tmp into the %post section, and builds run as root.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PLACE = Path("/mnt")
"""Where a build finds its folders, under names that are the same on every machine."""

SCRIPT = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
while [ "$1" != -- ]; do
  mkdir "/mnt/$1"
  mount --bind "$2" "/mnt/$1"
  shift 2
done
shift
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
cd /
exec "$@"
"""
"""Folders are mounted before /tmp is hidden: they may lie in it."""


def isolated(words: list[str], folders: dict[str, Path]) -> list[str]:
    """The command `words`, in a namespace where /tmp and /var/tmp are empty and `folders` lie in /mnt by their names.

    Without root it is a user namespace too, in which the caller is root.
    """
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    places = [word for name, path in folders.items() for word in (name, str(path.resolve()))]
    return [*unshare, "--", shutil.which("sh") or "/bin/sh", "-c", SCRIPT, "sh", *places, "--", *words]
