"""From a response to a program, and the comparison rules."""

import pytest
from thoughtline.common.errors import UserError
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.code import program_of
from thoughtline.verdicts.compare import first_difference, result_of, same_result
from verdict_rows import question, trace

TESTS = {"inputs": [[2], [5]], "outputs": [4, 10], "fn_name": "double"}
RIGHT = "def double(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1\n```\nNo:\n```python\nx = 2\n```\ndone", "x = 2\n"),
        ("```python\nx = 1\n```\nOutput:\n```\n1\n```", "x = 1\n"),
        ("```python\nx = 1\n```\n```text\n1\n```", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```Python3\nx = 1\n```", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("1. So:\n   ```python\n   x = 1\n   ```", "x = 1\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("```python\nx = 1\n```\nagain\n```python\nx = 2\nfor", "x = 1\n"),
        ("```python\nx = 1\nprint(x)", "x = 1\nprint(x)\n"),
        ("```python\n\n```\nempty", None),
        ("```cpp\nint x;\n```", None),
        ("I would use a loop.", None),
        ("", None),
    ],
)
def test_program_of(response, program):
    assert program_of(response)[0] == program


def judged(response, tests=TESTS, status="finished"):
    asked = question("double it", tests=tests, domain="code")
    with verifier_for({"verifier": {"verifier": "code"}}) as verifier:
        return verifier.verify(asked, trace(asked, response, status=status))


def test_verdicts():
    right = judged(f"Here it is:\n```python\n{RIGHT}```")
    assert (right.status, right.reason, right.answer, right.evidence) == ("correct", "", RIGHT, {"tests": 2})
    assert judged(RIGHT).status == "correct"  # no fence, but it is code
    wrong = judged("```python\ndef double(x):\n    return x + 2\n```")
    assert (wrong.status, wrong.reason) == ("incorrect", "wrong_answer")
    assert wrong.evidence == {"test": 1, "tests": 2, "input": "[5]", "expected": "10", "got": "7"}
    assert judged("Add it to itself.").reason == "no_code"
    assert judged("for all x = y it holds\nx = it is so").reason == "no_code"
    assert judged("Add it to", status="truncated").reason == "truncated"


@pytest.mark.parametrize("tests", [None, {"inputs": [], "outputs": []}])
def test_no_tests(tests):
    verdict = judged(RIGHT, tests)
    assert (verdict.status, verdict.reason) == ("unverified", "no_tests")


@pytest.mark.parametrize(
    "tests",
    [{"inputs": [1], "outputs": []}, {"inputs": "a", "outputs": "b"}, {"input": 1}, [1], {**TESTS, "fn_name": 3}],
)
def test_broken_tests_are_a_clear_error(tests):
    with pytest.raises(UserError, match="tests"):
        judged(RIGHT, tests)


@pytest.mark.parametrize(
    ("output", "expected", "line"),
    [
        (b"1 2\n3\n", b"1 2\n3\n", None),
        (b"1  2 \n3", b"1 2\n3\n\n", None),
        (b"\n", b"", None),
        (b"1 2 3\n", b"1 2\n3\n", 0),
        (b"1\n2\n", b"1\n", 1),
        (b"1\n", b"1\n2\n", 1),
        (b"1\n\n2\n", b"1\n2\n", 1),
        (b"\n1\n", b"1\n", 0),
        (b"A", b"a", 0),
        (b"1.0", b"1", 0),
        (b"a\xc2\xa0b", b"a b", 0),
    ],
)
def test_output_rule(output, expected, line):
    assert first_difference(output, expected) == line


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (3, 3, True), (3.0, 3, False), (3, 3.0, True), (True, 1, False), (1, True, False), (True, 1.0, False),
        ("3", 3, False), (None, None, True), (None, False, False), (0.1 + 0.2, 0.3, True), (0.3001, 0.3, False),
        (0.0, 1e-15, True), (float("nan"), float("nan"), True), (float("inf"), 1.0, False), ([1, [2]], [1, [2]], True),
        ([1, 2], [2, 1], False), ([1], [1, 2], False), ({"a": 1}, {"a": 1}, True), ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"a": 1.5}, False), (10**400, 1.5, False), ("a", "A", False), ([], {}, False),
    ],
)  # fmt: skip
def test_result_rule(got, expected, same):
    assert same_result(got, expected) is same


def test_results_that_are_hard_to_read():
    assert result_of("9" * 100_000) == result_of("9" * 100_000) != result_of("9" * 99_999 + "8")
    with pytest.raises(ValueError, match="deep"):
        result_of("[" * 200_000)
