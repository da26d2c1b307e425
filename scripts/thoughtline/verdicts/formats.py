"""Unit tests as problem sets publish them, read into one of three canonical forms.

Canonical, all JSON values:

    {"inputs": [text, ...], "outputs": [text, ...]}                           standard input -> standard output
    {"inputs": [[argument, ...], ...], "outputs": [value, ...], "fn_name"}    calls of a function or method of `class Solution`
    {"asserts": [statement, ...], "setup", "preamble", "names": {name: expression}}    assert statements

`setup` runs before the asserts, where they run: apart from the program, whose expressions `names` binds to names of the
asserts. `preamble` runs before the program, in its process (the helper functions of a prompt).

Published forms, told apart by their keys (the value may be JSON text at any level):

    {"input_output": {"inputs", "outputs", "fn_name"?}}                     APPS, TACO; the outputs of calls may be nested as
                                                                            [value]: they are where every one is a list of one
    {"public_tests", "private_tests", "generated_tests": {"input", "output"}}   code_contests: all that are given, joined
    {"public_test_cases", "private_test_cases", "metadata": {"func_name"}}  LiveCodeBench: both joined; private ones may be
                                                                            base64 of zlib of a pickled JSON text
    [{"input", "output", "testtype" or "type"?, "fn_name" or "metadata"?}]  Codeforces, PRIME, rllm
    {"functional": "def check(candidate): ...; check(EXPRESSION)"}          rllm's LeetCode
    {"prompt"?, "entry_point", "test": "def check(candidate): ..."}         HumanEval, LeetCodeDataset
    {"test_list", "test_setup_code" or "test_imports"?, "challenge_test_list"?} or [statement]   MBPP

Order and number of tests stay those of the source: repeated tests are kept (they change no verdict), thousands are kept (a run
ends at the first failure). A test without an expected output, unequal numbers of inputs and outputs, and standard output that is
expected to be empty in every test (the empty program would pass) cannot be judged by, and are refused.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Callable
from typing import Any

from ..common.canonical import canonical_json
from .asserts import from_check, from_functional, from_statements

Tests = dict[str, Any]
LARGEST = 1 << 30
"""Bytes of LiveCodeBench's private tests once decompressed; the largest published are tens of megabytes."""


def _read(value: Any, what: str) -> Any:
    """`value`, parsed when it is JSON text."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        wrong = "is no JSON" if isinstance(error, json.JSONDecodeError) else "cannot be read"
        raise ValueError(f"{what} {wrong} ({error})") from None


def canonical_tests(value: Any) -> Tests | None:
    """Tests in canonical form; None when there are none at all.

    Args:
        value: any of the forms above, as JSON values (no NumPy) or JSON text.

    Raises:
        ValueError: it is none of these, or broken; says why.
    """
    value = _read(value, "the text")
    if not value:
        return None
    if isinstance(value, list):
        tests = _statements({"test_list": value}) if isinstance(value[0], str) else _cases(value, None)
    elif isinstance(value, dict):
        tests = _reader(value)(value)
    else:
        raise ValueError(f"{type(value).__name__} {str(value)[:40]!r} is no set of tests")
    if tests is not None:
        canonical_json(tests)  # NaN, infinities and bytes cannot be written
    return tests


def _reader(value: Tests) -> Callable[[Tests], Tests | None]:
    for key, reader in READERS.items():
        if key in value:
            return reader
    raise ValueError(f"none of {', '.join(READERS)} is among its keys: {', '.join(map(str, value))[:200]}")


def _asserts(value: Tests) -> Tests:
    statements, names = value["asserts"], value.get("names", {})
    if not isinstance(statements, list) or not all(isinstance(each, str) and each.strip() for each in statements):
        raise ValueError("`asserts` is no list of statements")
    if not isinstance(names, dict) or not all(isinstance(each, str) for each in names.values()):
        raise ValueError("`names` is no object of expressions")
    parts = {key: value.get(key) or "" for key in ("setup", "preamble")}
    if not all(isinstance(each, str) for each in parts.values()):
        raise ValueError("`setup` and `preamble` must be texts")
    for text in (*statements, *parts.values()):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"the code {text[:60]!r} does not parse ({error})") from None
    return {"asserts": statements, **parts, "names": names}


def _pairs(value: Tests, nested: bool = False) -> Tests:
    """{inputs, outputs, fn_name?}, or with keys in the singular.

    Args:
        nested: outputs of calls may be wrapped, [value].
    """
    inputs, outputs = (value.get(f"{key}s", value.get(key)) for key in ("input", "output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ValueError("needs the lists `inputs` and `outputs`")
    if len(inputs) != len(outputs):
        raise ValueError(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    name = value.get("fn_name") or None
    if name is None:
        return _streams(inputs, outputs)
    if not isinstance(name, str):
        raise ValueError(f"fn_name {name!r} is no text")
    if not all(isinstance(arguments, list) for arguments in inputs):
        raise ValueError("with fn_name each input is the list of its arguments")
    if nested and outputs and all(isinstance(output, list) and len(output) == 1 for output in outputs):
        outputs = [output[0] for output in outputs]
    return {"inputs": inputs, "outputs": outputs, "fn_name": name}


def _streams(inputs: list[Any], outputs: list[Any]) -> Tests:
    tests = {"inputs": [_stream(each, "input", number) for number, each in enumerate(inputs)]}
    tests["outputs"] = [_stream(each, "output", number) for number, each in enumerate(outputs)]
    if inputs and not any(map(str.strip, tests["outputs"])):
        raise ValueError("every expected output is empty")
    return tests


def _stream(value: Any, what: str, number: int) -> str:
    """A stream's text; some sets give a list of lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    raise ValueError(f"test {number}: the {what} is {'missing' if value is None else 'no text'}")


