"""Trace runs: who answers what, and how."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.spelling import known_names
from ..expand import origin
from ..schema.recipe import Recipe
from .shared import Problem, fits, listed, one_model, prompt_for


def check_traces(recipe: Recipe) -> Iterator[Problem]:
    """Who answers, with which prompt, and on which training sets must be the recipe's."""
    for name, run in recipe.traces.items():
        at = ("traces", name)
        yield from one_model(recipe, (*at, "model"), run.model)
        domains = (recipe.questions[each].domain for each in run.questions if each in recipe.questions)
        yield from prompt_for(recipe, (*at, "prompt"), run.prompt, domains)
        if not run.questions:
            yield (*at, "questions"), "is missing", "name question sets, or a run that this one rewrites"
        for set_name in run.questions:
            if set_name in recipe.benchmarks:
                yield (
                    (*at, "questions"),
                    f"{set_name!r} is a benchmark; training on it would make its scores worthless",
                    "name training question sets only",
                )
            else:
                yield from listed((*at, "questions"), "question set", set_name, recipe.questions)
        if len(set(run.questions)) != len(run.questions):
            yield (*at, "questions"), "names a set twice", "name each once"


def check_rewriting(recipe: Recipe) -> Iterator[Problem]:
    """A run may rewrite traces of another, all of whose questions it asks about, one for one."""
    for name, run in recipe.traces.items():
        at = ("traces", name)
        if run.rewrites is None:
            continue
        chain = origin(recipe, name)
        last = recipe.traces[chain[-1]].rewrites
        if last is not None and last not in recipe.traces:
            yield from listed(("traces", chain[-1], "rewrites"), "trace run", last, recipe.traces)
            return
        if last is not None:
            yield (
                (*at, "rewrites"),
                f"goes in a circle: {' -> '.join([*chain, last])}",
                "one run must answer questions itself",
            )
            return
        before = recipe.traces[run.rewrites]
        for each in run.questions:
            if each not in before.questions:
                yield (
                    (*at, "questions"),
                    f"{each!r} was not asked in {run.rewrites!r}",
                    known_names(before.questions, each),
                )
        yield from fits(
            recipe, (*at, "sampling", "max_tokens"), run.model, run.sampling.max_tokens, before.sampling.max_tokens
        )


def check_samples_of_rewriting(recipe: Recipe) -> Iterator[Problem]:
    """A run that rewrites another's traces has as many as that one."""
    for name, run in recipe.traces.items():
        if run.rewrites is not None and run.samples != 1:
            yield ("traces", name, "samples"), "each trace is rewritten once", "leave it out"


def check_sampling(recipe: Recipe) -> Iterator[Problem]:
    """Replies must fit beside their prompts, and samples differ."""
    for name, run in recipe.traces.items():
        yield from fits(recipe, ("traces", name, "sampling", "max_tokens"), run.model, run.sampling.max_tokens)
        if run.samples > 1 and run.sampling.temperature == 0 and run.rewrites is None:
            yield (
                ("traces", name, "samples"),
                f"{run.samples} samples at temperature 0 are all the same",
                "1, or a temperature above 0",
            )
    if recipe.evaluation:
        for name in recipe.targets.evaluate:
            if name in recipe.models:
                yield from fits(
                    recipe, ("evaluation", "sampling", "max_tokens"), name, recipe.evaluation.sampling.max_tokens
                )
                for key, benchmark in recipe.benchmarks.items():
                    if benchmark.sampling:
                        at = ("benchmarks", key, "sampling", "max_tokens")
                        yield from fits(recipe, at, name, benchmark.sampling.max_tokens)
        if recipe.evaluation.samples > 1 and recipe.evaluation.sampling.temperature == 0:
            yield ("evaluation", "samples"), "runs at temperature 0 are all the same", "1, or a temperature above 0"
