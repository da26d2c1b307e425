"""What each job of a recipe needs, before it is known which machine gives it.

GPUs follow from the recipe: a served model takes tensor x pipeline x data parallel ones (plan/layout.py), a training stage one a rank. Cores, memory and
minutes of the other stages are the most that the releases' sizes need (173k questions, 114k rows of 7k tokens), per shard where there are shards.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ..recipe.paths import Paths
from ..recipe.schema.generation import PARALLEL
from ..recipe.schema.judging import judge_of
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import answerer, engine_of, question_set, verifier_of
from .place import Demand
from .schema import Machine

BASE = {
    "stage": Demand(cpus=2, mem_mb=4000, minutes=240, resumable=True),
    "questions": Demand(cpus=4, mem_mb=16000, minutes=240),
    "fetch": Demand(cpus=2, mem_mb=8000, minutes=240),
    "traces": Demand(cpus=2, mem_mb=12000, minutes=720, resumable=True),
    "verdicts": Demand(cpus=4, mem_mb=8000, minutes=240, resumable=True),
    "agreement": Demand(cpus=1, mem_mb=4000, minutes=60),
    "datasets": Demand(cpus=4, mem_mb=16000, minutes=240),
    "train": Demand(cpus=2, mem_mb=16000, minutes=720, resumable=True, unlimited=True),
    "drafts": Demand(cpus=2, mem_mb=16000, minutes=240),
    "scores": Demand(cpus=1, mem_mb=4000, minutes=60),
    "report": Demand(cpus=1, mem_mb=8000, minutes=60),
}
"""By stage: cores, memory and minutes without GPUs. The stages that keep a journal or checkpoints are resumable; the others start over."""


def has_gpus(machine: Machine) -> bool:
    """Whether any partition gives GPUs."""
    return any(each.gpus and machine.nodes[each.node].gpus for each in machine.partitions.values())


def has_internet(machine: Machine) -> bool:
    """Whether jobs of any partition reach the internet."""
    return any(each.internet for each in machine.partitions.values())


def arguments_of(engine: dict[str, Any]) -> dict[str, Any]:
    """vLLM's options among these engine settings; they may be written with - or _."""
    return {key.replace("-", "_"): value for key, value in (engine.get("arguments") or {}).items()}


def sizes_of_engine(engine: dict[str, Any]) -> tuple[int, ...] | None:
    """Tensor, pipeline and data parallel size that these engine settings give; None where they give none.

    >>> sizes_of_engine({"arguments": {"tensor-parallel-size": 4, "pipeline_parallel_size": 2}})
    (4, 2, 1)
    """
    arguments = arguments_of(engine)
    return tuple(arguments.get(key) or 1 for key in PARALLEL) if any(arguments.get(key) for key in PARALLEL) else None


def _asks_the_internet(url: str) -> bool:
    """Whether a service is elsewhere than on the job's own machine."""
    return urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1")


class Demands:
    """Demands of a recipe's jobs on one machine, by stage and the names that choose a job of it."""

    def __init__(self, recipe: Recipe, machine: Machine, gpus_of: Callable[[str], int] | None = None) -> None:
        """`gpus_of`: GPUs of a model's server; default: as the recipe says, else one."""
        self._recipe, self._gpus, self._internet = recipe, has_gpus(machine), has_internet(machine)
        self._gpus_of = gpus_of or (lambda model: math.prod(sizes_of_engine(engine_of(recipe, model)) or (1,)))

    def _asking(self, base: Demand, model: str) -> Demand:
        """`base` with what it takes to ask a model of the recipe."""
        endpoint = self._recipe.models[model].endpoint
        if endpoint is not None:
            return replace(base, internet=_asks_the_internet(endpoint.url))
        return replace(base, gpus=self._gpus_of(model) if self._gpus else 0)

    def stage(self) -> Demand:
        """`stage_repository`; where no partition has internet it runs beside the driver instead."""
        return replace(BASE["stage"], internet=self._internet)

    def questions(self, set_name: str) -> Demand:
        """`curate_questions`."""
        return BASE["questions"]

    def fetch(self, model: str) -> Demand:
        """`fetch_model`."""
        return BASE["fetch"]

    @functools.cache  # noqa: B019 (one instance a process)
    def traces(self, name: str, set_name: str) -> Demand:
        """`generate_traces`."""
        base = replace(BASE["traces"], jobs=question_set(self._recipe, set_name).shards)
        return self._asking(base, answerer(self._recipe, name, set_name)["model"])

    @functools.cache  # noqa: B019 (one instance a process)
    def verdicts(self, set_name: str) -> Demand:
        """`verify_traces`; a judge with weights of its own is served in the same job."""
        base = replace(BASE["verdicts"], jobs=question_set(self._recipe, set_name).shards)
        judge = judge_of(verifier_of(self._recipe, set_name))
        return self._asking(base, judge.model) if judge else base

    @functools.cache  # noqa: B019 (one instance a process)
    def train(self, model: str) -> Demand:
        """`train_model`: a GPU a rank; on CPUs a core a rank."""
        (stage,) = self._recipe.models[model].stages
        if self._gpus:
            return replace(BASE["train"], gpus=stage.ranks)
        return replace(BASE["train"], cpus=max(BASE["train"].cpus, stage.ranks))

    def agreement(self) -> Demand:
        """`verdict_agreement`."""
        return BASE["agreement"]

    def datasets(self) -> Demand:
        """`assemble_dataset`."""
        return BASE["datasets"]

    def scores(self) -> Demand:
        """`score_model`."""
        return BASE["scores"]

    def drafts(self, name: str) -> Demand:
        """`measure_draft`: the GPUs that serve the target; the draft has room beside it."""
        return self._asking(BASE["drafts"], self._recipe.drafts[name].target)

    def report(self) -> Demand:
        """`write_report`."""
        return BASE["report"]

    def needed(self, paths: Paths) -> list[tuple[str, Demand]]:
        """(the recipe's key that asks for it, demand) of each kind of job that the recipe's targets need."""
        recipe, evaluated = self._recipe, paths.evaluated()
        judged = [(run, each) for run, each in paths.runs_in_use() if run in paths.judged_runs()]
        pairs = [*judged, *(pair for pair in paths.runs_in_use() if pair not in judged)]
        pairs += [(model, each) for model in evaluated for each in paths.benchmarks()]
        found = [("stage", self.stage())] if paths.staged() else []
        for name, set_name in dict.fromkeys(pairs):
            found.append((f"questions of {set_name}", self.questions(set_name)))
            found.append((f"models.{answerer(recipe, name, set_name)['model']}.engine", self.traces(name, set_name)))
            if (name, set_name) in judged or set_name in recipe.benchmarks:
                found.append((f"verdicts of {set_name}", self.verdicts(set_name)))
        queue = [name for draft in recipe.drafts.values() for name in (draft.target, draft.draft)]
        queue += [*evaluated, *(answerer(recipe, *pair)["model"] for pair in pairs)]
        while queue:
            model = recipe.models[name := queue.pop()]
            if model.base is not None:
                found.append((f"models.{name}.stages", self.train(name)))
                queue.append(model.base)
            elif model.endpoint is None:
                found.append((f"models.{name}", self.fetch(name)))
        found += [(f"drafts.{name}", self.drafts(name)) for name in recipe.drafts]
        found += [("datasets", self.datasets()), ("scores", self.scores()), ("report", self.report())]
        return list(dict.fromkeys(found))
