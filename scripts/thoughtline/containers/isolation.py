"""A mount namespace of a build's own: its /tmp is an empty folder, so that nothing in it can reach the host's.

Apptainer binds the building machine's /tmp into the %post section, and builds run as root.
"""

from __future__ import annotations

import os
import pwd
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


def has_subordinate_ids() -> bool:
    """Whether this user may map more than one user and group into a namespace (/etc/subuid, /etc/subgid, newuidmap)."""
    user = pwd.getpwuid(os.geteuid())
    for table in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(table).read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        if not any(line.split(":")[0] in (user.pw_name, str(user.pw_uid)) for line in lines):
            return False
    return shutil.which("newuidmap") is not None


def isolated(words: list[str], folders: dict[str, Path]) -> list[str]:
    """The command `words`, in a namespace where /tmp and /var/tmp are empty and `folders` lie in /mnt by their names.

    Without root it is a user namespace too, in which the caller is root, with further users where there are subordinate ids.
    """
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user", *(["--map-auto"] if has_subordinate_ids() else [])]
    places = [word for name, path in folders.items() for word in (name, str(path.resolve()))]
    return [*unshare, "--", shutil.which("sh") or "/bin/sh", "-c", SCRIPT, "sh", *places, "--", *words]
