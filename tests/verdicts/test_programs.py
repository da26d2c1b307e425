"""Right, wrong and hostile programs get the verdict that programs/*.yaml states, and do nothing to the machine."""

import functools
import json
import time

import pytest
from program_suite import CLASSES, TASKS, read_cases
from thoughtline.verdicts.executor import Executor, Limits, probe
from watched_host import CHECKS, WatchedHost

CASES = read_cases()
HONEST = {
    "shout": "for _ in range(int(input())): print(input().upper())\n",
    "total": "import numpy\ndef total(v): return sum(v)\n",
    "asserts": "def total(v): return sum(v)\n",
}
FINISH_SECONDS = 60
"""However loaded the machine is: a program that never ends costs no more than its wall limit and this."""


@functools.cache
def _missing():
    return probe()["missing"]


@pytest.fixture(scope="module")
def judge():
    """One executor for all programs, so whatever one of them does to it is felt by the next, unless it says so itself."""
    with Executor() as executor:

        def run(*given):
            try:
                return executor.run_tests(*given)
            except BaseException:
                executor.close()
                raise

        yield run


@pytest.fixture(scope="module")
def host(judge, tmp_path_factory):
    def warm_up():
        for task, program in HONEST.items():
            assert judge(program, TASKS[task], Limits()).passed

    with WatchedHost(tmp_path_factory.mktemp("suite"), warm_up) as watched:
        yield watched


def parameters():
    for case in CASES:
        marks = [pytest.mark.xfail(reason=case.pending, strict=True)] if case.pending else []
        yield pytest.param(case, id=f"{case.kind}-{case.name}", marks=marks)


@pytest.mark.parametrize("case", list(parameters()))
def test_program(case, judge, host):
    if case.isolated and (missing := _missing()):
        pytest.skip(f"the sandbox has no protection of {', '.join(missing)} here")
    program, tests = case.source(host.values), case.tests(host.values)
    begin = time.monotonic()
    outcome, harm = host.watch(lambda: judge(program, tests, case.limits), case.must_not)
    assert time.monotonic() - begin < case.limits.wall + FINISH_SECONDS
    assert outcome.reason in case.verdicts, outcome
    assert not harm, harm


def test_the_suite_is_whole():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 150
    assert {case.kind for case in CASES} == set(CLASSES)
    assert {case.task for case in CASES} == set(TASKS)
    reasons = {"", "wrong_answer", "runtime_error", "compile_error", "time_limit", "memory_limit", "output_limit"}
    for case in CASES:
        assert set(case.verdicts) <= reasons, case.name
        assert set(case.must_not) <= set(CHECKS), case.name
        assert case.kind != "honest" or case.verdicts == ("",), case.name
        json.dumps(case.program)
