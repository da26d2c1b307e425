"""Short forms of a recipe, written out: seeds and lists of stages become models of one stage each."""

from __future__ import annotations

from .schema import Model, Recipe


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


def expand(recipe: Recipe) -> Recipe:
    """The recipe with every trained model as one stage at one seed. Expanding twice changes nothing."""
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
    return recipe.model_copy(update={"models": models})
