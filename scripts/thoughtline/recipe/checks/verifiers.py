"""Verifiers: each set has one that can judge it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..schema.judging import Combined, judge_of
from ..schema.recipe import Recipe
from ..settings import verifier_of
from .shared import Problem, one_model


def judge_at(at: tuple[Any, ...], verifier: Any) -> tuple[Any, ...]:
    """Where the judge of the verifier at `at` stands."""
    return (*at, "judge") if isinstance(verifier, Combined) else at


def written_verifiers(recipe: Recipe) -> Iterator[tuple[tuple[Any, ...], Any, str]]:
    """(key path, verifier, domain) of each verifier that the recipe names: a domain's, or a set's own."""
    for domain, verifier in recipe.verdicts.items():
        yield ("verdicts", domain), verifier, domain
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            if chosen.verifier:
                yield (kind, name, "verifier"), chosen.verifier, chosen.domain


def _instructions(recipe: Recipe) -> Iterator[Problem]:
    """A set that is judged by its instructions must have them."""
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            verifier = verifier_of(recipe, name)
            if verifier is None or verifier.verifier != "instructions":
                continue
            for key, source in chosen.sources.items():
                if source.fields.instructions is None:
                    yield (
                        (kind, name, "sources", key, "fields"),
                        "names no column of instructions, but the verifier `instructions` judges by them",
                        "instructions and instruction_arguments (IFEval: instruction_id_list and kwargs)",
                    )


def check_verifiers(recipe: Recipe) -> Iterator[Problem]:
    """Whatever is judged must have a verifier for its domain."""
    for at, verifier, domain in written_verifiers(recipe):
        if judge := judge_of(verifier):
            yield from one_model(recipe, (*judge_at(at, verifier), "model"), judge.model)
        if verifier.verifier == "code" and domain != "code":
            yield (
                (*at, "verifier"),
                f"unit tests cannot judge the domain {domain!r}",
                "math_verify, exact, choice, judge or none",
            )
    yield from _instructions(recipe)
    used = {run for dataset in recipe.datasets.values() for run in dataset.traces}
    judged = used or set(recipe.traces)
    asked = {("traces", name): set(run.questions) for name, run in recipe.traces.items() if name in judged}
    for at, sets in asked.items():
        for each in sets & set(recipe.questions):
            if verifier_of(recipe, each) is None:
                yield (
                    ("verdicts",),
                    f"has no verifier for domain {recipe.questions[each].domain!r} (asked in {'.'.join(at)})",
                    "add one, or `verifier: none`",
                )
    for name, benchmark in recipe.benchmarks.items():
        verifier = verifier_of(recipe, name)
        if verifier is None or verifier.verifier == "none":
            yield (
                ("benchmarks", name),
                f"has no verifier for domain {benchmark.domain!r}",
                "a benchmark needs one: set verdicts or its own verifier",
            )
