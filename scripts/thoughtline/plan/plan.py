"""A plan: lines of work, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..machines.schema import Price
from .rates import INNER, Rates

Key = tuple[str, tuple[str, ...]]
"""(stage, names) of a kind of job."""


@dataclass
class Line:
    """One kind of job in the plan. Amounts are those that are left to do."""

    key: Key
    after: tuple[Key, ...] = ()
    """What it waits for."""
    jobs: int = 1
    left: int = 1
    done: float = 0.0
    """Share of the work that is done."""
    rows: float | None = None
    tokens: float | None = None
    flops: float | None = None
    computes: bool = False
    """Whether its time is predicted: generation and training. Of all other jobs only the most that they are given is known."""
    hours: float | None = None
    """Of one job."""
    spread: float = 0.0
    """Standard deviation of the logarithm of the hours."""
    gpus: int = 0
    """Of one job, all its nodes together."""
    nodes: int = 1
    node_gpus: int = 0
    """GPUs that a node has, used by the job or not."""
    shared: bool = False
    """Whether other jobs can have what it leaves of its nodes."""
    where: str = "this machine"
    """Partition and QoS."""
    limit_minutes: int | None = None
    """Time limit of a job."""
    resumable: bool = True
    """Whether a job goes on in its next attempt where its time limit ended it."""
    at_once: int = 1
    """Jobs that the machine lets run at once."""
    judge: str = ""
    """Of verdicts: the model that gives them, if one does."""
    fit: str = ""
    """How a model is spread over GPUs, or what ZeRO does, and that it fits."""
    held: float | None = None
    """Requests whose context a server holds at once."""
    notes: list[str] = field(default_factory=list)
    bytes: dict[str, float] = field(default_factory=dict)
    """What stays of what it writes, by folder: results, stage."""
    temporary: float = 0.0
    """Bytes that one job needs beside that in results while it runs."""

    @property
    def stage(self) -> str:
        """The stage."""
        return self.key[0]

    @property
    def what(self) -> str:
        """For people."""
        return " on ".join(self.key[1]) + self.by

    @property
    def by(self) -> str:
        """Whose hours those of verdicts are: not those of the model that is judged, which the key names."""
        return f" by {self.judge}" if self.judge else ""

    @property
    def gpu_hours(self) -> float | None:
        """GPU-hours; 0 of jobs without GPUs."""
        return (
            0.0
            if not self.gpus or not self.left
            else None
            if self.hours is None
            else self.left * self.gpus * self.hours
        )

    @property
    def node_hours(self) -> float | None:
        """Hours of nodes that jobs hold: of a part of a node that is shared that part; 0 of jobs whose time is not predicted."""
        if not self.computes or not self.left:
            return 0.0
        held = self.gpus / self.node_gpus if self.shared and self.gpus and self.node_gpus else self.nodes
        return None if self.hours is None else self.left * held * self.hours

    @property
    def segments(self) -> int:
        """Jobs in turn that one job becomes because of its time limit."""
        if not self.hours or not self.limit_minutes or not self.resumable:
            return 1
        return max(1, math.ceil(self.hours * 60 / self.limit_minutes))

    @property
    def wall(self) -> float | None:
        """Hours until all are done, if as many start at once as the machine allows; 0 where it is not predicted."""
        if not self.computes or not self.left:
            return 0.0
        return None if self.hours is None else math.ceil(self.left / max(1, self.at_once)) * self.hours

    def range(self, amount: float | None) -> list[float] | None:
        """80 % range around a predicted amount of this line."""
        width = math.exp(INNER * self.spread)
        return None if amount is None else [amount / width, amount * width]


@dataclass
class Area:
    """A storage area."""

    name: str
    path: str
    kept: float
    """Bytes of what the recipe leaves there, done already or not."""
    peak: float
    """Bytes of the most that lies there at once."""
    quota: float | None
    purge_days: int | None

    @property
    def over(self) -> bool:
        """Whether the most is more than the quota."""
        return self.quota is not None and self.peak > self.quota


@dataclass
class Plan:
    """Lines in the order of work, and what they add up to."""

    recipe: str
    machine: str
    rates: Rates
    lines: list[Line]
    targets: dict[str, list[Key]]
    """Target -> keys of the lines that it needs."""
    serial: bool = False
    """Whether jobs that use a model follow each other: on one machine each takes all of it."""
    price: Price | None = None
    areas: list[Area] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """What there is to say about limits of queue and storage that are met."""
    advice: list[str] = field(default_factory=list)
    """What would make it cheaper."""
    exceeded: list[str] = field(default_factory=list)
    """Those that are not."""
    probed: bool = False
    """Whether rates of this machine were measured."""

    def of(self, keys: Iterable[Key] | None = None) -> list[Line]:
        """The lines of these keys, or all."""
        chosen = None if keys is None else set(keys)
        return [line for line in self.lines if chosen is None or line.key in chosen]

    @property
    def machine_hours(self) -> bool:
        """Whether hours are those of a machine without GPUs."""
        return not any(line.gpus for line in self.lines)

    def hours(self, line: Line) -> float | None:
        """GPU-hours, or on a machine without GPUs its own hours."""
        return line.node_hours if self.machine_hours else line.gpu_hours

    def total(self, keys: Iterable[Key] | None = None) -> tuple[float, float, float] | None:
        """(predicted, low, high) hours over lines; None where one of them is not known.

        Errors of one kind of work are alike, so the ends of ranges are added as they are.
        """
        found = [0.0, 0.0, 0.0]
        for line in self.of(keys):
            hours = self.hours(line)
            if hours is None:
                return None
            low, high = line.range(hours) or (0.0, 0.0)
            found = [found[0] + hours, found[1] + low, found[2] + high]
        return found[0], found[1], found[2]

    def wall(self, keys: Iterable[Key] | None = None) -> float | None:
        """Hours of the longest way through the lines, without waiting in the queue and without jobs whose time is not predicted."""
        ends: dict[Key, float] = {}
        for line in self.of(keys):
            own = line.wall
            if own is None:
                return None
            if self.serial:
                ends[line.key] = own + max(ends.values(), default=0.0)
                continue
            ends[line.key] = own + max((ends[each] for each in line.after if each in ends), default=0.0)
        return max(ends.values(), default=0.0)

    def node_hours(self, keys: Iterable[Key] | None = None) -> float | None:
        """Hours of nodes that jobs hold; None where one of them is not known."""
        found = [line.node_hours for line in self.of(keys)]
        return None if None in found else sum(each or 0.0 for each in found)

    def cost(self, keys: Iterable[Key] | None = None) -> float | None:
        """What the GPUs cost that jobs hold, those that they leave idle on nodes that are not shared too; None without price or hours."""
        if self.price is None or self.machine_hours or self.node_hours(keys) is None:
            return None
        return self.price.gpu_hour * sum((line.node_hours or 0.0) * line.node_gpus for line in self.of(keys))

    def _priced(self, keys: Iterable[Key] | None = None) -> dict[str, Any] | None:
        cost = self.cost(keys)
        return None if cost is None or self.price is None else {"amount": cost, "currency": self.price.currency}

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON. Hours are GPU-hours, or hours of the machine where it has no GPUs."""
        total = self.total()
        return {
            "recipe": self.recipe,
            "machine": self.machine,
            "unit": "machine hours" if self.machine_hours else "GPU-hours",
            "rates": self.rates.source,
            "total": None if total is None else dict(zip(("hours", "low", "high"), total, strict=True)),
            "wall_hours": self.wall(),
            "jobs": sum(line.left for line in self.lines),
            "node_hours": self.node_hours(),
            "cost": self._priced(),
            "targets": {name: self._summary(keys) for name, keys in self.targets.items()},
            "lines": [self._line(line) for line in self.lines],
            "storage": [
                {
                    "area": area.name,
                    "path": area.path,
                    "kept_bytes": area.kept,
                    "peak_bytes": area.peak,
                    "quota": area.quota,
                    "purge_days": area.purge_days,
                }
                for area in self.areas
            ],
            "limits": self.limits,
            "advice": self.advice,
            "exceeded": self.exceeded,
        }

    def _summary(self, keys: list[Key]) -> dict[str, Any]:
        total = self.total(keys)
        return {
            "hours": total[0] if total else None,
            "low": total[1] if total else None,
            "high": total[2] if total else None,
            "wall_hours": self.wall(keys),
            "node_hours": self.node_hours(keys),
            "cost": self._priced(keys),
            "jobs": sum(line.left for line in self.of(keys)),
            "stages": self._stages(keys),
        }

    def _stages(self, keys: list[Key]) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for line in self.of(keys):
            hours, before = self.hours(line), found.get(line.stage, 0.0)
            found[line.stage] = None if hours is None or before is None else before + hours
        return found

    def _line(self, line: Line) -> dict[str, Any]:
        hours = self.hours(line)
        return {
            "stage": line.stage, "names": list(line.key[1]), "judge": line.judge or None, "jobs": line.jobs, "left": line.left, "done": line.done,
            "rows": line.rows, "tokens": line.tokens, "flops": line.flops, "hours_a_job": line.hours, "hours": hours,
            "range": line.range(hours) if line.computes else None, "gpus": line.gpus, "nodes": line.nodes, "where": line.where,
            "limit_minutes": line.limit_minutes, "segments": line.segments, "at_once": line.at_once,
            "wall_hours": line.wall if line.computes else None, "fit": line.fit, "requests_held": line.held, "bytes": line.bytes,
            "temporary_bytes": line.temporary, "notes": line.notes,
        }  # fmt: skip
