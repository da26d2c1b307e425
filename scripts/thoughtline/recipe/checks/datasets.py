"""Datasets: what their rows come from, and what they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.spelling import known_names
from ..schema.recipe import Recipe
from ..settings import sources_of
from .shared import Problem, listed, one_model, prompt_for


def check_datasets(recipe: Recipe) -> Iterator[Problem]:
    """A dataset's runs, prompt, tokenizer, sources and benchmarks must be the recipe's; what it takes over must not go in a circle."""
    for name, dataset in recipe.datasets.items():
        at = ("datasets", name)
        for run in dataset.traces:
            yield from listed((*at, "traces"), "trace run", run, recipe.traces)
        asked = {each for run in dataset.traces if run in recipe.traces for each in recipe.traces[run].questions}
        sets = sorted(asked & set(recipe.questions))
        yield from prompt_for(recipe, (*at, "prompt"), dataset.prompt, (recipe.questions[each].domain for each in sets))
        if dataset.tokenizer is not None:
            yield from one_model(recipe, (*at, "tokenizer"), dataset.tokenizer, weights=True)
        if dataset.mixture and dataset.mixture.sources:
            known = {source for each in sets for source in sources_of(recipe, each)}
            for source in dataset.mixture.sources:
                if source not in known:
                    yield (
                        (*at, "mixture", "sources", source),
                        "is no source of its questions",
                        known_names(known, source),
                    )
        rule = dataset.decontaminate
        for benchmark in rule.benchmarks if rule and rule.benchmarks != "all" else []:
            yield from listed((*at, "decontaminate", "benchmarks"), "benchmark", benchmark, recipe.benchmarks)
        seen, other = [name], dataset.same_questions_as
        while other is not None:
            if other not in recipe.datasets:
                yield from listed((*at, "same_questions_as"), "dataset", other, recipe.datasets)
                break
            if other in seen:
                yield (
                    (*at, "same_questions_as"),
                    f"goes in a circle: {' -> '.join([*seen, other])}",
                    "one dataset must stand by itself",
                )
                return
            seen.append(other)
            other = recipe.datasets[other].same_questions_as
