"""Work longer than a job's time limit: a chain of segments, which is one Slurm job that goes back to the queue.

A command that ran out of time has saved its state and exits 75. For Snakemake that would be a failure, and after a few it
would give up. So the job's own process, outside any container, asks Slurm to requeue the job: same number, same resources,
and for the driver a job that waits again. Failures of any other kind still count as `retries`.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path

from ..common.command import AGAIN
from .launch import job_of


def requeue(job: str) -> bool:
    """Send the job that we are part of back to the queue; Slurm then ends us. False, with Slurm's words, if it will not."""
    for words in (["scontrol", "update", f"JobId={job}", "Requeue=1"], ["scontrol", "requeue", job]):
        try:
            run = subprocess.run(words, capture_output=True, text=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"job {job} cannot be requeued ({error}); a retry goes on", file=sys.stderr)
            return False
        if run.returncode != 0:
            print(f"job {job} cannot be requeued ({run.stderr.strip()}); a retry goes on", file=sys.stderr)
            return False
    return True


def _go_on(mark: Path, job: str) -> None:
    if mark.is_file():
        mark.unlink()
        print(f"job {job} ran out of time and goes back to the queue; it will go on where it stopped", flush=True)
        requeue(job)


def watch(work: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Called in the process of a Slurm job before its command runs: requeue the job at our end if the command asks for it.

    Args:
        work: the work folder of all results; the command leaves its mark in WORK/again/.
        environment: where the command is told of it (THOUGHTLINE_AGAIN).
    """
    job = job_of(environment)
    if job is None:
        return
    mark = work.absolute() / "again" / job
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    environment[AGAIN] = str(mark)
    atexit.register(_go_on, mark, job)
