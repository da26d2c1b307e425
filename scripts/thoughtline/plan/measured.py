"""What a probe of this machine measured, for the jobs that it did not probe."""

from __future__ import annotations

from typing import Any

from ..machines.schema import Machine
from .models import Models
from .training import TrainingRun


class Measured:
    """Rates of work/probe.json; none where there is no probe, or one of another machine."""

    def __init__(self, probe: dict[str, Any], machine: Machine, models: Models) -> None:
        own = probe.get("machine") == machine.name
        self.date: str | None = probe["date"] if own else None
        self._generation: dict[str, Any] = probe["generation"] if own else {}
        self._training: dict[str, Any] = probe["training"] if own else {}
        self._shared, self._models = not machine.is_slurm, models
        self._started: set[str] = set()

    def generation(self, name: str, set_name: str, model: str, tokens: float) -> float | None:
        """Seconds of a job that generates so many tokens; None where nobody like it was probed.

        The speed is that of the answerer `name`, or of the weights that its model comes from, on this set or on one that was probed.
        Where jobs share a server (no Slurm) it starts with the first of them.
        """
        known = self._generation
        found = next((known[each] for each in (name, model, self._models.published(model)) if each in known), None)
        if found is None:
            return None
        speed = (found["sets"].get(set_name) or next(iter(found["sets"].values())))["tokens_per_second"]
        start = found["joined_seconds"] if self._shared and model in self._started else found["start_seconds"]
        self._started.add(model)
        return start + tokens / speed

    def training(self, model: str, run: TrainingRun, share: float) -> float | None:
        """Seconds of a share of a training; None where neither it nor another of the same weights was probed."""
        origin = self._models.published(model)
        same = (each for name, each in self._training.items() if self._models.published(name) == origin)
        found = self._training.get(model) or next(same, None)
        if found is None:
            return None
        return found["around_seconds"] + share * run.micro_steps * run.slowest / found["flops_per_second"]
