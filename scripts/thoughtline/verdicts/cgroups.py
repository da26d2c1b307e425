"""A control group for a jail, where this process may make one: a limit on all memory that the jail holds, files in memory too.

Version 1 (a `memory` hierarchy of its own) and version 2. Elsewhere there is none: rlimits bound each process,
and the size of each file, without it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
VMSTAT = Path("/proc/vmstat")
_numbers = itertools.count()


def _own(controller: str) -> str | None:
    """The path of this process' group in the hierarchy of `controller` ("" is version 2)."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


class Group:
    """One group.

    Args:
        folder: where it lies.
        version: 1 or 2.
    """

    def __init__(self, folder: Path, version: int) -> None:
        self._folder, self._version, self._memory = folder, version, 0

    @classmethod
    def make(cls) -> Group | None:
        """A new group below this process' own; None where the kernel or the site allows none."""
        with contextlib.suppress(OSError):
            for controller, version, limit in (("memory", 1, "memory.limit_in_bytes"), ("", 2, "memory.max")):
                path = _own(controller)
                if path is None:
                    continue
                base = ROOT / controller / path.lstrip("/")
                _sweep(base)
                folder = base / f"thoughtline-{os.getpid()}-{next(_numbers)}"
                folder.mkdir()
                if (folder / limit).exists():
                    return cls(folder, version)
                folder.rmdir()
        return None

    def add(self, process: int) -> None:
        """Put a process, and all that it will start, into the group."""
        (self._folder / "cgroup.procs").write_text(str(process), encoding="ascii")

    def limit_memory(self, allowed: int) -> None:
        """All processes of the group together may hold `allowed` bytes, beyond what an idle server needs."""
        total = allowed + (256 << 20)
        if total != self._memory:
            name = "memory.limit_in_bytes" if self._version == 1 else "memory.max"
            (self._folder / name).write_text(str(total), encoding="ascii")
            self._memory = total

    def kills(self) -> int:
        """How many processes the kernel has killed for the limit."""
        name = "memory.oom_control" if self._version == 1 else "memory.events"
        found = re.search(r"^oom_kill (\d+)", (self._folder / name).read_text(encoding="ascii"), re.M)
        return int(found[1]) if found else 0

    def close(self) -> None:
        """Remove the group; its processes have ended."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def limits_reached() -> int:
    """How often this process' own group or one above it, say that of its Slurm job, has reached its memory limit so far.

    Version 2 counts when somebody had to be killed for it, version 1 also when giving back caches was enough. Where groups
    cannot be seen (a container without /sys/fs/cgroup) every process counts that the kernel killed for want of memory.
    """
    for controller, name, pattern in (
        ("memory", "memory.failcnt", r"(\d+)"),
        ("", "memory.events.local", r"^oom (\d+)"),
    ):
        with contextlib.suppress(OSError):
            path = _own(controller)
            if path is None:
                continue
            folder, count, seen = ROOT / controller / path.lstrip("/"), 0, False
            while folder != ROOT.parent:
                with contextlib.suppress(OSError):
                    found = re.search(pattern, (folder / name).read_text(encoding="ascii"), re.M)
                    count, seen = count + int(found[1] if found else 0), True
                folder = folder.parent
            if seen:
                return count
    with contextlib.suppress(OSError):
        found = re.search(r"^oom_kill (\d+)", VMSTAT.read_text(encoding="ascii"), re.M)
        return int(found[1]) if found else 0
    return 0


def _sweep(base: Path) -> None:
    """Remove groups whose maker was killed before it could."""
    for folder in base.glob("thoughtline-*"):
        maker = folder.name.split("-")[1]
        if not Path(f"/proc/{maker}").exists():
            with contextlib.suppress(OSError):
                folder.rmdir()
