"""What several checks ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...common.spelling import known_names
from ..expand import expand, seed_names
from ..schema.recipe import Recipe

Problem = tuple[tuple[Any, ...], str, str]


def listed(at: tuple[Any, ...], kind: str, name: str, names: Iterable[str]) -> Iterator[Problem]:
    """`name` must be one of `names`, which are of this kind, in words."""
    if name not in names:
        yield at, f"there is no {kind} {name!r}", known_names(names, name)


def one_model(recipe: Recipe, at: tuple[Any, ...], name: str, weights: bool = False) -> Iterator[Problem]:
    """`name` must be one model, not a group; with weights where these are needed."""
    models = expand(recipe).models
    model = models.get(name)
    if model is None and name in recipe.models:
        seeds = seed_names(name, recipe.models[name])
        yield at, f"{name!r} is a group of seeds", f"name one of them: {', '.join(seeds)}"
    elif model is None:
        yield at, f"there is no model {name!r}", known_names(models, name)
    elif weights and model.endpoint is not None:
        yield at, f"{name!r} is an endpoint; its weights are not to be had", "name a model with weights"


def prompt_for(recipe: Recipe, at: tuple[Any, ...], name: str, domains: Iterable[str]) -> Iterator[Problem]:
    """`name` must be a prompt, with an entry for each of `domains`."""
    if name not in recipe.prompts:
        yield from listed(at, "prompt", name, recipe.prompts)
        return
    for domain in sorted(set(domains) - set(recipe.prompts[name])):
        yield at, f"prompt {name!r} has no entry for domain {domain!r}", f"add prompts.{name}.{domain}"


def fits(recipe: Recipe, at: tuple[Any, ...], model: str, max_tokens: int, shown: int = 0) -> Iterator[Problem]:
    """`max_tokens` of reply must leave room for a prompt that shows a trace of up to `shown` tokens."""
    models = expand(recipe).models
    current = models.get(model) or models.get(
        seed_names(model, recipe.models[model])[0] if model in recipe.models else ""
    )
    served = None
    while current is not None:
        served = served or (current.engine.max_model_len if current.engine else None)
        served = served or current.context_length
        longest = current.context_length or 0
        current = models.get(current.base) if current.base else None
    if served and shown and max_tokens + shown >= served:
        yield (
            at,
            f"a trace of up to {shown} tokens and {max_tokens} of reply do not fit into the context of {model!r} ({served})",
            f"less than {served - shown}" if served > shown else "a model with a longer context",
        )
    elif served and max_tokens >= served:
        yield (
            at,
            f"{max_tokens} tokens leave no room for the prompt in the context of {model!r} ({served})",
            f"less than {served}"
            + (f", or a larger engine.max_model_len (at most {longest})" if longest > served else ""),
        )