def _input_output(value: Tests) -> Tests | None:
    found = _read(value["input_output"], "input_output")
    if not found:
        return None
    if not isinstance(found, dict):
        raise ValueError("input_output is no object")
    return _pairs(found, nested=True)


def _code_contests(value: Tests) -> Tests:
    inputs: list[Any] = []
    outputs: list[Any] = []
    for key in ("public_tests", "private_tests", "generated_tests"):
        part = _read(value.get(key), key) or {"input": [], "output": []}
        if isinstance(part, list):
            part = {each: [test.get(each) for test in part] for each in ("input", "output")}
        found = _pairs_of(part, key)
        inputs += found[0]
        outputs += found[1]
    return _streams(inputs, outputs)


def _pairs_of(part: Any, key: str) -> tuple[list[Any], list[Any]]:
    if not isinstance(part, dict) or not all(isinstance(part.get(each), list) for each in ("input", "output")):
        raise ValueError(f"{key} needs the lists `input` and `output`")
    if len(part["input"]) != len(part["output"]):
        raise ValueError(f"{key} has {len(part['input'])} inputs and {len(part['output'])} outputs")
    return part["input"], part["output"]


class _Plain(pickle.Unpickler):
    """Reads texts, numbers and lists; anything that would import or call is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"the pickle asks for {module}.{name}")


def _compressed(text: str) -> Any:
    """LiveCodeBench's private tests: JSON text, or base64 of zlib of a pickled JSON text."""
    if text.lstrip()[:1] in ("[", "{"):
        return _read(text, "private_test_cases")
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(base64.b64decode(text, validate=True), LARGEST)
        if stream.unconsumed_tail:
            raise ValueError(f"more than {LARGEST >> 20} MiB decompressed")
        found = _Plain(io.BytesIO(data)).load()
    except Exception as error:  # broken pickles raise nearly anything
        raise ValueError(f"private_test_cases cannot be unpacked ({type(error).__name__}: {error})") from None
    return _read(found.decode() if isinstance(found, bytes) else found, "private_test_cases")


def _live_code_bench(value: Tests) -> Tests | None:
    cases: list[Any] = []
    for key in ("public_test_cases", "private_test_cases"):
        found = value.get(key)
        if isinstance(found, str):
            found = _compressed(found) if found.strip() else None
        if found is not None and not isinstance(found, list):
            raise ValueError(f"{key} is no list")
        cases += found or []
    return _cases(cases, _read(value.get("metadata"), "metadata")) if cases else None


