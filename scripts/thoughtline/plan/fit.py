"""Whether a recipe's jobs fit on a machine: a place for each, and room in its GPUs. What does not is refused, with what would."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

from ..common.errors import UserError
from ..machines.place import Place, Placer
from ..machines.schema import Machine
from ..recipe.schema.judging import judge_of
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import answerer, verifier_of
from . import memory, places
from .architecture import Architecture
from .generation import WORKSPACE, fits, holding, shares, start_seconds
from .layout import Layout
from .models import Models
from .rates import Gpu
from .work import Item


class Fit:
    """Holds one recipe's jobs against one machine."""

    def __init__(self, recipe: Recipe, machine: Machine, placer: Placer, layout: Layout, models: Models) -> None:
        self._recipe, self._machine, self._placer, self._layout, self._models = recipe, machine, placer, layout, models

    def check(self, items: Iterable[Item]) -> None:
        """Check each kind of job.

        Raises:
            UserError: the first that finds no place, or whose model does not fit into its GPUs.
        """
        for item in items:
            place = self._place(item)
            if item.stage == "train":
                self._training(item.names[0], place)
            elif (model := self.served(item)) and place.gpus:
                self._server(item, model, place)

    def served(self, item: Item) -> str | None:
        """The model with weights that a job serves; None if it serves none."""
        model = self._asked(item)
        return None if model is None or self._recipe.models[model].endpoint else model

    def _asked(self, item: Item) -> str | None:
        """The model that a job asks; None if it asks none."""
        if item.stage == "traces":
            return answerer(self._recipe, *item.names)["model"]
        if item.stage == "verdicts" and (judge := judge_of(verifier_of(self._recipe, item.names[1]))):
            return judge.model
        return self._recipe.drafts[item.names[0]].target if item.stage == "drafts" else None

    def loaded(self, item: Item) -> str | None:
        """The model that a job serves or trains; None if it needs no weights."""
        return item.names[0] if item.stage == "train" else self.served(item)

    def _place(self, item: Item) -> Place:
        try:
            return self._placer.place(item.demand)
        except UserError as error:
            where, advice = error.where, None
            if item.stage == "train":
                where, advice = f"models.{item.names[0]}.stages", self._other_ranks(item.names[0])
            elif model := self.served(item):
                where, advice = f"models.{model}.engine", self._other_sizes(model)
            elif model := self._asked(item):
                where = f"models.{model}.endpoint"
            what = error.what if where == error.where else f"{error.where} {error.what}"
            raise UserError(where, what, "; ".join(filter(None, (error.right, advice)))) from None

    def _other_ranks(self, model: str) -> str | None:
        (stage,) = self._recipe.models[model].stages
        architecture, otherwise = self._architecture(model), None
        for name, partition in self._machine.partitions.items():
            node = self._machine.node_of(name)
            gpu = places.memory_of(node) if partition.gpus else None
            if gpu is None or architecture is None:
                continue
            host = node.memory_mb * 2**20 / gpu.per_node
            most = places.most_nodes(partition) * gpu.per_node
            ranks = memory.nearest_ranks(architecture, stage, gpu, host, most)
            otherwise = otherwise or f"{name}: {memory.would_fit(architecture, stage, gpu, host, most)}"
            if ranks:
                zero = self._layout.zero(model)
                enough = memory.misfit(memory.need(architecture, stage, zero, ranks), gpu, host) is None
                least = None if enough else memory.least(architecture, stage, ranks, gpu, host)
                settings = f" and zero: {{{memory.keys(least)}}}" if least else ""
                same = f"its global_batch stays {stage.global_batch}, so only rounding and time differ"
                return f"ranks: {ranks}{settings} would fit into {name}: {same}"
        return otherwise

    def _other_sizes(self, model: str) -> str | None:
        found = self._layout.best(model) if self._layout.given(model) else None
        if found is None:
            return None
        return f"without parallel sizes in engine.arguments {found.tensor} x {found.pipeline} would be chosen here"

    def _architecture(self, model: str) -> Architecture | None:
        try:
            return self._models.architecture(model)
        except UserError:
            return None

    def _gpu(self, place: Place) -> Gpu | None:
        node = places.node_of(self._machine, place)
        return places.memory_of(node) if node and place.gpus else None

    def _server(self, item: Item, model: str, place: Place) -> None:
        at = f"models.{model}.engine"
        if place.nodes > 1 and item.stage != "traces":
            what = "judges" if item.stage == "verdicts" else "is measured with its draft"
            raise UserError(
                at,
                f"takes {place.nodes} nodes of {self._machine.name}, and where a model {what} it must fit on one",
                "a smaller model, GPUs with more memory, or an endpoint",
            )
        architecture, gpu = self._architecture(model), self._gpu(place)
        if architecture is None or gpu is None or place.partition is None:
            return
        if place.minutes * 60 <= (seconds := start_seconds(architecture)):
            what = f"its server takes about {seconds:.0f} s to start"
            raise UserError(at, f"{what}, and {places.ends_after(place)}: it would never answer", places.LONGER)
        sizes, longest = self._layout.sizes(model), self._models.longest(model)
        if sizes.tensor not in (fitting := shares(architecture, max(16, sizes.tensor))):
            raise UserError(
                f"{at}.arguments.tensor_parallel_size",
                f"{sizes.tensor} GPUs cannot share {architecture.heads} attention heads evenly"
                f"{'' if architecture.latent else f', and {architecture.kv_heads} of keys and values evenly or as copies'}",
                f"one of {', '.join(map(str, fitting))}",
            )
        if sizes.pipeline > architecture.layers:
            raise UserError(
                f"{at}.arguments.pipeline_parallel_size",
                f"{sizes.pipeline} stages are more than the model has layers, {architecture.layers}",
                f"at most {architecture.layers}",
            )
        if why := fits(self._layout.server(model, architecture), gpu, longest):
            right = self._larger(
                model, architecture, gpu, longest, places.most_nodes(self._machine.partitions[place.partition])
            )
            raise UserError(at, f"does not fit on {self._machine.name}: {why}", right)

    def _larger(self, model: str, architecture: Architecture, gpu: Gpu, longest: float, nodes: int) -> str:
        example = self._layout.server(model, architecture)
        ways = holding(example.architecture, gpu, longest, nodes, example.used)
        if not ways:
            return self._nowhere(example.architecture, gpu, longest, nodes, example.used)
        better = ways[0]
        arguments = f"tensor_parallel_size: {better.tensor}, pipeline_parallel_size: {better.pipeline}"
        chosen = "; without sizes they are chosen" if self._layout.given(model) else ""
        over = math.ceil(better.gpus / gpu.per_node)
        nodes_words = f"{over} node{'s' if over > 1 else ''}"
        return f"engine.arguments {{{arguments}}} would: {better.gpus} GPUs, {nodes_words}{chosen}"

    def _nowhere(self, architecture: Architecture, gpu: Gpu, longest: float, nodes: int, used: float) -> str:
        """What to do about a model that no server here holds with its context: a context that fits, if one does."""
        most = f"a job gets at most {nodes} node{'s' if nodes > 1 else ''} of {gpu.per_node} GPUs here"
        ways = holding(architecture, gpu, 1, nodes, used)
        held = math.floor(max((each.context(gpu) for each in ways), default=0))
        if held:
            return f"{most}, which hold a context of {held:,} tokens beside the weights: shorten engine.max_model_len, or choose another machine"
        all_of_them = nodes * gpu.per_node * (used * gpu.memory - WORKSPACE)
        shared = "" if architecture.weights > all_of_them else ", and it cannot be shared evenly enough"
        return (
            f"{most}, which have room for {all_of_them / 1e9:,.0f} GB in all; the weights alone take {architecture.weights / 1e9:,.0f} GB{shared}: "
            "choose a machine with more or larger GPUs a job, or a smaller model"
        )

    def _training(self, model: str, place: Place) -> None:
        (stage,) = self._recipe.models[model].stages
        architecture, gpu, node = self._architecture(model), self._gpu(place), places.node_of(self._machine, place)
        if architecture is None or gpu is None or node is None:
            return
        host, zero = place.mem_mb * 2**20 / place.gpus, self._layout.zero(model)
        if why := memory.misfit(memory.need(architecture, stage, zero, stage.ranks), gpu, host):
            what = f"does not fit on {self._machine.name}: {memory.words(zero)} {why}"
            most = places.most_nodes(self._machine.partitions[place.partition]) * gpu.per_node
            raise UserError(f"models.{model}.stages", what, memory.would_fit(architecture, stage, gpu, host, most))


def check_here(models: Models, names: Iterable[str]) -> None:
    """On this machine: weights that are larger than its memory cannot be used without GPUs.

    Args:
        names: models that are served or trained.

    Raises:
        UserError: the first that is too large.
    """
    if os.path.exists("/dev/nvidiactl"):
        return
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in dict.fromkeys(names):
        try:
            weights = models.weights(name)
        except UserError:  # nobody knows yet how large they are
            continue
        if weights > memory_bytes:
            raise UserError(
                f"models.{name}",
                f"its weights take {weights / 1e9:,.0f} GB, and this machine has {memory_bytes / 1e9:,.0f} GB of memory and no GPU",
                "name a cluster (--config machine=leonardo), or run the recipe scaled down: `thoughtline recipe scale RECIPE --out small.yaml`",
            )
