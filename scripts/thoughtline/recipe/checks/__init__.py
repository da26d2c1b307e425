"""What the keys of a recipe must say together. Each check yields (key path, what is wrong, what would be right)."""

from __future__ import annotations

from collections.abc import Iterator

from ..expand import with_questions
from ..schema.recipe import Recipe
from .datasets import check_datasets
from .models import check_models, check_training_order
from .names import check_names
from .questions import check_credits, check_rated, check_same_source, check_sets
from .shared import Problem
from .targets import check_drafts, check_expect, check_published, check_targets
from .templates import check_templates
from .traces import check_rewriting, check_samples_of_rewriting, check_sampling, check_traces
from .verifiers import check_verifiers
from .weights import check_weights

CHECKS = (
    check_names,
    check_models,
    check_weights,
    check_rewriting,
    check_traces,
    check_rated,
    check_same_source,
    check_sampling,
    check_verifiers,
    check_datasets,
    check_training_order,
    check_templates,
    check_targets,
    check_sets,
    check_credits,
    check_expect,
    check_published,
    check_drafts,
)


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem of the recipe, the most basic first."""
    yield from check_samples_of_rewriting(recipe)
    whole = with_questions(recipe)
    for each in CHECKS:
        yield from each(whole)