def _cases(cases: list[Any], metadata: Any) -> Tests:
    """A list of tests, one object each."""
    if not all(isinstance(case, dict) and {"input", "output"} <= set(case) for case in cases):
        raise ValueError("a list of tests needs {input, output} each")
    names = {_name_of(case) or _name_of({"metadata": metadata}) for case in cases}
    calls = {_is_call(case) for case in cases} - {None}
    if len(names) > 1 or len(calls) > 1:
        raise ValueError("its tests are of different kinds, or call different functions")
    name, call = names.pop(), calls.pop() if calls else None
    if call and not name:
        raise ValueError("its tests call a function whose name is not given (metadata.func_name or fn_name)")
    inputs, outputs = [case["input"] for case in cases], [case["output"] for case in cases]
    if not name or call is False:
        return _streams(inputs, outputs)
    return _pairs({"inputs": list(map(_arguments, inputs)), "outputs": list(map(_value, outputs)), "fn_name": name})


def _name_of(case: Tests) -> str | None:
    metadata = _read(case.get("metadata"), "metadata")
    return case.get("fn_name") or (metadata.get("func_name") if isinstance(metadata, dict) else None)


def _is_call(case: Tests) -> bool | None:
    kind = case.get("testtype", case.get("type"))
    return None if kind is None else kind in ("functional", "function_call")


def _arguments(value: Any) -> Any:
    """The arguments of a call: a list, or one JSON text a line."""
    return [_read(line, "an argument") for line in value.split("\n")] if isinstance(value, str) else value


def _value(value: Any) -> Any:
    return _read(value, "an output") if isinstance(value, str) else value


def _functional(value: Tests) -> Tests | None:
    text = value["functional"]
    return from_functional(_text(text, "functional")) if text else None


def _check(value: Tests) -> Tests | None:
    name, test = (_text(value.get(key), key) for key in ("entry_point", "test"))
    return from_check(test, name, value.get("prompt") or "") if test.strip() else None


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{what}` is no text")
    return value


def _statements(value: Tests) -> Tests | None:
    statements = [each for key in ("test_list", "challenge_test_list") for each in _read(value.get(key), key) or []]
    imports = value.get("test_imports")
    setup = ["\n".join(imports) if isinstance(imports, list) else imports or "", value.get("test_setup_code") or ""]
    if not all(isinstance(each, str) for each in [*statements, *setup]):
        raise ValueError("asserts and their setup must be texts")
    return from_statements(statements, "\n".join(each for each in setup if each.strip())) if statements else None


READERS: dict[str, Callable[[Tests], Tests | None]] = {
    "asserts": _asserts,
    "input_output": _input_output,
    "public_test_cases": _live_code_bench,
    "private_test_cases": _live_code_bench,
    "public_tests": _code_contests,
    "private_tests": _code_contests,
    "generated_tests": _code_contests,
    "functional": _functional,
    "entry_point": _check,
    "test_list": _statements,
    "inputs": _pairs,
    "input": _pairs,
}
"""Key -> the reader of the form that has it; the first that is there decides."""


def columns_of(fields: str | list[str] | dict[str, str]) -> dict[str, str]:
    """Key of a published form -> column, from a recipe's `fields.tests`; one column that is a whole form has the key ""."""
    if isinstance(fields, dict):
        return fields
    if isinstance(fields, list):
        return {name: name for name in fields}
    return {fields if fields in READERS and fields not in ("input", "inputs") else "": fields}


def count_of(tests: Tests) -> int:
    """The number of unit tests."""
    return len(tests.get("asserts", tests.get("inputs", ())))


def called(tests: Tests) -> list[str]:
    """Names of which a program for these tests defines at least one (functions, classes, methods); none for streams."""
    expressions = tests["names"].values() if "asserts" in tests else [tests.get("fn_name") or ""]
    return sorted({name for expression in expressions for name in re.findall(r"[^\W\d]\w*", expression)})
