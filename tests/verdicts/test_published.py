"""Published problem sets at scale: every reference solution passes its tests, every empty solution fails them.

THOUGHTLINE_DATA names a folder with code_rllm/, humaneval/ and mbpp/ as they are published. Every tenth problem is judged; with
THOUGHTLINE_FULL=1 every one (HumanEval 164, MBPP 974 and its 11 with challenge tests, rllm's LeetCode 1,889 and 200).
"""

import gzip
import json
import os
from pathlib import Path

import pytest
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.formats import canonical_tests
from verdict_rows import question, trace

DATA = Path(os.environ.get("THOUGHTLINE_DATA", "/nonexistent"))
STEP = 1 if os.environ.get("THOUGHTLINE_FULL") == "1" else 10
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="THOUGHTLINE_DATA names no folder of published problem sets")
EMPTY = "def {name}(*given, **named):\n    return None\n"
EMPTY_SOLUTION = "class Solution:\n    def __getattr__(self, name):\n        return lambda *given, **named: None\n"


def lines(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as stream:
        return [json.loads(line) for line in stream]


def humaneval():
    for row in lines(DATA / "humaneval/HumanEval.jsonl.gz"):
        tests = {key: row[key] for key in ("prompt", "entry_point", "test")}
        yield tests, row["prompt"] + row["canonical_solution"], EMPTY.format(name=row["entry_point"])


def mbpp(*keys):
    for row in lines(DATA / "mbpp/mbpp.jsonl"):
        if all(row[key] for key in keys):
            tests = {key: row[key] for key in ("test_list", "test_setup_code", *keys)}
            names = canonical_tests(tests)["names"]
            yield tests, row["code"], "".join(EMPTY.format(name=name) for name in names)


def leetcode(file):
    for row in json.loads((DATA / f"code_rllm/{file}.json").read_text(encoding="utf-8")):
        yield row["tests"], row["solutions"], EMPTY_SOLUTION


SETS = {
    "humaneval": (humaneval, 164),
    "mbpp": (mbpp, 974),
    "mbpp_challenge": (lambda: mbpp("challenge_test_list"), 11),
    "leetcode_train": (lambda: leetcode("train_leetcode"), 1889),
    "leetcode_test": (lambda: leetcode("test_leetcode"), 200),
}


def problems(name):
    """(number, tests, reference, empty solution) of the sampled problems of a set."""
    made, count = SETS[name]
    rows = list(made())
    assert len(rows) == count
    return [(number, *row) for number, row in enumerate(rows) if number % STEP == 0]


@pytest.mark.parametrize("name", SETS)
def test_every_problem_is_read(name):
    for number, tests, _, _ in problems(name):
        found = canonical_tests(json.dumps(tests))
        assert found["asserts"] and found["names"], number
        assert canonical_tests(json.dumps(found)) == found, number


@pytest.mark.parametrize("name", SETS)
def test_references_pass_and_empty_solutions_fail(name):
    failed, accepted = {}, []
    with verifier_for({"verifier": {"verifier": "code", "seconds": 10}}) as verifier:
        for number, tests, reference, empty in problems(name):
            asked = question(f"{name} {number}", tests=tests, domain="code")
            verdict = verifier.verify(asked, trace(asked, f"```python\n{reference}\n```"))
            if verdict.status != "correct":
                failed[number] = (verdict.reason, verdict.evidence)
            if verifier.verify(asked, trace(asked, f"```python\n{empty}```")).status != "incorrect":
                accepted.append(number)
    assert failed == {}
    assert accepted == []
