"""Verifiable instructions of a question in the one form {"instructions": [{"id", "kwargs"}]}."""

from __future__ import annotations

import json
from typing import Any

from ..common.canonical import canonical_json
from .values import plain


def instructions(names: Any, arguments: Any) -> dict[str, Any] | None:
    """What the columns say, as the verifier `instructions` reads it; None when there are none.

    Args:
        names: a list of instruction ids ("punctuation:no_comma"), or its JSON text.
        arguments: a list of as many objects, or its JSON text; null values in them (the hub's copies of IFEval fill
            every argument that an instruction does not have with null) are left out.

    Raises:
        ValueError: the columns hold something else.
    """
    names, arguments = (_list(value) for value in (names, arguments))
    if not names:
        return None
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("an instruction's id is a text")
    if len(names) != len(arguments) or not all(isinstance(each, dict) for each in arguments):
        raise ValueError("each instruction needs an object of arguments")
    found = [
        {"id": name, "kwargs": {key: value for key, value in each.items() if value is not None}}
        for name, each in zip(names, arguments, strict=True)
    ]
    canonical_json(found)
    return {"instructions": found}


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else []
    value = plain(value)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("is no list")
    return value
