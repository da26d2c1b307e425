"""How long a step, a checkpoint and the start of a training take, and what a time limit must leave for them."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAFETY = 2.0
"""A step or checkpoint may take this many times as long as the slowest so far: shared file systems have bad minutes."""

TEARDOWN = 15.0
"""Seconds for what follows the checkpoint: ranks, containers and the job step end, the job says how it ended."""


@dataclass
class Pace:
    """The slowest of each so far, in seconds; 0 where nothing has been measured."""

    load: float = 0.0
    step: float = 0.0
    save: float = 0.0

    def slower(self, *, load: float = 0.0, step: float = 0.0, save: float = 0.0) -> None:
        """Take in a measurement."""
        self.load, self.step, self.save = max(self.load, load), max(self.step, step), max(self.save, save)

    def reserve(self, limit: float) -> float:
        """Seconds before the limit at which the ranks must be asked to stop: they end their step, then save.

        Before a checkpoint was measured it is a tenth of the limit, at most 5 minutes; never more than half the limit, for a
        single slow hour must not stop a chain for good.

        Args:
            limit: the job's time limit in seconds.
        """
        if not self.save:
            return max(TEARDOWN, min(0.1 * limit, 300.0))
        return min(SAFETY * (self.step + self.save) + TEARDOWN, limit / 2)

    def least_minutes(self) -> int:
        """The shortest limit, in whole minutes, in which a segment surely loads, makes a step and saves."""
        return math.ceil(SAFETY * (self.load + 2 * self.step + self.save + TEARDOWN) / 60)

    def __str__(self) -> str:
        known = {"loading": self.load, "a step": self.step, "a checkpoint": self.save}
        return ", ".join(f"{name} took {seconds:.1f} s" for name, seconds in known.items() if seconds)
