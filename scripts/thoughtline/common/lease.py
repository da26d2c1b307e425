"""One writer per artifact: a lease that goes with its holder, also when the holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from .errors import OutOfTime, UserError

BEAT = 20.0
"""Seconds between two signs of life of a holder: the time of change of its lease file."""

DEAD = 120.0
"""Seconds without one after which a holder on another machine is taken for dead, where Slurm cannot be asked."""

PATIENCE = 600.0
"""Seconds that a Slurm job waits for another one that holds its lease."""

POLL = 1.0
"""Seconds between two looks at a lease that somebody else holds."""

ENDED = (
    *(
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PENDING",
        "PREEMPTED",
    ),
    *("REQUEUED", "REVOKED", "TIMEOUT"),
)
"""States in which no process of a job is left; a job that waits to start again has none either."""


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "slurm_job_id": os.environ.get("SLURM_JOB_ID")}


def _job_has_ended(job: str) -> bool | None:
    """What Slurm says of a job; None where it cannot be asked (in a container, say)."""
    if not shutil.which("squeue"):
        return None
    try:
        ask = subprocess.run(
            ["squeue", "-h", "-t", "all", "-o", "%T", "-j", job], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if ask.returncode != 0:
        return True if "Invalid job id" in ask.stderr else None
    return all(state in ENDED for state in ask.stdout.split())


class Lease:
    """An exclusive lock on a work folder, held while the process lives.

    A lock by flock works between processes of one machine and, on NFS, GPFS and Lustre mounted with `flock`, between
    machines; the kernel takes it back when its holder dies. Where it works within a machine only (Lustre mounted with
    `localflock`), the lease file tells: it names its holder until the holder gives it back, and its time of change is
    a sign of life. A holder that another machine wrote down counts as alive until Slurm says that its job has ended
    or, where Slurm cannot be asked, until DEAD seconds have passed without a sign.

    Args:
        folder: the work folder; made when missing.
        patience: seconds to wait for another holder; default PATIENCE in a Slurm job, 0 elsewhere: a person is told at once.

    Raises:
        UserError: somebody else holds it, and we are no Slurm job.
        OutOfTime: somebody else still holds it after all our patience, and we are a Slurm job: it runs again later.
    """

    def __init__(self, folder: str | os.PathLike[str], patience: float | None = None) -> None:
        self.path = Path(folder) / "lease"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        in_job = "SLURM_JOB_ID" in os.environ
        self._stream = self._wait((PATIENCE if in_job else 0.0) if patience is None else patience, in_job)
        self._stream.seek(0)
        self._stream.truncate(0)
        self._stream.write(json.dumps(_me()))
        self._stream.flush()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def _wait(self, patience: float, in_job: bool) -> TextIO:
        end, told = time.monotonic() + patience, False
        while True:
            stream = open(self.path, "a+", encoding="utf-8")
            holder = self._taken(stream)
            if holder is None:
                return stream
            stream.close()
            if time.monotonic() >= end:
                if not in_job:
                    raise UserError(
                        str(self.path), f"another writer works on this artifact ({holder})", "wait for it, or stop it first"
                    )  # fmt: skip
                print(f"{self.path}: still held by {holder} after {patience:.0f} s", file=sys.stderr, flush=True)
                raise OutOfTime
            if not told:
                print(f"{self.path}: waiting for another writer ({holder})", file=sys.stderr, flush=True)
                told = True
            time.sleep(min(POLL, max(0.0, end - time.monotonic())))

    def _taken(self, stream: TextIO) -> str | None:
        """Who holds the lease; None once `stream` holds it."""
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            return stream.read().strip() or "an unknown process"
        stream.seek(0)
        text = stream.read().strip()
        try:
            holder = json.loads(text or "{}")
        except json.JSONDecodeError:
            return None  # its writer died while it wrote
        me, job = _me(), holder.get("slurm_job_id")
        if not holder or holder.get("host") == me["host"]:
            return None
        # Our own job may have been requeued from a node that is only out of Slurm's sight: then the signs of life decide.
        ended = _job_has_ended(job) if job and job != me["slurm_job_id"] else None
        if ended is None:
            ended = self._age() > DEAD
        return None if ended else text

    def _age(self) -> float:
        """Seconds since the last sign of life, by the clock of the file system."""
        now = self.path.with_name(f"lease.{os.getpid()}.now")
        now.touch()
        try:
            return now.stat().st_mtime - self.path.stat().st_mtime
        finally:
            now.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                os.utime(self._stream.fileno())
            except (OSError, ValueError):  # the file system is away for a moment; or given back meanwhile
                continue

    def release(self) -> None:
        """Give it back."""
        if not self._stream.closed:
            self._ended.set()
            self._heart.join()
            self._stream.truncate(0)
            self._stream.close()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
