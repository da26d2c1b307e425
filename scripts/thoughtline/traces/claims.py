"""Who answers which row, when several jobs may: claims on a shared file system, and signs of life.

A claim is a symbolic link `TRACE_ID.N` to the claimant's name: making it is atomic on every file system that clusters use
(NFS, Lustre, GPFS), costs one operation and needs no lock. N counts claims of a row: when the holder of claim 1 is dead, exactly one
of those who want the row makes claim 2.

A sign of life is a file that its owner touches now and then. Clocks of nodes differ a little: the limit is minutes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path


class Crew:
    """The jobs that may help each other, and our own sign of life among theirs.

    Args:
        folder: one file a job.
        seconds: between touches; a job unheard of for ten times as long is dead.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        job = os.environ.get("SLURM_JOB_ID", "0")
        self.name = f"{socket.gethostname()}-{job}-{os.getpid()}-{time.time_ns():x}"
        self._end = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / self.name
        self._path.touch()
        threading.Thread(target=self._touch, daemon=True).start()

    def _touch(self) -> None:
        while not self._end.wait(self.seconds):
            with contextlib.suppress(OSError):  # a full disk or a purged folder: others will take our rows, no more
                self._path.touch()

    def living(self) -> list[str]:
        """Names of the jobs that live, ours among them, sorted."""
        now, found = time.time(), {self.name}
        for entry in os.scandir(self.folder):
            with contextlib.suppress(FileNotFoundError):
                if now - entry.stat().st_mtime < 10 * self.seconds:
                    found.add(entry.name)
        return sorted(found)

    def bury(self, name: str) -> None:
        """Somebody is known to be dead (we hold a lock that was theirs)."""
        (self.folder / name).unlink(missing_ok=True)

    def leave(self) -> None:
        """No longer alive: what we hold is free."""
        self._end.set()
        self.bury(self.name)


class Claims:
    """Claims on the rows of one shard.

    Args:
        folder: made when missing.
        name: ours (Crew.name).
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._holders: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, int]:
        """{trace_id: number of its last claim}: one listing of the folder."""
        last: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                row, _, number = name.partition(".")
                last[row] = max(last.get(row, 0), int(number))
        return last

    def holder(self, row: str, number: int) -> str:
        """Who made this claim; "" when it has been given back."""
        name = f"{row}.{number}"
        if name not in self._holders:
            try:
                self._holders[name] = os.readlink(self.folder / name)
            except OSError:
                return ""
        return self._holders[name]

    def take(self, row: str, number: int) -> bool:
        """Make claim `number` on a row; False when somebody else has."""
        path = self.folder / f"{row}.{number}"
        try:
            os.symlink(self.name, path)
        except FileExistsError:
            # NFS may send a request twice: the second finds what the first has made.
            return self.holder(row, number) == self.name
        except FileNotFoundError:  # the shard was finished, and its claims swept, a moment ago
            return False
        return True

    def give_back(self, row: str, number: int) -> None:
        """Somebody else shall answer the row."""
        (self.folder / f"{row}.{number}").unlink(missing_ok=True)
