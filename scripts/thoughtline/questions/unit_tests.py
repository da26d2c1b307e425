"""Unit tests of code problems in the one form {inputs, outputs, fn_name?}."""

from __future__ import annotations

import json
from typing import Any

from ..common.canonical import canonical_json
from .values import plain


def unit_tests(value: Any) -> dict[str, Any] | None:
    """Tests as {"inputs": [...], "outputs": [...], "fn_name"?: str}, lists of equal length; None when there are none.

    Accepts that object, {input, output} (code_contests), a list of {input, output} (Codeforces), or the
    JSON text of any of them. Without `fn_name` a test is stdin and stdout, two texts (lists of lines are joined);
    with it an input is the list of the call's arguments.

    Raises:
        ValueError: it is none of these, with the reason.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        value = json.loads(value)
    value = plain(value)
    if not value:
        return None
    if isinstance(value, list):
        if not all(isinstance(test, dict) and {"input", "output"} <= set(test) for test in value):
            raise ValueError("a list of tests needs {input, output} each")
        value = {"inputs": [test["input"] for test in value], "outputs": [test["output"] for test in value]}
    if not isinstance(value, dict):
        raise ValueError("is no object {inputs, outputs, fn_name?}")
    inputs, outputs = value.get("inputs", value.get("input")), value.get("outputs", value.get("output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ValueError("needs the lists `inputs` and `outputs`")
    if len(inputs) != len(outputs):
        raise ValueError(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    name = value.get("fn_name")
    if name is None or name == "":
        tests = {"inputs": [_stream(each) for each in inputs], "outputs": [_stream(each) for each in outputs]}
    elif not isinstance(name, str):
        raise ValueError("fn_name is no text")
    elif not all(isinstance(arguments, list) for arguments in inputs):
        raise ValueError("with fn_name each input is the list of its arguments")
    else:
        tests = {"inputs": inputs, "outputs": outputs, "fn_name": name}
    canonical_json(tests)
    return tests


def _stream(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    raise ValueError("without fn_name inputs and outputs are texts")
