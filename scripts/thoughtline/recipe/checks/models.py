"""Chains of models, and what each is trained on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..expand import expand, origin, seed_names
from ..schema.judging import judge_of
from ..schema.recipe import Recipe
from ..settings import verifier_of
from .shared import Problem, listed, one_model


def check_models(recipe: Recipe) -> Iterator[Problem]:
    """Each chain of bases must end at published weights, and its stages fit into their context."""
    models = expand(recipe).models
    for name, model in recipe.models.items():
        at = ("models", name)
        asked = model.engine.max_model_len if model.engine else None
        if asked and model.context_length and asked > model.context_length:
            yield (
                (*at, "engine", "max_model_len"),
                f"{asked} is longer than the model's context_length, {model.context_length} tokens",
                f"at most {model.context_length}",
            )
        if model.base is None:
            continue
        if model.base != name:
            yield from one_model(recipe, (*at, "base"), model.base, weights=True)
        first = seed_names(name, model)[0]
        seen, current = [first], models[first]
        while current.base is not None:
            if current.base in seen or current.base == name:
                yield (
                    (*at, "base"),
                    f"goes in a circle: {' -> '.join([name, *seen[1:], current.base])}",
                    "a chain must end at published weights",
                )
                return
            if current.base not in models:
                return  # said above, or where that model stands
            seen.append(current.base)
            current = models[current.base]
        if current.endpoint is not None:
            continue
        for number, stage in enumerate(model.stages):
            where = (*at, "stages", number)
            yield from listed((*where, "dataset"), "dataset", stage.dataset, recipe.datasets)
            if current.context_length and stage.max_length > current.context_length:
                yield (
                    (*where, "max_length"),
                    f"{stage.max_length} tokens do not fit into the context of {seen[-1]!r} ({current.context_length})",
                    f"at most {current.context_length}",
                )


def check_training_order(recipe: Recipe) -> Iterator[Problem]:
    """No model may be needed, directly or not, before it has been trained."""
    models = expand(recipe).models

    def of_run(name: str, above: tuple[str, ...]) -> set[str]:
        """Who answers, rewrites, and rated the questions."""
        found = {recipe.traces[each].model for each in origin(recipe, name)}
        for each in recipe.traces[name].questions:
            rated = recipe.questions[each].rated if each in recipe.questions else None
            if rated and rated.traces in recipe.traces and rated.traces not in above:
                found |= of_run(rated.traces, (*above, name))
        return found

    def of_dataset(name: str) -> set[str]:
        dataset = recipe.datasets[name]
        found = {dataset.tokenizer} if dataset.tokenizer else set()
        for run in (each for each in dataset.traces if each in recipe.traces):
            found |= of_run(run, ())
            for each in (name for name in recipe.traces[run].questions if name in recipe.questions):
                judge = judge_of(verifier_of(recipe, each))
                found |= {judge.model} if judge else set()
        other = dataset.same_questions_as
        return found | (of_dataset(other) if other in recipe.datasets else set())

    def needs(model: str) -> set[str]:
        found = {models[model].base} if models[model].base else set()
        for stage in models[model].stages:
            found |= of_dataset(stage.dataset) if stage.dataset in recipe.datasets else set()
        return found & set(models)

    for name in models:
        reached: set[str] = set()
        queue = [name]
        while queue:
            for other in needs(queue.pop()):
                if other == name:
                    group = re.sub(r"(-seed\d+)?(\.stage\d+)?$", "", name)
                    yield (
                        ("models", group, "stages"),
                        f"{name!r} would be trained on traces or verdicts of its own, before it exists",
                        "use another teacher, judge or tokenizer",
                    )
                    return
                if other not in reached:
                    reached.add(other)
                    queue.append(other)
