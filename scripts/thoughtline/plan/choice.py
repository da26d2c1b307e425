"""What a probe measures: whose answers, whose training, how many rows. Apart from probe.py, since every job loads it with the rules."""

from __future__ import annotations

import math
from typing import Any

from ..machines.schema import Machine
from ..recipe.expand import origin
from ..recipe.paths import Paths
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import answerer, question_set

STEPS = 6
"""Optimiser steps of a probe."""
NEVER = 10**9
"""Steps between checkpoints: a probe keeps none."""


def training_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training, for a probe of it. It is timed, not learned from, so its few steps need no warm-up."""
    return {**settings, "epochs": 1.0, "warmup_ratio": 0.0, "save_steps": NEVER}


class Probe:
    """What is probed of a recipe on a machine, and where its files are: below work/probe/."""

    def __init__(self, recipe: Recipe, paths: Paths, machine: Machine) -> None:
        self._recipe, self._paths, self.machine = recipe, paths, machine.name
        self.root = f"{paths.root}/work/probe"
        self.pairs = self._pairs(machine)
        """(answerer, question set): of answerers with published weights, since others come from them."""
        self.trained = self._trained()
        """Models whose training is probed: of each published base the first that starts from it."""

    def _pairs(self, machine: Machine) -> list[tuple[str, str]]:
        """Where each job loads the weights anew (Slurm) one set of each answerer: the one with the most shards."""
        recipe, paths = self._recipe, self._paths
        found = [pair for pair in paths.runs_in_use() if not recipe.traces[pair[0]].rewrites]
        found += [(model, each) for model in paths.evaluated() for each in paths.benchmarks()]
        chosen = []
        for pair in dict.fromkeys(found):
            model = recipe.models[answerer(recipe, *pair)["model"]]
            if model.base is None and model.endpoint is None:
                chosen.append(pair)
        if not machine.is_slurm:
            return chosen
        most: dict[str, str] = {}
        for name, set_name in chosen:
            shards = question_set(recipe, set_name).shards
            if name not in most or shards > question_set(recipe, most[name]).shards:
                most[name] = set_name
        return list(most.items())

    def _trained(self) -> list[str]:
        found: dict[str, str] = {}
        for name in self._paths.models_in_use():
            base = self._recipe.models[name].base
            if base is not None and self._recipe.models[base].base is None:
                found.setdefault(base, name)
        return list(found.values())

    def questions(self, pair: tuple[str, str], concurrency: int) -> int:
        """Questions that a probe asks at most: as many as keep the server as busy as a real job."""
        return math.ceil(concurrency / answerer(self._recipe, *pair)["samples"])

    def shards(self, kind: str, pairs: list[tuple[str, str]] | None = None) -> list[str]:
        """Files of probed questions or traces, of these pairs or of all."""
        chosen = self.pairs if pairs is None else pairs
        return [f"{self.root}/{kind}/{name}/{set_name}/0000.parquet" for name, set_name in chosen]

    def dataset(self, model: str) -> str:
        """The dataset that a probed model would learn from."""
        return self._recipe.models[model].stages[0].dataset

    def rows_from(self, model: str, kind: str) -> list[str]:
        """Files of probed questions or traces that a model's training rows are made from: those of its dataset, or of what that rewrites."""
        dataset = self._paths.trace_sets(self.dataset(model))
        runs = {(run, set_name) for own, set_name in dataset for run in origin(self._recipe, own)}
        of_runs = [pair for pair in self.pairs if pair[0] in self._recipe.traces]
        return self.shards(kind, [pair for pair in of_runs if pair in runs] or of_runs)

    def rows(self, model: str) -> int:
        """Training rows of a probe."""
        return self._recipe.models[model].stages[0].global_batch * STEPS

    def summaries(self) -> list[str]:
        """What the probed trainings leave."""
        return [f"{self.root}/models/{name}/training.json" for name in self.trained]
