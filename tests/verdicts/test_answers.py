"""One extractor of final answers."""

import time

import pytest
from thoughtline.verdicts.answers import extract, last_boxed, last_number
from thoughtline.verdicts.choice import found_letter
from thoughtline.verdicts.exact import normalised

ALL = {"boxed": True, "phrases": ["the answer is"], "last_number": True, "last_line": True}
ONLY = {"boxed": False, "phrases": [], "last_number": False, "last_line": False}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{5}", "5"),
        (r"\boxed{1} then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x \mid x > \frac{1}{2}\right\}}", r"\left\{x \mid x > \frac{1}{2}\right\}"),
        (r"\boxed {7}", "7"),
        (r"\fbox{8}", "8"),
        (r"first \boxed{3}, then cut off: \boxed{\frac{1}{", "3"),
        (r"\boxed{4} and \boxed{}", "4"),
        (r"\boxed{\boxed{6}}", "6"),
        (r"\boxed{", None),
        ("no box", None),
    ],
)
def test_last_box(text, answer):
    assert last_boxed(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 42.", "42"),
        ("THE ANSWER IS: **42**.", "42"),
        ("The answer  is\t`x`", "x"),
        ("the answer is 1\nno, the answer is 2\nbye", "2"),
        ("The answer is 42. So the sum of all is 43.", "42"),
        ("The answer is $\\frac{1}{2}$. This is small.", "$\\frac{1}{2}$"),
        ("The answer is St. Petersburg.", "St. Petersburg"),
        ("The answer is 3.5", "3.5"),
        ("The answer is -7!", "-7"),
        ("The answer is 5. I don't think the answer is 6.", "5"),
        ("I am not sure that the correct answer is 6", None),
        ("If the answer is 6, it is even.", None),
        ("It is not 6, so the answer is 5.", "5"),
        ("I assume the answer is 5.", "5"),
    ],
)
def test_after_the_last_phrase(text, answer):
    assert extract(text, {**ONLY, "phrases": ["the answer is"]}) == answer


def test_any_phrase_may_come_last():
    phrases = ["the answer is", "answer:"]
    assert extract("answer: 1\nthe answer is 2", {**ONLY, "phrases": phrases}) == "2"
    assert extract("the answer is 2\nAnswer: 1", {**ONLY, "phrases": phrases}) == "1"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7.", "7"),
        ("so 1,234,567 apples", "1,234,567"),
        ("it is -5", "-5"),
        ("it is 10-5", "5"),
        ("half, 1/2, of it", "1/2"),
        ("3.14 or so", "3.14"),
        ("none", None),
    ],
)
def test_last_number(text, answer):
    assert last_number(text) == answer


def test_order_of_the_ways():
    text = "The answer is 2\n\\boxed{1}\n3\nlast words"
    assert extract(text, ALL) == "1"
    assert extract(text, {**ALL, "boxed": False}) == "2"
    assert extract(text, {**ALL, "boxed": False, "phrases": []}) == "3"
    assert extract(text, {**ONLY, "last_line": True}) == "last words"
    assert extract(text, ONLY) is None


def test_last_line_without_markdown():
    assert extract("think\n\n**Paris**.\n\n", {**ONLY, "last_line": True}) == "Paris"


HARD = {
    "open boxes": "\\boxed{" * 50_000,
    "boxes in boxes": "\\boxed{" * 50_000 + "}" * 50_000,
    "open braces": "{" * 100_000 + "\\boxed{5}",
    "stars": "the answer is " + "*" * 100_000 + "x",
    "stops": "the answer is a" + " ." * 100_000 + "x",
    "suppositions": "if the answer is " * 10_000,
    "digits": "1" * 100_000 + "x" + "1," * 100_000,
    "quotes": "the answer is " + '"' * 100_000,
    "dashes": "the answer is x" + "-" * 100_000 + "x",
    "blanks": "the answer is" + " " * 100_000 + "x",
}


@pytest.mark.parametrize("name", HARD)
def test_any_text_is_read_in_linear_time(name):
    start = time.process_time()
    extract(HARD[name], ALL)
    found_letter(HARD[name], ["one", "two", "three"], ALL["phrases"])
    normalised(HARD[name], True, True)
    assert time.process_time() - start < 3
