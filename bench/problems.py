"""The benchmark's problems by kind."""

from __future__ import annotations

from typing import Any

from . import call_problems, stdio_problems
from .problem import Problem

PROBLEMS: dict[str, list[Problem]] = {"stdio": stdio_problems.PROBLEMS, "call": call_problems.PROBLEMS}


def tasks(kind: str, count: int | None = None) -> list[dict[str, Any]]:
    """[{"name", "program", "tests", "right": bool}] for the first `count` problems: each right program, then its mutant."""
    found = []
    for problem in PROBLEMS[kind][:count]:
        tests = problem.tests()
        found.append({"name": problem.name, "program": problem.program, "tests": tests, "right": True})
        found.append({"name": problem.name, "program": problem.mutant, "tests": tests, "right": False})
    return found
