"""What is scored, compared, measured and expected."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.spelling import known_names
from ..expand import expand
from ..schema.recipe import Recipe
from .shared import Problem, fits, listed, one_model, prompt_for


def check_targets(recipe: Recipe) -> Iterator[Problem]:
    """What is evaluated and compared must be the recipe's, with prompts for its domains."""
    if recipe.benchmarks and recipe.evaluation is None:
        yield ("evaluation",), "is missing", "benchmarks need samples, sampling and prompt"
    elif recipe.evaluation:
        yield from prompt_for(recipe, ("evaluation", "prompt"), recipe.evaluation.prompt, ())
    for name, benchmark in recipe.benchmarks.items():
        prompt = benchmark.prompt or (recipe.evaluation.prompt if recipe.evaluation else None)
        if benchmark.prompt:
            yield from prompt_for(recipe, ("benchmarks", name, "prompt"), prompt, [benchmark.domain])
        elif prompt in recipe.prompts:
            yield from prompt_for(recipe, ("benchmarks", name), prompt, [benchmark.domain])
    known = set(recipe.models) | set(expand(recipe).models)
    if recipe.targets.benchmarks == []:
        yield ("targets", "benchmarks"), "is empty", "name benchmarks, or `all`"
    for name in recipe.targets.evaluate:
        if name not in known:
            yield ("targets", "evaluate"), f"there is no model {name!r}", known_names(recipe.models, name)
    if recipe.targets.benchmarks != "all":
        for name in recipe.targets.benchmarks:
            yield from listed(("targets", "benchmarks"), "benchmark", name, recipe.benchmarks)
    if len(set(recipe.targets.evaluate)) < len(recipe.targets.evaluate):
        twice = next(each for each in recipe.targets.evaluate if recipe.targets.evaluate.count(each) > 1)
        yield ("targets", "evaluate"), f"{twice!r} is given twice", "keep one of them"
    for number, pair in enumerate(recipe.targets.compare):
        if pair.a == pair.b:
            yield ("targets", "compare", number), f"compares {pair.a!r} with itself", "two models"
        for side in (pair.a, pair.b):
            if side not in recipe.targets.evaluate:
                yield (
                    ("targets", "compare", number),
                    f"compares {side!r}, which is not evaluated",
                    f"add it to targets.evaluate ({', '.join(recipe.targets.evaluate)})",
                )


def check_published(recipe: Recipe) -> Iterator[Problem]:
    """Published scores must be of the recipe's models and benchmarks."""
    for name, scores in recipe.published.scores.items() if recipe.published else ():
        if name not in recipe.models and name not in expand(recipe).models:
            yield ("published", "scores", name), "is no model of this recipe", known_names(recipe.models, name)
        for benchmark in scores:
            if benchmark not in recipe.benchmarks:
                at = ("published", "scores", name, benchmark)
                yield at, "is no benchmark of this recipe", known_names(recipe.benchmarks, benchmark)


def check_drafts(recipe: Recipe) -> Iterator[Problem]:
    """Draft and target must be two models with weights, asked about sets that the recipe has."""
    for name, chosen in recipe.drafts.items():
        at = ("drafts", name)
        yield from one_model(recipe, (*at, "target"), chosen.target, weights=True)
        yield from one_model(recipe, (*at, "draft"), chosen.draft, weights=True)
        if chosen.target == chosen.draft:
            yield (*at, "draft"), "is the target itself", "name a smaller model"
        known = {**recipe.questions, **recipe.benchmarks}
        for each in chosen.questions:
            yield from listed((*at, "questions"), "question set", each, known)
        domains = (known[each].domain for each in chosen.questions if each in known)
        yield from prompt_for(recipe, (*at, "prompt"), chosen.prompt, domains)
        if chosen.target in expand(recipe).models:
            yield from fits(recipe, (*at, "max_tokens"), chosen.target, chosen.max_tokens)


def check_expect(recipe: Recipe) -> Iterator[Problem]:
    """What is expected must be of something that the recipe has."""
    expect = recipe.expect
    if expect is None:
        return
    sets = {**recipe.questions, **recipe.benchmarks}
    answerers = {**expand(recipe).models, **recipe.models, **recipe.traces}
    for key, known in (("rows", sets), ("replies", answerers), ("datasets", recipe.datasets)):
        for name in getattr(expect, key):
            if name not in known:
                right = f"{known_names(known, name)}; or remove it, in a recipe that extends by `{name}: null`"
                yield ("expect", key, name), f"the recipe has no {name!r}", right
    for name, value in expect.replies.items():
        for set_name in value if isinstance(value, dict) else ():
            if set_name not in sets:
                yield (
                    ("expect", "replies", name, set_name),
                    f"the recipe has no {set_name!r}",
                    known_names(sets, set_name),
                )
