"""The benchmark's problems are right and wrong as they say, and its accounting sees all CPU time."""

import pytest
from thoughtline.verdicts.executor import Executor, Limits

from bench.measure import measure
from bench.problem import CALL_TESTS, STDIO_TESTS
from bench.problems import PROBLEMS, tasks


@pytest.fixture(scope="module")
def executor():
    with Executor() as executor:
        yield executor


@pytest.mark.parametrize(("kind", "preamble"), [("stdio", False), ("call", False), ("call", True)])
def test_right_programs_are_accepted_and_mutants_rejected(kind, preamble, executor):
    reasons = {}
    for task in tasks(kind, preamble=preamble):
        assert len(task["tests"]["inputs"]) == (STDIO_TESTS if kind == "stdio" else CALL_TESTS)
        outcome = executor.run_tests(task["program"], task["tests"], Limits())
        if outcome.passed != task["right"]:
            reasons[task["name"], task["right"]] = outcome
    assert not reasons


def test_problems_are_many_and_the_same_in_every_run():
    for kind, problems in PROBLEMS.items():
        assert len({problem.name for problem in problems}) == len(problems) == 40
        assert tasks(kind, 5) == tasks(kind, 5)


def test_cpu_time_of_orphans_and_grandchildren_counts():
    # 30 ms a task by their own clocks, none of it in the engine's process or its children; forking comes on top.
    cost = measure("known-load", tasks("call", 10))
    assert 29 < cost.cpu < 45
