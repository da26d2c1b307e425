"""The comparison rules, and both sides of each hole that judges are known to have."""

import random
import time

import pytest
from thoughtline.common.errors import UserError
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.compare import RULES, first_difference, result_of, same_result, same_token
from verdict_rows import question, trace

BIG = 10**17


def right(output, expected, rule):
    return first_difference(output.encode(), expected.encode(), rule) is None


# name: (output, expected, the rules under which it is right)
CASES = {
    "the same": ("1 2\n3\n", "1 2\n3\n", RULES),
    "no final newline": ("1 2\n3", "1 2\n3\n", RULES),
    "Windows newline at the end": ("3\r\n", "3\n", RULES),
    "both empty": ("", "", RULES),
    "two final newlines": ("1\n\n", "1\n", RULES[1:]),
    "blanks around": ("  1  2 \n", "1 2\n", RULES[1:]),
    "tabs": ("1\t2\n", "1 2\n", RULES[1:]),
    "Windows newlines": ("1\r\n2\r\n", "1\n2\n", RULES[1:]),
    "line structure": ("1 2\n", "1\n2\n", RULES[2:]),
    "blank line between": ("1\n\n2\n", "1\n2\n", RULES[2:]),
    "blank line first": ("\n1\n", "1\n", RULES[2:]),
    # holes, each refused by every rule
    "only the first line": ("1\n", "1\n2\n", ()),
    "truncated in a line": ("1 2", "1 2 3", ()),
    "nothing": ("", "1\n", ()),
    "extra line": ("1\n2\n", "1\n", ()),
    "extra token": ("1 2\n", "1\n", ()),
    "output where none is expected": ("1\n", "", ()),
    "lines reordered": ("2\n1\n", "1\n2\n", ()),
    "tokens reordered": ("2 1\n", "1 2\n", ()),
    "repetitions dropped": ("1\n2\n", "1\n1\n2\n", ()),
    "repetitions in a line dropped": ("1 2\n", "1 1 2\n", ()),
    "repetitions added": ("1\n1\n2\n", "1\n2\n", ()),
    "characters as tokens": ("A B C\n", "ABC\n", ()),
    "tokens joined": ("12\n", "1 2\n", ()),
    "case": ("yes\n", "YES\n", ()),
    "large integers": (f"{BIG}\n", f"{BIG + 1}\n", ()),
    "a float for an integer": ("7.0\n", "7\n", ()),
    "leading zeros": ("007\n", "7\n", ()),
    "a sign": ("+7\n", "7\n", ()),
    "prefix of a token": ("1\n", "12\n", ()),
    "no-break space": ("1\u00a02\n", "1 2\n", ()),
    "a word with a point": ("a.c\n", "a.b\n", ()),
    # floats
    "an integer for a float": ("7\n", "7.0\n", RULES[3:]),
    "more digits": ("0.3333333333\n", "0.333333\n", RULES[3:]),
    "absolute error": ("1e-7\n", "0.0\n", RULES[3:]),
    "relative error": (f"{BIG + 10}.0\n", f"{BIG}.0\n", RULES[3:]),
    "exponents": ("1500\n", "1.5E3\n", RULES[3:]),
    "minus zero": ("-0.0\n", "0.0\n", RULES[3:]),
    "just outside": ("0.500002\n", "0.500000\n", ()),
    "just outside, relative": ("1000002.0\n", "1000000.0\n", ()),
    "fewer digits": ("0.33\n", "0.333333\n", ()),
    "a word for a float": ("pi\n", "3.14\n", ()),
    "underscores are no digits": ("1_0.0\n", "10.0\n", ()),
    "hexadecimal is no number": ("0x10\n", "16.0\n", ()),
    "NaN for a float": ("nan\n", "1.0\n", ()),
    "infinity for a float": ("inf\n", "1e300\n", ()),
    "beyond the largest float": ("1e999\n", "2e999\n", ()),
    "NaN for NaN": ("-NaN\n", "nan\n", RULES[3:]),
    "infinity for infinity": ("Infinity\n", "inf\n", RULES[3:]),
    "the other infinity": ("-inf\n", "inf\n", ()),
    "a float for infinity": ("1e308\n", "inf\n", ()),
    "a float among words": ("x = 0.10 kg\n", "x = 0.1 kg\n", RULES[3:]),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    output, expected, rules = CASES[name]
    assert [rule for rule in RULES if right(output, expected, rule)] == list(rules)


@pytest.mark.parametrize(
    ("output", "expected", "rule", "line"),
    [
        ("1\n2\nx\n", "1\n2\n3\n", "lines", 2),
        ("1\n2\n", "1\n2\n\n3\n", "lines", 3),
        ("1\n2\n3", "1\n2", "lines", 2),
        ("1\n2", "1\nx2", "exact", 1),
        ("1\n", "1\n\n\n", "exact", 2),
        ("1 2 3 4", "1 2\n3 5\n", "tokens", 1),
        ("1 2", "1\n2\n\n3", "tokens", 3),
        ("1 2 3", "1\n2", "tokens", 1),
        ("12", "1\n2", "tokens", 0),
        ("0.1 0.2 3", "0.1\n0.2\n4", "numeric", 2),
    ],
)
def test_line_that_differs(output, expected, rule, line):
    assert first_difference(output.encode(), expected.encode(), rule) == line


def test_rules_agree_with_their_plain_definitions():
    """Lists of tokens say the same as the fast forms, on random texts."""
    draw = random.Random(0)

    def tokens_of_lines(text):
        lines = [line.split() for line in text.split(b"\n")]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    seen = set()
    for _ in range(20_000):
        one = bytes(draw.choices(b"ab12. \n\n\t\r", k=draw.randrange(9)))
        other = bytes(draw.choices(b"ab12. \n\n\t\r", k=draw.randrange(9))) if draw.random() < 0.3 else one
        if draw.random() < 0.7:
            other = other.replace(
                *draw.choice([(b" ", b"  "), (b"\n", b" \n"), (b"\n", b"\r\n"), (b"\n\n", b"\n"), (b"\t", b"\n")])
            )
        lines, tokens = tokens_of_lines(one) == tokens_of_lines(other), one.split() == other.split()
        assert (first_difference(one, other, "lines") is None) == lines, (one, other)
        assert (first_difference(one, other, "tokens") is None) == tokens, (one, other)
        by_tokens = all(map(same_token, one.split(), other.split())) and len(one.split()) == len(other.split())
        assert (first_difference(one, other, "numeric") is None) == by_tokens, (one, other)
        assert tokens >= lines >= (first_difference(one, other, "exact") is None)  # exact -> lines -> tokens
        seen.add((lines, tokens))
    assert len(seen) == 3


@pytest.mark.parametrize("rule", RULES)
def test_large_outputs_take_linear_time(rule):
    """CPU seconds of 1 and of 8 MB, and of the worst case for finding the first difference: it is in the last line."""

    def seconds(count):
        text = b"".join(b"%d %d.5\n" % (number, number) for number in range(count))
        start = time.process_time()
        assert first_difference(text, text.replace(b" ", b"  ").replace(b"\n", b" \r\n"), rule) == (
            0 if rule == "exact" else None
        )
        assert first_difference(text + b"x\n", text + b"y\n", rule) == count
        return time.process_time() - start

    small, large = seconds(75_000), seconds(600_000)
    assert large < 24 * small + 1


def test_long_tokens_take_linear_time():
    start = time.monotonic()
    assert first_difference(b"1" * 4_000_000 + b"x", b"0.5", "numeric") == 0
    assert first_difference(b"0." + b"1" * 4_000_000 + b"e", b"0.5", "numeric") == 0
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("got", "expected", "rule", "same"),
    [
        (0.1 + 0.2, 0.3, "lines", True),
        (0.1 + 0.2, 0.3, "exact", False),
        (0.3, 0.3, "exact", True),
        (3, 3.0, "exact", True),
        (0.3000001, 0.3, "numeric", True),
        (0.3000001, 0.3, "lines", False),
        (0.30001, 0.3, "numeric", False),
        ([[0.3000001]], [[0.3]], "numeric", True),
        ({"a": 0.3000001}, {"a": 0.3}, "numeric", True),
        (3.0, 3, "numeric", False),
        (BIG, BIG + 1, "numeric", False),
        (float(BIG), BIG + 1, "numeric", False),
        ([2, 1], [1, 2], "numeric", False),
        ([1, 2], [1, 1, 2], "numeric", False),
        ([1], [1, 2], "tokens", False),
        ("Yes", "yes", "tokens", False),
        ("1 ", "1", "tokens", False),
        (["a", "b"], "ab", "tokens", False),
        (True, 1, "numeric", False),
        (float("nan"), float("nan"), "exact", True),
        (float("inf"), float("inf"), "numeric", True),
        (float("inf"), 1.0, "numeric", False),
    ],
)
def test_results_of_calls(got, expected, rule, same):
    assert same_result(got, expected, rule) is same


