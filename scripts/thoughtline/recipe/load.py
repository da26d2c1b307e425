"""From a YAML file to a checked recipe, or to one clear error with the key's path and its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.spelling import known_names
from .checks import check
from .expand import expand
from .extends import Layered, read_layers
from .mistakes import explained
from .schema.recipe import Recipe

FOLDER = ROOT / "recipes"


def known_recipes() -> list[str]:
    """Names of the recipes in recipes/."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def file_of(recipe: str | Path) -> Path:
    """The file of a recipe: the file itself for a path, recipes/NAME.yaml for a name.

    Raises:
        UserError: there is no such file.
    """
    path = Path(recipe)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        folder = FOLDER.relative_to(Path.cwd()) if FOLDER.is_relative_to(Path.cwd()) else FOLDER
        path = folder / f"{recipe}.yaml"
    if not path.is_file():
        right = f"{known_names(known_recipes(), path.stem)}; or give the path of a file that ends in .yaml"
        raise UserError("recipe", f"there is no recipe {str(recipe)!r} (no file {path})", right)
    return path


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


def load(recipe: str | Path) -> Recipe:
    """The checked and expanded recipe of a name in recipes/, or of a YAML file.

    Raises:
        UserError: there is no such recipe, or the first mistake, with the file, the line, the key's path, what is wrong and what would be right.
    """
    return validated(read_layers(file_of(recipe)))
