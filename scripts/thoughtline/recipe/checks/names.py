"""Names that would be mistaken for others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..schema.recipe import Recipe
from .shared import Problem


def check_names(recipe: Recipe) -> Iterator[Problem]:
    """No name may be taken for another's, on disk or in messages."""
    for name in recipe.benchmarks:
        if name in recipe.questions:
            yield ("benchmarks", name), "is a training question set too", "a benchmark must have a name of its own"
    for name, run in recipe.traces.items():
        if name in recipe.models and run.model != name:
            yield (
                ("traces", name),
                f"bears the name of the model {name!r} but is answered by {run.model!r}",
                "rename the trace run: both have a folder under traces/",
            )
    for name in recipe.models:
        if re.search(r"-seed\d+$|\.stage\d+$", name):
            yield (
                ("models", name),
                "ends like the names that `seeds` and `stages` make",
                "another name, without -seedN or .stageN at its end",
            )