def test_integers_at_the_limit_of_digits():
    for digits in (4000, 4300):
        assert same_result(result_of("9" * digits), int("9" * digits))
        assert same_result(result_of("-" + "9" * digits), -int("9" * digits))
        assert not same_result(result_of("9" * (digits - 1) + "8"), int("9" * digits))


@pytest.mark.parametrize("rule", ["words", "", None])
def test_unknown_rules_are_refused(rule):
    with pytest.raises(UserError, match="comparison"):
        verifier_for({"verifier": {"verifier": "code", "comparison": rule}})


@pytest.mark.parametrize(("rule", "reason"), [("lines", "wrong_answer"), ("tokens", "")])
def test_the_recipe_chooses_the_rule(rule, reason):
    asked = question("q", tests={"inputs": ["1\n"], "outputs": ["1 2\n"]}, domain="code")
    answered = trace(asked, "```python\nprint(1)\nprint(2)\n```")
    with verifier_for({"verifier": {"verifier": "code", "comparison": rule}}) as verifier:
        assert verifier.verify(asked, answered).reason == reason


@pytest.mark.parametrize(("rule", "reason"), [("lines", "wrong_answer"), ("exact", "wrong_answer"), ("numeric", "")])
def test_the_rule_decides_the_tolerance_of_calls(rule, reason):
    asked = question("q", tests={"inputs": [[3]], "outputs": [0.333333], "fn_name": "f"}, domain="code")
    with verifier_for({"verifier": {"verifier": "code", "comparison": rule}}) as verifier:
        assert verifier.verify(asked, trace(asked, "```python\ndef f(n):\n    return 1 / n\n```")).reason == reason


@pytest.mark.parametrize(("prelude", "reason"), [("leetcode", ""), ("none", "runtime_error")])
def test_the_recipe_chooses_the_prelude(prelude, reason):
    tests = {"inputs": [[[1, 2]]], "outputs": [1], "fn_name": "least"}
    program = "class Solution:\n    def least(self, values: List[int]) -> int:\n        return min(inf, *values)\n"
    asked = question("q", tests=tests, domain="code")
    with verifier_for({"verifier": {"verifier": "code", "prelude": prelude}}) as verifier:
        assert verifier.verify(asked, trace(asked, f"```python\n{program}```")).reason == reason
