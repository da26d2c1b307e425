"""A job's own knowledge of when it must stop.

Slurm's warning signals never reach the program under Snakemake, so each command counts for itself:
`--minutes` (from the rule's `runtime`) less a margin, or SIGTERM, whichever comes first.
"""

from __future__ import annotations

import signal
import threading
import time

from .errors import OutOfTime

stopped = threading.Event()
"""Set once SIGTERM came: somebody wants this process to end, it is not out of time."""


class Deadline:
    """When to stop starting new work.

    Args:
        minutes: the job's time limit in minutes; None means no limit.
        margin: share of the limit, at most 5 minutes, kept for writing state.
    """

    def __init__(self, minutes: float | None = None, margin: float = 0.1) -> None:
        now = time.monotonic()
        self.limit = float("inf") if minutes is None else 60 * minutes
        """Seconds that the job was given."""
        self._limit = now + self.limit
        self._end = None if minutes is None else now + 60 * (minutes - min(minutes * margin, 5))
        self._terminated = threading.Event()

    def catch_sigterm(self) -> Deadline:
        """From now on SIGTERM means: save and stop (call from the main thread)."""
        signal.signal(signal.SIGTERM, self._stop)
        return self

    def _stop(self, *_: object) -> None:
        self._terminated.set()
        stopped.set()

    @property
    def terminated(self) -> bool:
        """True once SIGTERM came."""
        return self._terminated.is_set()

    @property
    def seconds_to_limit(self) -> float:
        """Seconds until the limit itself, past the margin, whether SIGTERM came or not; for those who keep their own margin."""
        return max(0.0, self._limit - time.monotonic())

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; 0 when it has passed or SIGTERM came; infinity without one."""
        if self._terminated.is_set():
            return 0.0
        return float("inf") if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """True once no new work may be started."""
        return self.seconds_left <= 0

    def check(self) -> None:
        """Raise OutOfTime once the deadline has passed."""
        if self.passed:
            raise OutOfTime
