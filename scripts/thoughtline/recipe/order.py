"""Which jobs go first when not all can: those that others wait for, then those with the longest traces. It changes no result.

The longest way through a recipe is teacher's traces, their verdicts, dataset, training, the student's traces, their verdicts. A model that is
evaluated beside it waits. On one machine order is the rules' own: jobs of one model follow each other and share its server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .paths import Paths
from .schema.recipe import Recipe
from .settings import question_set, traces

TOKENS = {"math": 6094, "code": 7436, "science": 4929, "puzzle": 2739, "chat": 1420}
"""Mean tokens of a trace by domain: DeepSeek-R1's distillation data (math 395,285 rows, code 211,129, STEM, logic, general)."""


def tokens_of(recipe: Recipe, set_name: str) -> int:
    """Expected tokens of a trace of a question set."""
    return TOKENS[question_set(recipe, set_name).domain]


def for_training(recipe: Recipe, answerer: str, set_name: str) -> bool:
    """Whether a training set is made from these traces."""
    return answerer in recipe.traces and set_name not in recipe.benchmarks


def priority_of_traces(recipe: Recipe, answerer: str, set_name: str) -> int:
    """Priority of `generate_traces` on a cluster: 50 to 57 for a teacher, 20 to 27 for an evaluation, longest traces first."""
    return (50 if for_training(recipe, answerer, set_name) else 20) + tokens_of(recipe, set_name) // 1000


def priority_of_verdicts(recipe: Recipe, answerer: str, set_name: str) -> int:
    """Priority of `verify_traces` on a cluster: before traces of the same kind, for what follows waits for them."""
    return 60 if for_training(recipe, answerer, set_name) else 30


def sharing_plans(recipe: Recipe, paths: Paths, jobs: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, Any]]:
    """For each answerer's plan file (traces/helping.py) the shards that its jobs may answer for each other.

    Runs that rewrite traces have none: what is asked stands in files that others may not have yet.

    Args:
        jobs: (answerer, set, shard) of all trace jobs of this run.
    """
    found: dict[str, dict[str, Any]] = {}
    jobs = [job for job in jobs if job[0] not in recipe.traces or not recipe.traces[job[0]].rewrites]
    for answerer, set_name, shard in sorted(jobs, key=lambda job: (job[0], -tokens_of(recipe, job[1]), job[1:])):
        plan = found.setdefault(paths.sharing_plan(answerer), {"settings": {}, "shards": []})
        if set_name not in plan["settings"]:
            plan["settings"][set_name] = traces(recipe, answerer, set_name)
        plan["shards"].append(
            {
                "set": set_name,
                "questions": f"{paths.root}/questions/{set_name}/{shard}.parquet",
                "out": f"{paths.root}/traces/{answerer}/{set_name}/{shard}.parquet",
                "work": paths.traces_work(answerer, set_name, shard),
            }
        )
    return found
