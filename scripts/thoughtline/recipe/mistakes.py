"""What is wrong with data that a model of the schema refuses: one clear error with the key's path."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..common.errors import UserError
from .schema.base import Strict

Keys = tuple[Any, ...]


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union (through Annotated), or the annotation itself."""
    if hasattr(annotation, "__metadata__"):
        return _alternatives(get_args(annotation)[0])
    if type(annotation).__name__ in ("UnionType", "Union", "_UnionGenericAlias"):
        return [each for part in get_args(annotation) for each in _alternatives(part)]
    return [annotation]


def _models_at(root: type[BaseModel], keys: Keys) -> list[type[Strict]]:
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
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known keys: {', '.join(known)}" if known else "remove it"


def _needed(models: list[type[Strict]], root: type[BaseModel], reference: str) -> str:
    """Who needs a key that is missing."""
    documented = len(models) == 1 and "schema" in models[0].__module__.split(".")
    if documented and models == [root]:
        return f"every {root.__name__.lower()} needs this key (see {reference})"
    if documented:
        return f"{models[0].__name__} needs this key (see {reference}#{models[0].__name__.lower()})"
    return f"this key is needed (see {reference})"


def _wrong_type(kind: str, given: Any, reference: str) -> tuple[str, str] | None:
    """What is wrong with a value of the wrong type, and what would be right, where more can be said than the type."""
    if kind == "model_attributes_type" and isinstance(given, str):
        return (
            f"{given!r} is a text, not a mapping",
            f'name it by its key `verifier`: {{"verifier": {json.dumps(given)}}}',
        )
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return f"{given!r} is no mapping of keys", f"write `key: value` (see {reference})"
    if kind == "bool_type" and isinstance(given, str) and given.lower() in ("yes", "on", "no", "off"):
        return (
            f"{given!r} is a text, not true or false",
            f"write {'true' if given.lower() in ('yes', 'on') else 'false'}",
        )
    number = kind in ("float_type", "int_type") and isinstance(given, str)
    if number and re.fullmatch(r"[-+]?\d+e[-+]?\d+", given, re.I):
        return f"{given!r} is text in YAML, not a number", f"write {given.lower().replace('e', '.0e')}"
    return None


def _explain(error: Any, root: type[BaseModel], place: str, reference: str) -> UserError:
    """One error of pydantic as where, what, right."""
    keys, kind, given = tuple(error["loc"]), error["type"], error.get("input")
    if kind == "extra_forbidden":
        return UserError(place, "unknown key", _unknown(keys[-1], _models_at(root, keys[:-1])))
    if kind == "missing":
        return UserError(place, "is missing", _needed(_models_at(root, keys[:-1]), root, reference))
    if kind == "literal_error":
        return UserError(place, f"{given!r} is not allowed", f"use one of {error['ctx']['expected']}")
    if kind == "union_tag_invalid":
        return UserError(place, "unknown verifier", f"use one of {error['ctx']['expected_tags']}")
    if kind == "union_tag_not_found":
        return UserError(
            place, "does not say which verifier", "add `verifier: math_verify` (or code, judge, exact, choice, none)"
        )
    if wrong := _wrong_type(kind, given, reference):
        return UserError(place, *wrong)
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(given, dict | list) else f" (found {given!r})"
    return UserError(place, message[0].lower() + message[1:] + shown, f"see {reference}")


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
    problems = sorted(error.errors(), key=lambda each: each["type"] == "missing")
    first = _explain(problems[0], root, place(tuple(problems[0]["loc"])), reference)
    more = len(problems) - 1
    if not more:
        return first
    return UserError(
        first.where, first.what, f"{first.right} (and {more} more mistake{'s' if more > 1 else ''} in {whole})"
    )
