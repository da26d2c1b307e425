"""`extends`: a recipe that says only in what it differs from another one.

Mappings are merged key by key, at every depth. Anything else that the recipe gives (a value, a list) stands for the whole of
what it meets; so does a mapping written `!replace {...}`. A mapping of numbers that meets a list changes those items of
it, counted from 0 as in messages. A key whose value is null is removed, unless null says something there (`ngram: null`:
no n-grams). The base may extend a further recipe, and need not be a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from ..common.errors import UserError
from .mistakes import models_at
from .schema.recipe import Recipe
from .yaml_text import Replacing, place_of, read_yaml

KEY = "extends"
Keys = tuple[Any, ...]


@dataclass
class Layered:
    """A recipe's data, and which file each part of them came from."""

    path: Path
    data: Any
    origins: dict[Keys, Path] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    """All files that were read, the recipe's own last."""
    nulls: frozenset[Keys] = frozenset()
    """Where a null met a value of a base: it stands until it is known whether it means something there."""

    def file_of(self, keys: Keys) -> Path:
        """The file that gave the value at `keys`, or whatever of it there is."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.origins:
                return self.origins[keys[:length]]
        return self.path

    def place(self, keys: Keys) -> str:
        """File, line and path of a key."""
        return place_of(self.file_of(keys), keys)


def _plain(value: Any) -> Any:
    """`value` without the marks that only merging reads."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _changes_items(value: Any, below: Any) -> bool:
    """Whether `value` names items of the list `below`."""
    numbers = isinstance(value, dict) and not isinstance(value, Replacing) and value and isinstance(below, list)
    return bool(numbers) and all(type(key) is int for key in value)


def _check_items(value: dict[int, Any], below: list[Any], path: Path, at: Keys) -> None:
    """Refuse numbers of items that a list does not have, and items to remove: those behind it would get other numbers."""
    for number, item in value.items():
        place = place_of(path, (*at, number))
        if not 0 <= number < len(below):
            known = f"known items: {', '.join(map(str, range(len(below)))) or 'none'}; or give the whole list"
            raise UserError(place, "there is no such item in the list that it changes (items count from 0)", known)
        if item is None:
            raise UserError(place, "an item of a list cannot be removed", "give the whole list")


def merged(base: Layered, own: dict[Any, Any], path: Path) -> Layered:
    """`own`, the data of the file `path`, on top of `base`; neither is changed.

    Raises:
        UserError: an item of a list is changed that is not there.
    """
    origins: dict[Keys, Path] = {}
    nulls = set(base.nulls)

    def merge(below: dict[Any, Any], above: dict[Any, Any], at: Keys) -> dict[Any, Any]:
        found = {}
        for key in [*below, *(key for key in above if key not in below)]:
            here = (*at, key)
            if key not in above:
                origins[here] = base.file_of(here)
                origins.update({keys: file for keys, file in base.origins.items() if keys[: len(here)] == here})
                found[key] = below[key]
                continue
            origins[here] = path
            value = above[key]
            if isinstance(value, dict) and not isinstance(value, Replacing) and isinstance(below.get(key), dict):
                found[key] = merge(below[key], value, here)
            elif _changes_items(value, below.get(key)):
                _check_items(value, below[key], path, here)
                found[key] = list(merge(dict(enumerate(below[key])), value, here).values())
            else:
                found[key] = _plain(value)
                if value is None and key in below:
                    nulls.add(here)
        return found

    return Layered(path, merge(base.data, own, ()), origins, (*base.files, path), frozenset(nulls))


def _means_something(keys: Keys) -> bool:
    """Whether null says something at these keys of a recipe, other than that the key is not given."""
    fields = [each.model_fields[keys[-1]] for each in models_at(Recipe, keys[:-1]) if keys[-1] in each.model_fields]
    return any(type(None) in get_args(each.annotation) and each.default is not None for each in fields)


def _without_nulls(data: Any, nulls: frozenset[Keys]) -> Any:
    """`data` without the keys that nulls remove."""

    def cut(value: Any, at: Keys) -> Any:
        if isinstance(value, list):
            return [cut(each, (*at, number)) for number, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        return {
            key: cut(each, (*at, key))
            for key, each in value.items()
            if each is not None or (*at, key) not in nulls or _means_something((*at, key))
        }

    return cut(data, ())


def read_layers(path: Path, above: tuple[Path, ...] = ()) -> Layered:
    """The data of a recipe's file on top of those that it extends; `extends` itself is no part of them.

    Args:
        path: the recipe's file. The path that `extends` gives is relative to its folder.
        above: the files that led here.

    Raises:
        UserError: a file cannot be read, extends itself, keeps the name of its base, or changes an item that a list lacks.
    """
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise UserError(str(path), "is no mapping of keys", "start from recipes/demo.yaml")
    if KEY not in data:
        return Layered(path, _plain(data), files=(path,))
    own = {key: value for key, value in data.items() if key != KEY}
    if not isinstance(data[KEY], str) or not data[KEY]:
        raise UserError(place_of(path, (KEY,)), f"{data[KEY]!r} is no path", "name the file of another recipe")
    below = Path(path.parent, data[KEY])
    chain = (*above, path)
    if below.resolve() in {each.resolve() for each in chain}:
        names = " -> ".join(each.name for each in (*chain, below))
        raise UserError(place_of(path, (KEY,)), f"goes in a circle: {names}", "one recipe must stand by itself")
    if not below.is_file():
        raise UserError(place_of(path, (KEY,)), f"there is no file {str(below)!r}", f"a path from {path.parent}/")
    base = read_layers(below, chain)
    if "name" in base.data and own.get("name", base.data["name"]) == base.data["name"]:
        raise UserError(
            place_of(path, ("name",)),
            f"is that of the recipe that it extends, {base.data['name']!r}: their results would share a folder",
            "give it a name of its own",
        )
    layered = merged(base, own, path)
    return layered if above else replace(layered, data=_without_nulls(layered.data, layered.nulls), nulls=frozenset())
