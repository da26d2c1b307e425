"""The benchmark's problems by kind."""

from __future__ import annotations

from typing import Any

from . import call_problems, stdio_problems
from .problem import Problem

PROBLEMS: dict[str, list[Problem]] = {"stdio": stdio_problems.PROBLEMS, "call": call_problems.PROBLEMS}
MODULES = (
    "bisect", "collections", "copy", "datetime", "functools", "heapq", "itertools", "math", "random", "re", "string", "typing",
)  # fmt: skip
PREAMBLE = "".join(f"from {module} import *\nimport {module}\n" for module in MODULES)
"""What answers to LeetCode's problems rely on: there these modules are imported for them, and verifiers put such lines first."""


USUAL = (
    "import sys\nimport math\nimport heapq\nfrom bisect import bisect_left, bisect_right\n"
    "from collections import Counter, defaultdict, deque\nfrom functools import lru_cache\nfrom itertools import permutations\n"
)
"""What programs for contests usually begin with, whether they use it or not."""


def tasks(kind: str, count: int | None = None, preamble: bool = False) -> list[dict[str, Any]]:
    """[{"name", "program", "tests", "right": bool}] for the first `count` problems: each right program, then its mutant.

    Args:
        preamble: PREAMBLE stands before programs that are called, USUAL before those that read standard input.
    """
    first = (PREAMBLE if kind == "call" else USUAL) if preamble else ""
    found = []
    for problem in PROBLEMS[kind][:count]:
        tests = problem.tests()
        found.append({"name": problem.name, "program": first + problem.program, "tests": tests, "right": True})
        found.append({"name": problem.name, "program": first + problem.mutant, "tests": tests, "right": False})
    return found
