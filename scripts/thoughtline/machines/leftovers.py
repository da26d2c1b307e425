"""Jobs that an earlier driver left in Slurm's queue: found again, so that no artifact gets two writers.

The Slurm plugin starts every job in the folder that the driver ran in, with a comment that names its rule and wildcards.
"""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import UserError
from ..common.lease import Lease

NOT_STARTED = ("PENDING", "CONFIGURING")
"""States in which a job has done nothing yet, or waits to go on where it stopped."""
FORMAT = "%i|%T|%Z|%k"


@dataclass(frozen=True)
class Job:
    """A job in the queue."""

    number: str
    """Slurm's id; of a task of an array ARRAY_TASK."""
    state: str
    comment: str
    """rule_RULE or rule_RULE_wildcards_A_B: what it makes; of an array, what its first task makes."""

    @property
    def rule(self) -> str:
        """The comment's rule."""
        return self.comment.partition("_wildcards_")[0]


def comment_of(rule: str, wildcards: Iterable[str]) -> str:
    """The comment that the plugin gives the job of a rule with these values of its wildcards."""
    values = "_".join(wildcards).replace("/", "_")
    return f"rule_{rule}_wildcards_{values}" if values else f"rule_{rule}"


def _slurm(*words: str) -> str:
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(words[0], f"does not answer ({error})", "run this where Slurm's commands work") from None
    if run.returncode != 0:
        raise UserError(words[0], run.stderr.strip(), "run this where Slurm's commands work")
    return run.stdout


def parse(text: str, folder: Path) -> list[Job]:
    """Jobs of this folder in what `squeue -o FORMAT` has printed."""
    jobs = []
    for line in text.splitlines():
        number, state, where, comment = line.split("|", 3)
        if Path(where) == folder and comment.startswith("rule_"):
            jobs.append(Job(number, state, comment))
    return jobs


def jobs_of(folder: Path) -> list[Job]:
    """Jobs that wait or run for the pipeline in `folder`.

    Raises:
        UserError: Slurm does not answer.
    """
    return parse(_slurm("squeue", "-h", "-r", "-u", getpass.getuser(), "-o", FORMAT), folder)


def cancel(jobs: Iterable[Job]) -> None:
    """Cancel jobs."""
    if numbers := [job.number for job in jobs]:
        _slurm("scancel", *numbers)


class Leftovers:
    """What a driver does about its predecessor's jobs.

    Those that have not started are cancelled: this driver submits them again, so nothing is lost but a place in the queue.
    Those that run go on; a job that would write the same artifact waits in the queue until they have ended, and finds
    it finished or goes on where they stopped.
    """

    def __init__(self) -> None:
        self.running: list[Job] = []
        self._lease: Lease | None = None

    def take_over(self, folder: Path, work: Path) -> str:
        """Look for them, once, before anything is submitted; returns a line for people, "" if there were none.

        Args:
            folder: where the driver runs.
            work: holds the driver's lease. Snakemake's own lock stays behind when a driver is killed; this goes with it.

        Raises:
            UserError: another driver works here, or Slurm does not answer.
        """
        self._lease = Lease(work, patience=0)
        found = jobs_of(folder)
        waiting = [job for job in found if job.state in NOT_STARTED]
        cancel(waiting)
        self.running = [job for job in found if job.state not in NOT_STARTED]
        if not found:
            return ""
        numbers = ", ".join(job.number for job in self.running) or "none"
        return (
            f"an earlier driver left {len(found)} jobs: {len(waiting)} had not started and are submitted again; "
            f"running: {numbers} (whoever needs the same artifact waits for it)"
        )

    def dependency(self, rule: str, wildcards: Iterable[str]) -> str | None:
        """The option of sbatch that makes a job wait for those that work on its artifact; None if nobody does.

        Tasks of an array do not say which artifact is theirs, so all jobs of their rule wait for them.
        """
        if not self.running:
            return None
        comment = comment_of(rule, wildcards)
        same = [
            job.number
            for job in self.running
            if job.comment == comment or ("_" in job.number and job.rule == f"rule_{rule}")
        ]
        if not same:
            return None
        there = set(_slurm("squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i").split())
        same = [number for number in same if number in there]
        return f"--dependency=afterany:{':'.join(same)}" if same else None
