"""YAML files as data, and the line on which a key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import UserError

BOOL, MERGE, REPLACE = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:merge", "!replace"


class Replacing(dict):
    """A mapping written as `!replace {...}`: it stands for the whole of what it meets, instead of being merged with it."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses repeated keys, which plain YAML silently overwrites.

    Only true and false are booleans, as in YAML 1.2: yes, no, on and off are texts, as keys and as values.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise UserError(
            f"{loader.name}:{node.start_mark.line + 1}", f"{REPLACE} is for mappings", "lists and values replace anyway"
        )
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE:
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
    found = loader.construct_mapping(node, deep=True)
    return Replacing(found) if node.tag == REPLACE else found


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """A whole number, written as people read it: plain YAML makes 8 of 010 and 90 of 1:30."""
    found = loader.construct_yaml_int(node)
    if re.match(r"[-+]?0[0-9_]|.*:", node.value):
        raise UserError(
            f"{loader.name}:{node.start_mark.line + 1}",
            f"{node.value} is the number {found} to YAML",
            f'write {found}, or "{node.value}" in quotes if it is a name',
        )
    return found


def _date(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is no date: {error}", node.start_mark
        ) from None


_Loader.add_implicit_resolver(BOOL, re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor(REPLACE, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; syntax errors, repeated keys, numbers with zeros in front, control characters and missing files are UserErrors with a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(str(path), "does not exist", "name another file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(str(path), f"cannot be read ({error})", "it must be a UTF-8 text file") from None
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"holds the character U+{error.character:04X}, which YAML allows nowhere"
        raise UserError(f"{path}:{line}", what, "remove it, or write it as an escape in double quotes") from None
    loader.name = str(path)
    try:
        return loader.get_single_data()
    except RecursionError:
        raise UserError(
            f"{path}:{loader.line + 1}", "is nested too deeply", "close brackets, and indent less: no key needs this"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(
            f"{path}{line}", f"is not YAML ({getattr(error, 'problem', error)})", "mend that line"
        ) from None
    finally:
        loader.dispose()


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of a mapping, its own before those that `<<` brings in."""
    brought = []
    for key, value in node.value:
        if key.tag == MERGE:
            brought += value.value if isinstance(value, yaml.SequenceNode) else [value]
        else:
            yield key, value
    for each in brought:
        if isinstance(each, yaml.MappingNode):
            yield from _pairs(each)


def line_of(path: Path, keys: tuple[Any, ...]) -> int | None:
    """The line (from 1) of the deepest of `keys` that the file has."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in _pairs(node) if k.value == str(key)), None)
            if pair is None:
                continue  # a discriminator that pydantic puts into the path, or a missing key
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def place_of(path: Path, keys: tuple[Any, ...], whole: str = "recipe") -> str:
    """File, line and path of a key; `whole` names the file's content where there is no key."""
    line = line_of(path, keys)
    return f"{path}{f':{line}' if line else ''}: {'.'.join(map(str, keys)) or whole}"
