"""How a recipe's models lie on a machine's GPUs: what the recipe says, and where it says nothing what is chosen.

A choice depends on recipe, machine file and `execution.concurrency` alone, never on what is done already, so the driver of a run and each
of its jobs choose the same. It is no part of the settings that jobs are compared by: another machine makes nothing run again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from ..common.errors import UserError
from ..machines.demands import BASE, arguments_of, sizes_of_engine
from ..machines.place import Placer
from ..machines.schema import Machine
from ..recipe.schema.judging import judge_of
from ..recipe.schema.recipe import Recipe
from ..recipe.schema.training import Stage, Zero
from ..recipe.settings import engine_of, verifier_of
from . import memory, places
from .architecture import BF16, Architecture, of_model
from .generation import IN_FLIGHT, USED, Serving, cheapest, holding
from .rates import Gpu

NODES = 16
"""Most nodes of a server, where no QoS sets a lower limit."""


class Sizes(NamedTuple):
    """GPUs of a model server: their product."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def gpus(self) -> int:
        """GPUs in all."""
        return self.tensor * self.pipeline * self.data


class Layout:
    """Parallel sizes of servers and ZeRO settings of trainings, of one recipe on one machine."""

    def __init__(self, recipe: Recipe, machine: Machine, placer: Placer, concurrency: int = 64) -> None:
        """`concurrency`: requests in flight to a server (`execution.concurrency`)."""
        self._recipe, self._machine, self._placer = recipe, machine, placer
        self._concurrency = min(concurrency, IN_FLIGHT)
        self._known: dict[str, Sizes | None] = {}

    def given(self, model: str) -> Sizes | None:
        """The sizes that the recipe gives; None where it gives none."""
        found = sizes_of_engine(engine_of(self._recipe, model))
        return Sizes(*found) if found else None

    def chosen(self, model: str) -> Sizes | None:
        """The sizes that are chosen; None where the recipe gives them, or machine or model is not known well enough."""
        if model not in self._known:
            self._known[model] = None if self.given(model) else self.best(model)
        return self._known[model]

    def sizes(self, model: str) -> Sizes:
        """The sizes of a model's server."""
        return self.given(model) or self.chosen(model) or Sizes()

    def gpus(self, model: str) -> int:
        """GPUs of a model's server."""
        return self.sizes(model).gpus

    def best(self, model: str) -> Sizes | None:
        """What would be chosen, whatever the recipe gives; None where nothing fits or too little is known."""
        architecture = self._architecture(model)
        if architecture is None:
            return None
        example, longest = self.server(model, architecture, Sizes()), self.longest(model)
        for gpu, nodes in self._gpus():
            for most in (1, nodes) if model in self._on_one_node() else (nodes,):
                ways = holding(example.architecture, gpu, longest, most, example.used)
                if found := cheapest(ways, gpu, longest, self._concurrency):
                    return Sizes(found.tensor, found.pipeline)
        return None

    def server(self, model: str, architecture: Architecture, sizes: Sizes | None = None) -> Serving:
        """A model's server as its engine settings have it: numbers of 32 bits, weights or cache in 8, share of a GPU's memory."""
        engine = engine_of(self._recipe, model)
        arguments = arguments_of(engine)
        if engine.get("dtype") == "float32":
            wide = 2 * BF16 if architecture.weight_bytes == BF16 else architecture.weight_bytes
            architecture = replace(architecture, weight_bytes=wide, cache_bytes=2 * BF16)
        if engine.get("quantization") == "fp8":
            architecture = replace(architecture, weight_bytes=1)
        if str(arguments.get("kv_cache_dtype", "")).startswith("fp8"):
            architecture = replace(architecture, cache_bytes=1)
        share = arguments.get("gpu_memory_utilization")
        used = float(share) if isinstance(share, int | float) and 0 < share <= 1 else USED
        return Serving(architecture, *(sizes or self.sizes(model)), used=used)

    def longest(self, model: str) -> float:
        """Tokens of context that a server must be able to hold for one request."""
        asked = engine_of(self._recipe, model).get("max_model_len")
        return asked or self._recipe.models[self._published(model)].context_length or 1

    def chosen_zero(self, model: str) -> Zero | None:
        """The ZeRO settings that are chosen for a training; None where the recipe gives them."""
        (stage,) = self._recipe.models[model].stages
        return self.zero(model) if stage.zero == "auto" else None

    def zero(self, model: str) -> Zero:
        """The ZeRO settings of a training: the recipe's, or the fastest that fit; stage 3 where too little is known to choose."""
        (stage,) = self._recipe.models[model].stages
        if stage.zero != "auto":
            return stage.zero
        architecture = self._architecture(model)
        found = self._node(stage) if architecture else None
        if architecture is None or found is None:
            return Zero()
        # Where nothing fits, the least: fit.py refuses it.
        return memory.least(architecture, stage, stage.ranks, *found) or list(memory.settings())[-1]

    def server_words(self, model: str) -> str:
        """What a command that serves a model is told beside its settings."""
        found = self.chosen(model)
        return f"--tensor-parallel {found.tensor} --pipeline-parallel {found.pipeline}" if found else ""

    def judge_words(self, set_name: str) -> str:
        """What a command that serves the judge of a question set is told beside its settings."""
        judge = judge_of(verifier_of(self._recipe, set_name))
        return self.server_words(judge.model) if judge else ""

    def training_words(self, model: str) -> str:
        """What a command that trains a model is told beside its settings."""
        zero = self.chosen_zero(model)
        if zero is None:
            return ""
        offloaded = ["optimizer"] * zero.offload_optimizer + ["parameters"] * zero.offload_parameters
        return f"--zero {'+'.join([str(zero.stage), *offloaded])}"

    @functools.cache  # noqa: B019 (one instance a process)
    def _on_one_node(self) -> set[str]:
        """Models that judge, or are measured with a draft: their jobs stay on one node."""
        judges = (
            judge_of(verifier_of(self._recipe, name)) for name in (*self._recipe.questions, *self._recipe.benchmarks)
        )
        return {each.model for each in judges if each} | {each.target for each in self._recipe.drafts.values()}

    def _published(self, model: str) -> str:
        while (base := self._recipe.models[model].base) is not None:
            model = base
        return model

    def _architecture(self, model: str) -> Architecture | None:
        """From the table or a local folder: not from staged weights, which may come between the driver's look and a job's."""
        published = self._recipe.models[self._published(model)]
        if published.endpoint is not None:
            return None
        try:
            return of_model(published, model)
        except UserError:
            return None

    def _gpus(self) -> Iterator[tuple[Gpu, int]]:
        """Each kind of GPU of the machine, with the most nodes that a job gets, in the order in which places are sought."""
        for name, partition in self._machine.partitions.items():
            gpu = places.memory_of(self._machine.node_of(name)) if partition.gpus else None
            if gpu is not None:
                yield gpu, min(NODES, places.most_nodes(partition))

    def _node(self, stage: Stage) -> tuple[Gpu, float] | None:
        """The GPUs that a training gets, and the memory that comes with each in bytes."""
        try:
            place = self._placer.place(replace(BASE["train"], gpus=stage.ranks))
        except UserError:
            return None
        node = places.node_of(self._machine, place)
        gpu = places.memory_of(node) if node else None
        return (gpu, place.mem_mb * 2**20 / place.gpus) if node and gpu else None
