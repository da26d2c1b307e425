"""What is wrong with data that a model of the schema refuses: one clear error with the key's path."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..common.errors import UserError
from ..common.spelling import nearest
from .schema.base import Strict
from .wording import choice, said, said_of_all

Keys = tuple[Any, ...]

MEMBER = re.compile(
    r"(?:str|int|float|bool|constrained-(?:str|int|float))$|(?:list|dict|tuple|literal|nullable|union|function-\w+)\[.*\]$"
)
"""How pydantic names a member of a union in a path, beside the names of classes."""


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union (through Annotated), or the annotation itself."""
    if hasattr(annotation, "__metadata__"):
        return _alternatives(get_args(annotation)[0])
    if type(annotation).__name__ in ("UnionType", "Union", "_UnionGenericAlias"):
        return [each for part in get_args(annotation) for each in _alternatives(part)]
    return [annotation]


def models_at(root: type[BaseModel], keys: Keys) -> list[type[Strict]]:
    """The models that may stand at `keys` of `root` (none where it cannot be told)."""
    current: list[Any] = [root]
    for key in keys:
        following: list[Any] = []
        for annotation in current:
            for each in _alternatives(annotation):
                if isinstance(each, type) and issubclass(each, BaseModel):
                    if key in each.model_fields:
                        following.append(each.model_fields[key].annotation)
                    elif getattr(each.model_fields.get("verifier"), "annotation", None) is not None and key in get_args(
                        each.model_fields["verifier"].annotation
                    ):
                        following.append(each)
                elif get_args(each):
                    following.append(get_args(each)[-1])
        current = following
    found = [each for annotation in current for each in _alternatives(annotation)]
    return [each for each in found if isinstance(each, type) and issubclass(each, Strict)]


def _unknown(key: Any, models: list[type[Strict]]) -> str:
    """What to write instead of a key that none of `models` has."""
    known = sorted({name for model in models for name in model.model_fields})
    close = nearest(str(key), known)
    if close:
        return f"did you mean {close!r}?"
    return f"known keys: {', '.join(known)}" if known else "remove it"


def _needed(models: list[type[Strict]], root: type[BaseModel], reference: str) -> str:
    """Who needs a key that is missing."""
    documented = len(models) == 1 and "schema" in models[0].__module__.split(".")
    if documented and models == [root]:
        return f"every {root.__name__.lower()} needs this key (see {reference})"
    if documented:
        return f"{models[0].__name__} needs this key (see {reference}#{models[0].__name__.lower()})"
    return f"this key is needed (see {reference})"


def _explain(errors: list[dict[str, Any]], root: type[BaseModel], place: str, reference: str) -> UserError:
    """One mistake, of which pydantic says `errors`, as where, what, right."""
    error = errors[0]
    if len(errors) > 1 and error["tried"] and (words := said_of_all(errors)):
        return UserError(place, *words)
    keys, kind, given = error["loc"], error["type"], error.get("input")
    if kind == "extra_forbidden":
        return UserError(place, "unknown key", _unknown(keys[-1], models_at(root, keys[:-1])))
    if kind == "missing" and isinstance(keys[-1], int):
        return UserError(place, "is missing: the list has too few entries", "add it")
    if kind == "missing":
        return UserError(place, "is missing", _needed(models_at(root, keys[:-1]), root, reference))
    if kind == "union_tag_invalid":
        tag, known = error["ctx"]["tag"], error["ctx"]["expected_tags"]
        return UserError(place, f"there is no verifier {tag!r}", choice(tag, known)[1])
    if kind == "union_tag_not_found":
        return UserError(
            place, "does not say which verifier", "add `verifier: math_verify` (or code, judge, exact, choice, none)"
        )
    if words := said(error):
        return UserError(place, *words)
    message = error["msg"].removeprefix("Value error, ")
    found = "" if isinstance(given, dict | list) else f" (found {given!r})"
    return UserError(place, message[0].lower() + message[1:] + found, f"see {reference}")


def _class_names(model: type[BaseModel] = Strict) -> set[str]:
    return {model.__name__}.union(*(_class_names(each) for each in model.__subclasses__()))


def _untagged(error: Any) -> dict[str, Any]:
    """The error with a path of keys alone: pydantic also names the member of a union that it tried, and says where a key is wrong."""
    classes = _class_names()
    keys = tuple(key for key in error["loc"] if key != "[key]" and key not in classes and not MEMBER.match(str(key)))
    return {**error, "loc": keys, "tried": len(keys) < len(error["loc"]) and error["loc"][-1] != "[key]"}


def _written(root: type[BaseModel], keys: Keys) -> Keys:
    """The keys as they are written: without the name of the verifier, by which pydantic says which of them it tried."""
    tags = set()
    for length, key in enumerate(keys):
        models = models_at(root, keys[:length])
        named = {
            name
            for each in models
            if (field := each.model_fields.get("verifier"))
            for name in get_args(field.annotation)
        }
        if key in named and not any(key in each.model_fields for each in models):
            tags.add(length)
    return tuple(key for length, key in enumerate(keys) if length not in tags)


def _whole(errors: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Mistakes, each with all that pydantic says of it: a value that fits no member of a union has an error for each member.

    Where a member was near enough for a mistake inside the value, or took the value and refused what its keys say together, only that one counts.
    """
    found: dict[Keys, list[dict[str, Any]]] = {}
    for error in errors:
        inside = any(len(other["loc"]) > len(error["loc"]) == len(_shared(error, other)) for other in errors)
        if not (error["tried"] and inside):
            found.setdefault(error["loc"], []).append(error)
    return [
        [each for each in group if each["tried"] and each["type"] == "value_error"] or group for group in found.values()
    ]


def _shared(one: dict[str, Any], other: dict[str, Any]) -> Keys:
    """The keys that two errors' paths begin with."""
    return tuple(
        key for key, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one["loc"], other["loc"], strict=False))
    )


def explained(
    error: ValidationError,
    root: type[BaseModel],
    place: Callable[[Keys], str],
    whole: str,
    reference: str = "docs/reference.md",
) -> UserError:
    """The first mistake, and how many more there are; a key that is missing may be a misspelt one, so these come last.

    Args:
        root: the model that refused the data.
        place: what to call the place of a key's path.
        whole: what the data are, for the count of further mistakes.
        reference: the page that describes `root`.
    """
    problems = sorted(
        _whole([_untagged(each) for each in error.errors()]), key=lambda each: each[0]["type"] == "missing"
    )
    found = _explain(problems[0], root, place(_written(root, problems[0][0]["loc"])), reference)
    more = len(problems) - 1
    if not more:
        return found
    return UserError(
        found.where, found.what, f"{found.right} (and {more} more mistake{'s' if more > 1 else ''} in {whole})"
    )
