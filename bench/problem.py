"""What a benchmark problem is, and how its tests are made."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STDIO_TESTS, CALL_TESTS = 15, 3
"""Tests a problem: about what TACO's easy problems and LeetCode's examples have."""


@dataclass(frozen=True)
class Problem:
    """One task with a right program and one small mistake in it.

    `mistake` is (text that occurs once in `program`, what stands there in the mutant). `inputs` makes one input from a
    random generator: the text of standard input, or the list of a call's arguments. `function` is the name of the function
    or of the method of `class Solution` that is called; "" for programs.
    """

    name: str
    program: str
    mistake: tuple[str, str]
    inputs: Callable[[random.Random], Any]
    function: str = ""

    @property
    def mutant(self) -> str:
        """The wrong program."""
        right, wrong = self.mistake
        if self.program.count(right) != 1:
            raise ValueError(f"{self.name}: {right!r} does not occur exactly once")
        return self.program.replace(right, wrong)

    def tests(self) -> dict[str, Any]:
        """{"inputs", "outputs", "fn_name"?}: the same in every run; the right program wrote the outputs."""
        count = CALL_TESTS if self.function else STDIO_TESTS
        inputs: list[Any] = []
        for number in itertools.count():
            given = self.inputs(random.Random(f"{self.name} {number}"))
            if given not in inputs:
                inputs.append(given)
            if len(inputs) == count:
                break
        if not self.function:
            return {"inputs": inputs, "outputs": [_output(self.program, text) for text in inputs]}
        function = _function(self.program, self.function)
        # Copies: a function may change its arguments. JSON's values: that is what a test can hold.
        outputs = [json.loads(json.dumps(function(*json.loads(json.dumps(given))))) for given in inputs]
        return {"inputs": inputs, "outputs": outputs, "fn_name": self.function}


def _output(program: str, stdin: str) -> str:
    # In this process: these programs are ours.
    depth, before, out = sys.getrecursionlimit(), sys.stdin, io.StringIO()
    sys.stdin = io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(program, "program.py", "exec", dont_inherit=True), {"__name__": "__main__"})
    finally:
        sys.stdin = before
        sys.setrecursionlimit(depth)
    return out.getvalue()


def _function(program: str, name: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "program.py", "exec", dont_inherit=True), namespace)
    return getattr(namespace["Solution"](), name) if "Solution" in namespace else namespace[name]
