"""From a YAML file to a checked recipe, or to one clear error with the key's path and its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..common.errors import UserError
from .checks import check
from .expand import expand
from .mistakes import explained
from .schema import Recipe

BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses repeated keys, which plain YAML silently overwrites.

    Only true and false are booleans, as in YAML 1.2: yes, no, on and off are texts, as keys and as values.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool):
            raise UserError(
                f"{loader.name}:{key_node.start_mark.line + 1}", "a key is no plain text", "write `key: value`"
            )
        if key in seen:
            raise UserError(
                f"{loader.name}:{key_node.start_mark.line + 1}", f"key {key!r} is given twice", "keep one of them"
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_implicit_resolver(BOOL, re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; syntax errors, repeated keys and missing files are UserErrors with a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(str(path), "does not exist", "name a file of recipes/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(str(path), f"cannot be read ({error})", "it must be a UTF-8 text file") from None
    loader = _Loader(text)
    loader.name = str(path)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(
            f"{path}{line}", f"is not YAML ({getattr(error, 'problem', error)})", "mend that line"
        ) from None
    finally:
        loader.dispose()


def _line_of(path: Path, keys: tuple[Any, ...]) -> int | None:
    """The line (from 1) of the deepest of `keys` that the file has."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(key)), None)
            if pair is None:
                continue  # a discriminator that pydantic puts into the path, or a missing key
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def place_of(path: Path, keys: tuple[Any, ...], whole: str = "recipe") -> str:
    """File, line and path of a key; `whole` names the file's content where there is no key."""
    line = _line_of(path, keys)
    return f"{path}{f':{line}' if line else ''}: {'.'.join(map(str, keys)) or whole}"


def parse(data: Any, path: Path) -> Recipe:
    """Validate parsed YAML, expand stages and seeds, and check what the keys say together."""
    if not isinstance(data, dict):
        raise UserError(str(path), "is no mapping of keys", "start from recipes/demo.yaml")
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise explained(error, Recipe, lambda keys: place_of(path, keys), "this file") from None
    for where, what, right in check(recipe):
        raise UserError(place_of(path, where), what, right)
    return expand(recipe)


def load(path: str | Path) -> Recipe:
    """The checked and expanded recipe of a YAML file.

    Raises:
        UserError: the first mistake, with the file, the line, the key's path, what is wrong and what would be right.
    """
    path = Path(path)
    return parse(read_yaml(path), path)
