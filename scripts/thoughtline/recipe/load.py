"""From a YAML file to a checked recipe, or to one clear error with the key's path and its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..common.errors import UserError
from .checks import check
from .expand import expand
from .extends import Layered, read_layers
from .mistakes import explained
from .schema.recipe import Recipe


def validated(layered: Layered) -> Recipe:
    """The recipe of parsed YAML, stages and seeds expanded, and what the keys say together checked.

    Raises:
        UserError: the first mistake.
    """
    if not isinstance(layered.data, dict):
        raise UserError(str(layered.path), "is no mapping of keys", "start from recipes/demo.yaml")
    try:
        recipe = Recipe.model_validate(layered.data)
    except ValidationError as error:
        raise explained(error, Recipe, layered.place, "this file") from None
    for where, what, right in check(recipe):
        raise UserError(layered.place(where), what, right)
    return expand(recipe)


def parse(data: Any, path: Path) -> Recipe:
    """The checked and expanded recipe of a file's data; `path` is where mistakes are looked up."""
    return validated(Layered(path, data))


def load(path: str | Path) -> Recipe:
    """The checked and expanded recipe of a YAML file.

    Raises:
        UserError: the first mistake, with the file, the line, the key's path, what is wrong and what would be right.
    """
    return validated(read_layers(Path(path)))
