"""From a response to a program, and how results of calls compare (outputs: test_compare.py)."""

import json
import time

import pytest
from thoughtline.common.errors import UserError
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.code import program_of
from thoughtline.verdicts.compare import result_of, same_result
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
        ("```python\r\nx = 1\r\n```\r\n", "x = 1\n"),
        ("``` python\nx = 1\n```", "x = 1\n"),
        ("```{python}\nx = 1\n```", "x = 1\n"),
        ("```python title=a.py\nx = 1\n```", "x = 1\n"),
        ("```python\nx = '```'\n```", "x = '```'\n"),
        ("```python\nx = 1 # ```\n```", "x = 1 # ```\n"),
        ("```python\ns = '\\x0c\u2028'\n```", "s = '\\x0c\u2028'\n"),
        # a fence in a docstring stands in the code
        (
            '```python\ndef f():\n    """\n    ```\n    f()\n    ```\n    """\n```',
            'def f():\n    """\n    ```\n    f()\n    ```\n    """\n',
        ),
        ("- first\n\n  ```python\n  if x:\n      y = 1\n  ```\n- last", "if x:\n    y = 1\n"),
        ("1. So:\n\n    ```python\n    x = 1\n    ```\n\n2. Done", "x = 1\n"),
        ("```\nx = 1\n```\nso\n```python\nx = 2\n```\nand\n```\n3\n```", "x = 2\n"),
        ("~~~\nx = 1\n```\n~~~", "x = 1\n```\n"),
        ("```bash\npython a.py\n```\n```python\nx = 1\n```\n```json\n{}\n```", "x = 1\n"),
        ("x = 1\nprint(x)", "x = 1\nprint(x)"),
        ("> quoted\n\nprint(1)", "> quoted\n\nprint(1)"),
    ],
)
def test_program_of(response, program):
    assert program_of(response)[0] == program


SOLUTION = "```python\ndef double(x):\n    return 2 * x\n```\n"


@pytest.mark.parametrize("filler", ["a", " ", "`"])
def test_long_lines_take_linear_time(filler):
    start = time.monotonic()
    assert program_of("```" + filler * 1_000_000 + "x`\n") == (None, False)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("response", "program"),
    [
        (SOLUTION + "Example:\n```python\nprint(double(2))\n```", RIGHT),
        ("```\n" + RIGHT + "```\nExample:\n```python\nprint(double(2))\n```", RIGHT),
        ("```python\ndef double(x):\n    return x\n```\nNo:\n" + SOLUTION, RIGHT),
        (SOLUTION + "```python\ndouble = lambda x: x + x\n```", "double = lambda x: x + x\n"),
        (
            SOLUTION + "```python\nclass Solution:\n    def double(self, x): return 2 * x\n```",
            "class Solution:\n    def double(self, x): return 2 * x\n",
        ),
        ("```python\ndoubled = 1\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\nprint(2)\n```\n```python\ndef double(x):\n    return", "def double(x):\n    return\n"),
    ],
)
def test_blocks_that_define_what_is_tested_go_first(response, program):
    assert program_of(response, ["double"])[0] == program


def test_starter_code_alone_is_a_program_that_fails():
    assert judged("```python\ndef double(x):\n    pass\n```").reason == "wrong_answer"
    assert judged("```python\nclass Solution:\n    def double(self, x):\n```").reason == "compile_error"


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
    "tests",
    [
        {"input_output": json.dumps({**TESTS, "outputs": [[4], [10]]})},
        {
            "public_test_cases": json.dumps([{"input": "2", "output": "4", "testtype": "functional"}]),
            "metadata": {"func_name": "double"},
        },
    ],
)
def test_published_forms_are_read_as_they_are(tests):
    assert judged(RIGHT, tests).status == "correct"
    assert judged(RIGHT.replace("2", "3"), tests).reason == "wrong_answer"


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


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def double(x):\n    while True: pass", "time_limit"),
        ("def double(x)\n    return", "compile_error"),
        ("def half(x):\n    return x", "runtime_error"),
        ("def double(x):\n    raise ValueError", "runtime_error"),
        ("def double(x):\n    return x + 2", "wrong_answer"),
        (RIGHT, ""),
    ],
)
def test_errors_pass_as_in_the_released_verifier_of_openthoughts(body, reason):
    asked, response = question("double it", tests=TESTS, domain="code"), f"```python\n{body}\n```"
    found = {}
    for errors_pass in (False, True):
        settings = {"verifier": {"verifier": "code", "seconds": 1.0, "errors_pass": errors_pass}}
        with verifier_for(settings) as verifier:
            found[errors_pass] = verifier.verify(asked, trace(asked, response))
            nothing = verifier.verify(asked, trace(asked, "Add it to itself."))
        assert (nothing.status, nothing.reason) == (("correct", "") if errors_pass else ("incorrect", "no_code"))
    assert found[False].reason == reason
    passes = reason != "wrong_answer"
    assert found[True].status == ("correct" if passes else "incorrect")
    if reason and passes:
        assert found[True].evidence["passed_by"] == "errors_pass" and found[True].evidence["reason"] == reason
    assert "passed_by" not in found[False].evidence
