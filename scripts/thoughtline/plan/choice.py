"""What a probe measures: whose answers, whose training, how many rows. Apart from probe.py, since every job loads it with the rules."""

from __future__ import annotations

import math
from typing import Any

from ..machines.schema import Machine
from ..recipe.paths import Paths
from ..recipe.schema import Recipe
from ..recipe.settings import answerer, question_set

STEPS = 6
"""Optimiser steps of a probe."""
NEVER = 10**9
"""Steps between checkpoints: a probe keeps none."""


def pairs(recipe: Recipe, paths: Paths, machine: Machine) -> list[tuple[str, str]]:
    """(answerer, question set) that are probed: of answerers with published weights, for others come from them.

    Where each job loads the weights anew (Slurm) one set of each answerer: the one with the most shards.
    """
    datasets = paths.datasets_in_use() or list(recipe.datasets)
    found = [pair for name in datasets for pair in paths.trace_sets(name)]
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


def trained(recipe: Recipe, paths: Paths) -> list[str]:
    """Models whose training is probed: of each published base the first that starts from it."""
    found: dict[str, str] = {}
    for name in paths.models_in_use():
        base = recipe.models[name].base
        if base is not None and recipe.models[base].base is None:
            found.setdefault(base, name)
    return list(found.values())


def questions_of(recipe: Recipe, pair: tuple[str, str], concurrency: int) -> int:
    """Questions that a probe asks at most: as many as keep the server as busy as a real job."""
    return math.ceil(concurrency / answerer(recipe, *pair)["samples"])


def training_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training, for a probe of it."""
    return {**settings, "epochs": 1.0, "save_steps": NEVER}
