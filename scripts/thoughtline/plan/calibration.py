"""The rates that published runs tell, and how well they predict a run that was left out of the fit.

Training has two parameters, generation one. They are chosen from a grid so that the sum of |log(predicted / published)| is least: one odd run among seven
cannot pull the others along, as it would with squares.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..recipe.yaml_text import read_yaml
from .architecture import known
from .generation import GenerationRun, Serving, start_seconds
from .lengths import Lengths, mixed
from .rates import Gpu, Rates
from .training import TrainingRun

TABLE = Path(__file__).with_name("calibration.yaml")

MAX_LENGTH = 16384
"""Cutoff of all training runs in the table."""
PROMPT = 250.0
"""Tokens of a prompt in the generation runs, system prompt and problem."""

TRAINING_GRID = (np.geomspace(0.05, 0.8, 200), np.geomspace(2e9, 400e9, 120))
"""Utilisation; bytes a second that a node receives."""
GENERATION_GRID = (np.geomspace(0.01, 1.0, 400), np.ones(1))
"""Share of the roofline; nothing else."""


@dataclass(frozen=True)
class Published:
    """One published run. Its predicted GPU-hours are work / utilisation + rest / network, or work / share of the roofline + rest."""

    name: str
    gpu_hours: float
    work: float
    """GPU-hours at a first parameter of 1."""
    rest: float
    """Training: GPU-hours if a node received a byte a second. Generation: GPU-hours until the servers answer."""
    facts: dict[str, Any]


def gpu_of(entry: dict[str, Any]) -> Gpu:
    """A GPU of the table."""
    return Gpu(entry["tflops"] * 1e12, entry["bandwidth_gb_s"] * 1e9, entry["memory_gb"] * 1e9, entry["per_node"])


def training_run(entry: dict[str, Any]) -> TrainingRun:
    """A training of the table."""
    return TrainingRun(
        known()[entry["model"]], entry["rows"], Lengths.of(entry["mean"]), entry["epochs"], MAX_LENGTH,
        entry["global_batch"], 1, entry["ranks"], packing=entry.get("packing", False),
    )  # fmt: skip


def generation_run(entry: dict[str, Any]) -> GenerationRun:
    """A generation of the table, all its jobs together."""
    serving = Serving(known()[entry["model"]], entry.get("tensor", 1), entry.get("pipeline", 1))
    replies = mixed([(rows, Lengths.of(mean, limit=entry["max_tokens"])) for rows, mean in entry["replies"]])
    return GenerationRun(serving, entry["requests"], PROMPT, replies)


def _unit(**changed: float) -> Rates:
    plain = {
        "training": math.inf,
        "network": math.inf,
        "training_spread": 0.0,
        "generation": 1.0,
        "generation_spread": 0.0,
        "start": 0.0,
    }
    return Rates(**{**plain, **changed})


@functools.cache
def published() -> tuple[tuple[Published, ...], tuple[Published, ...]]:
    """Training and generation runs of the table."""
    table = read_yaml(TABLE)
    trainings = []
    for name, entry in table["training"].items():
        run, gpu = training_run(entry), gpu_of(entry["gpu"])
        work, rest = run.gpu_hours(gpu, _unit(training=1.0)), run.gpu_hours(gpu, _unit(network=1.0))
        trainings.append(Published(name, entry["gpu_hours"], work, rest, entry))
    generations = []
    for name, entry in table["generation"].items():
        run, gpu, jobs = generation_run(entry), gpu_of(entry["gpu"]), entry.get("jobs", 0)
        work = run.gpu_hours(gpu, _unit(), jobs or 1)
        rest = jobs * run.serving.gpus * start_seconds(run.serving.architecture) / 3600
        generations.append(Published(name, entry["gpu_hours"], work, rest, entry))
    return tuple(trainings), tuple(generations)


FLAT = 1e-6
"""Difference of two sums of |log| that are taken for equal."""


def _fit(runs: Sequence[Published], grid: tuple[np.ndarray, np.ndarray], of: Callable[..., Any]) -> tuple[float, float]:
    first, second = grid[0][:, None], grid[1][None, :]
    errors = sum(np.abs(np.log(of(run, first, second) / run.gpu_hours)) for run in runs)
    # Between two runs that pull to either side all rates are as good: the middle one.
    best = np.argwhere(errors <= errors.min() + FLAT)
    row, column = best[np.argmin(((best - best.mean(axis=0)) ** 2).sum(axis=1))]
    return float(grid[0][row]), float(grid[1][column])


def training_hours(run: Published, utilisation: Any, network: Any) -> Any:
    """Predicted GPU-hours of a training."""
    return run.work / utilisation + run.rest / network


def generation_hours(run: Published, share: Any, _: Any) -> Any:
    """Predicted GPU-hours of a generation."""
    return run.work / share + run.rest


GROUPS = (
    ("training", training_hours, TRAINING_GRID),
    ("generation", generation_hours, GENERATION_GRID),
)


@dataclass(frozen=True)
class Row:
    """A line of the calibration table."""

    kind: str
    name: str
    published: float
    predicted: float
    """With the rates of all runs of the kind."""
    left_out: float
    """With the rates of all others; runs of one `group` are left out together."""
    facts: dict[str, Any]

    @property
    def fitted(self) -> bool:
        """False for a run that is shown, and no part of the fit."""
        return bool(self.facts.get("fitted", True))

    @property
    def error(self) -> float:
        """Relative, of `predicted`."""
        return self.predicted / self.published - 1

    @property
    def left_out_error(self) -> float:
        """Relative, of `left_out`."""
        return self.left_out / self.published - 1


@functools.cache
def calibrate() -> tuple[Rates, tuple[Row, ...]]:
    """The rates, and the table with the error of each run, fitted and left out.

    The spread is the root mean square of log(predicted / published) over the runs left out: what to expect of a run that nobody has measured.
    A run with `fitted: false` counts neither for the rates nor for the spread.
    """
    rows: list[Row] = []
    chosen, spreads = [], []
    for (kind, of, grid), runs in zip(GROUPS, published(), strict=True):
        known = [run for run in runs if run.facts.get("fitted", True)]
        fitted = _fit(known, grid, of)
        own = []
        for run in runs:
            group = run.facts.get("group", run.name)
            others = _fit([each for each in known if each.facts.get("group", each.name) != group], grid, of)
            own.append(Row(kind, run.name, run.gpu_hours, float(of(run, *fitted)), float(of(run, *others)), run.facts))
        chosen.append(fitted)
        errors = [math.log(row.left_out / row.published) for row in own if row.fitted]
        spreads.append(math.sqrt(math.fsum(error**2 for error in errors) / len(errors)))
        rows += own
    (training, network), (generation, _) = chosen
    return Rates(training, network, spreads[0], generation, spreads[1]), tuple(rows)


def lengths_alone(entry: dict[str, Any]) -> float:
    """Time of the slowest job of a generation over the mean of its jobs, if nothing but the lengths of their rows differed.

    A job's time is then the sum of its rows' lengths: near normal, with the spread of one row over the root of their number.
    """
    run, jobs = generation_run(entry), entry["jobs"]
    mean = run.replies.mean
    deviation = math.sqrt(run.replies.expected(lambda length: length**2) / mean**2 - 1)
    quantile = statistics.NormalDist().inv_cdf
    # The expected largest of n normal deviates (Blom 1958).
    largest = quantile((jobs - 0.375) / (jobs + 0.25))
    return 1 + deviation / math.sqrt(run.requests / jobs) * largest
