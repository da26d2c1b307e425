"""Short forms of a recipe, written out: seeds and lists of stages become models of one stage each,
and a trace run that rewrites another has its questions."""

from __future__ import annotations

from .schema.models import Model
from .schema.recipe import Recipe
from .schema.traces import TraceRun


def seed_names(name: str, model: Model) -> list[str]:
    """The models that `name` stands for: itself, or one a seed."""
    return [f"{name}-seed{seed}" for seed in model.seeds] or [name]


def group(recipe: Recipe, name: str) -> list[str]:
    """The models behind a name in `targets`, before or after expansion."""
    if name in recipe.models:
        return seed_names(name, recipe.models[name])
    members = [
        other for other in recipe.models if other.startswith(f"{name}-seed") and other[len(name) + 5 :].isdigit()
    ]
    return sorted(members, key=lambda other: int(other[len(name) + 5 :]))


def _chain(name: str, model: Model) -> dict[str, Model]:
    """A model of n stages as n models, each the base of the next; the last bears the name."""
    found: dict[str, Model] = {}
    base = model.base
    for number, stage in enumerate(model.stages, start=1):
        last = number == len(model.stages)
        key = name if last else f"{name}.stage{number}"
        found[key] = model.model_copy(update={"base": base, "stages": [stage], "seeds": []})
        base = key
    return found


def origin(recipe: Recipe, run: str) -> list[str]:
    """A trace run and those whose traces it rewrites, one after the other; it ends before a name that repeats or is unknown."""
    chain: list[str] = []
    name: str | None = run
    while name in recipe.traces and name not in chain:
        chain.append(name)
        name = recipe.traces[name].rewrites
    return chain


def _run(recipe: Recipe, name: str) -> TraceRun:
    """A trace run with the questions and the number of samples of the run that it rewrites."""
    chain = [recipe.traces[each] for each in origin(recipe, name)]
    questions = next((run.questions for run in chain if run.questions), [])
    return chain[0].model_copy(update={"questions": questions, "samples": chain[-1].samples})


def with_questions(recipe: Recipe) -> Recipe:
    """The recipe with the questions and samples of every trace run."""
    return recipe.model_copy(update={"traces": {name: _run(recipe, name) for name in recipe.traces}})


def expand(recipe: Recipe) -> Recipe:
    """The recipe with every trained model as one stage at one seed, and every trace run with its questions.

    Expanding twice changes nothing.
    """
    models: dict[str, Model] = {}
    for name, model in recipe.models.items():
        if model.base is None:
            models[name] = model
            continue
        for each, seed in zip(seed_names(name, model), model.seeds or [None], strict=True):
            seeded = model
            if seed is not None:
                seeded = model.model_copy(
                    update={"stages": [s.model_copy(update={"seed": seed}) for s in model.stages]}
                )
            models.update(_chain(each, seeded))
    return with_questions(recipe).model_copy(update={"models": models})
