"""Where in a recipe's files something stands that planning speaks of: it knows models by their expanded names, people by keys and lines."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ..common.errors import UserError
from .extends import Keys, read_layers
from .load import file_of
from .schema.recipe import Recipe

EXPANDED = re.compile(r"(.+?)(?:-seed\d+)?(?:\.stage(\d+))?")
"""Names that `expand` gives: of a seed, and of a stage before the last."""


def _walked(words: list[str], data: Any) -> Keys:
    """Words between dots as keys of the data, as far as these go; names may hold dots themselves."""
    if not words:
        return ()
    if isinstance(data, list) and words[0].isdigit() and int(words[0]) < len(data):
        return (int(words[0]), *_walked(words[1:], data[int(words[0])]))
    for length in range(len(words), 0, -1):
        key = ".".join(words[:length])
        if isinstance(data, dict) and key in data:
            return (key, *_walked(words[length:], data[key]))
    return tuple(words)


def _of_model(words: list[str], models: dict[str, Any]) -> Keys:
    """Keys below `models`; a training's stages become the one that is meant, since an expanded model has one."""
    for length in range(len(words), 0, -1):
        name = ".".join(words[:length])
        expanded = EXPANDED.fullmatch(name)
        found = name if name in models else expanded[1] if expanded else name
        if found not in models:
            continue
        rest, stages = words[length:], (models[found] or {}).get("stages") or []
        if rest == ["stages"] and stages:
            number = expanded[2] if expanded and found != name else None
            rest.append(str(int(number) - 1 if number else len(stages) - 1))
        return (found, *_walked(rest, models[found]))
    return tuple(words)


def keys_of(where: str, data: dict[str, Any]) -> Keys | None:
    """The keys of what an error calls `where`, a path with dots; None if it is no path of a recipe's keys.

    Args:
        data: the recipe's, before it is expanded.
    """
    first, *words = where.split(".")
    if first not in Recipe.model_fields or not re.fullmatch(r"[\w.-]+", where):
        return None
    below = data.get(first)
    return (
        first,
        *(_of_model(words, below) if first == "models" and isinstance(below, dict) else _walked(words, below)),
    )


@contextlib.contextmanager
def lines_of(recipe: str) -> Iterator[None]:
    """Errors that name a key of the recipe also name its file and line.

    Args:
        recipe: a name in recipes/, or a file.

    Raises:
        UserError: what was raised inside, at its place.
    """
    try:
        yield
    except UserError as error:
        layers = read_layers(file_of(recipe))
        keys = keys_of(error.where, layers.data)
        if keys is None:
            raise
        raise UserError(layers.place(keys), error.what, error.right) from None
