"""An overlay: what a recipe becomes when it is scaled down, and which of its keys a value of the small recipe came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from .extends import Keys, Layered
from .mistakes import explained
from .schema.base import Domain, Name, Strict
from .schema.generation import Example
from .schema.models import Model
from .schema.recipe import Recipe
from .schema.sources import Source
from .schema.training import Zero
from .yaml_text import place_of, read_yaml


class Standins(Strict):
    """Rows of one domain, for training and for benchmarks: the two must be disjoint."""

    train: Source = Field(description="Stands for each source of a training set.")
    benchmark: Source = Field(description="Stands for each source of a benchmark.")


class Examples(Strict):
    """Worked examples by domain, for the prompts of trace runs."""

    answers: dict[Domain, list[Example]] = Field({}, description="For runs that answer questions.")
    rewrites: dict[Domain, list[Example]] = Field({}, description="For runs that write traces anew.")
    ratings: dict[Domain, list[Example]] = Field({}, description="For runs whose replies rate questions.")


class Training(Strict):
    """Settings of every training stage; the others stay."""

    epochs: float = Field(gt=0, description="At most this many epochs.")
    max_length: int = Field(ge=8, description="At most this cutoff in tokens.")
    global_batch: int = Field(ge=1, description="Rows an optimiser step.")
    micro_batch: int = Field(ge=1, description="Rows a rank holds at once.")
    ranks: int = Field(ge=1, description="Processes.")
    precision: str = Field(description="Training precision: float32 or bfloat16.", pattern="^(float32|bfloat16)$")
    gradient_checkpointing: bool = Field(False, description="Recompute activations.")
    save_steps: int = Field(ge=1, description="Steps between checkpoints.")
    zero: Zero = Field(Zero(), description="DeepSpeed ZeRO settings.")


class Overlay(Strict):
    """What a recipe becomes when it is scaled down."""

    name: Name = Field(description="Put behind the recipe's name.")
    model: Model = Field(description="Stands for all published weights and services.")
    questions: int = Field(ge=1, description="At most this many questions of a training set.")
    benchmarks: int = Field(
        ge=1, description="At most this many questions of a benchmark, and of the measurement of a draft model."
    )
    shards: int = Field(ge=1, description="At most this many shards of a set.")
    samples: int = Field(ge=1, description="At most this many samples of a question.")
    mixture: int = Field(ge=1, description="At most this many rows of each domain or source of a mixture.")
    max_tokens: int = Field(ge=1, description="At most this many tokens of a reply.")
    stop: list[str] = Field([], description="Further stop strings, so that replies end before they are cut off.")
    training: Training = Field(description="Every training stage.")
    standins: dict[Domain, Standins] = Field(description="Rows by domain.")
    examples: Examples = Field(Examples(), description="Worked examples that trace runs are shown; evaluation is not.")
    keep_incorrect: bool = Field(
        False,
        description="Keep rules that need correct traces become those that do not: for a model that is never right, which would leave no row.",
    )


def read_overlay(path: Path) -> Overlay:
    """The overlay of a file.

    Raises:
        UserError: it cannot be read or is not valid.
    """
    try:
        return Overlay.model_validate(read_yaml(path))
    except ValidationError as error:
        raise explained(error, Overlay, lambda keys: place_of(path, keys, "overlay"), "this file") from None


LIMITED = frozenset({"samples", "shards", "max_tokens", "stop", "mixture"})
"""Keys of a recipe, wherever they stand, that an overlay changes by a key of the same name."""
LIMITS = {"questions": "questions", "benchmarks": "benchmarks", "drafts": "benchmarks"}
"""Parts of a recipe whose `limit` an overlay limits -> its key."""


def overlay_keys(recipe: Recipe, keys: Keys) -> Keys | None:
    """The overlay's keys that a value of the small recipe was made by; None where the overlay says nothing about it.

    Args:
        recipe: the recipe that was scaled down; names of its parts are those of the small one.
    """
    if len(keys) < 2:
        return None
    (part, name), rest = keys[:2], keys[2:]
    if part == "evaluation":  # it has no parts by name
        rest = keys[1:]
    if part == "models" and name in recipe.models:
        if recipe.models[name].base is None:
            return ("model", *rest)
        made = rest[:1] == ("stages",) and (len(rest) < 3 or rest[2] in Training.model_fields)
        return ("training", *rest[2:]) if made else None
    if part in ("questions", "benchmarks") and rest[:1] == ("sources",):
        domain = getattr(recipe, part)[name].domain
        return ("standins", domain, "train" if part == "questions" else "benchmark", *rest[2:])
    if part in LIMITS and rest == ("limit",):
        return (LIMITS[part],)
    if part == "prompts" and "-with-" in str(name) and rest[1:2] == ("examples",):
        return ("examples", str(name).rpartition("-with-")[2], rest[0], *rest[2:])
    return next(((key,) for key in rest if key in LIMITED), None)


@dataclass
class Scaled(Layered):
    """Data of a small recipe, with the two files that they were made of."""

    overlay: Path = Path()
    source: Layered | None = None
    recipe: Recipe | None = None

    def place(self, keys: Keys) -> str:
        """File, line and key of the overlay or of the recipe, and what became of it."""
        made = f"({'.'.join(map(str, keys))} of the small recipe)"
        if found := overlay_keys(self.recipe, keys):
            return f"{place_of(self.overlay, found, 'overlay')} {made}"
        return f"{self.source.place(keys)} {made}"


def scaled(overlay: Path, source: Layered, recipe: Recipe, data: dict[str, Any]) -> Scaled:
    """The data of a small recipe, which was made of `recipe`, read from `source`, by an overlay."""
    return Scaled(source.path, data, files=(*source.files, overlay), overlay=overlay, source=source, recipe=recipe)
