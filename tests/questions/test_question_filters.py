"""Each filter keeps what it should and drops what it should; the recipe's list of names is theirs."""

import subprocess
import sys

import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.names import FILTERS
from thoughtline.questions.filters import FUNCTIONS, check_filter, entries, first_refusal

TESTS = {"inputs": ["1"], "outputs": ["2"]}
CASES = [
    ("no_figures", {}, {"problem": "Add 2 and 2."}, {"problem": "See the FIGURE below."}),
    ("no_figures", {}, {"problem": "Which answer is right?"}, {"problem": "Compute 2+2. Answer: 4"}),
    ("no_figures", {}, {"problem": "a jump"}, {"problem": "![](https://x/y.png)"}),
    ("no_multipart", {}, {"problem": "Find f(a) and then b)."}, {"problem": " A) Add. b) Subtract."}),
    ("no_multipart", {}, {"problem": "a) Add."}, {"problem": "a) Add.\nB) Subtract."}),
    ("has_solution", {}, {"solution": "2"}, {"solution": None}),
    ("has_solution", {}, {"solution": "2"}, {"solution": " \n"}),
    ("has_boxed", {}, {"solution": r"so \boxed{4}"}, {"solution": "so 4"}),
    ("has_boxed", {}, {"solution": r"\Boxed{4}"}, {"solution": None}),
    ("no_empty_boxed", {}, {"solution": r"so \boxed{4}"}, {"solution": r"QED \boxed{}"}),
    ("no_links", {}, {"problem": "see https://x.org"}, {"problem": "see HTTP://x.org"}),
    ("no_images", {}, {"problem": "image"}, {"problem": "as in [Image]"}),
    ("min_length", {"characters": 4}, {"problem": "four"}, {"problem": "abc"}),
    ("max_length", {"characters": 4}, {"problem": "four"}, {"problem": "fives"}),
    ("has_tests", {}, {"tests": TESTS}, {"tests": None}),
    ("has_tests", {}, {"tests": TESTS}, {"tests": {"inputs": [], "outputs": []}}),
    ("has_answer", {}, {"answer": "0"}, {"answer": None}),
    ("matches", {"pattern": r"^\w+ \d$"}, {"problem": "add 2"}, {"problem": "add two"}),
    ("matches", {"pattern": "4", "field": "answer"}, {"answer": "14"}, {"answer": None}),
    ("matches", {"pattern": "^9$", "field": "metadata.level"}, {"metadata": {"level": 9}}, {"metadata": {"level": 10}}),
    ("rejects", {"pattern": "(?i)proof"}, {"problem": "Compute."}, {"problem": "Give a Proof."}),
    ("rejects", {"pattern": "4", "field": "solution"}, {"solution": None}, {"solution": "4"}),
]


def question(**keys):
    empty = {"problem": "", "answer": None, "solution": None, "tests": None, "starter_code": None, "metadata": {}}
    return {**empty, **keys}


@pytest.mark.parametrize(("name", "arguments", "kept", "dropped"), CASES)
def test_filter_keeps_and_drops(name, arguments, kept, dropped):
    check_filter(name, arguments)
    assert FUNCTIONS[name](question(**kept), **arguments)
    assert not FUNCTIONS[name](question(**dropped), **arguments)


def test_names_are_those_that_a_recipe_may_use_and_each_is_tried_above():
    assert sorted(FUNCTIONS) == sorted(FILTERS) == sorted({case[0] for case in CASES})


def test_the_first_filter_that_drops_is_the_reason():
    chosen = entries(["has_solution", {"min_length": {"characters": 9}}, "no_figures"])
    assert first_refusal(question(problem="figure", solution="s"), chosen) == "min_length"
    assert first_refusal(question(problem="long enough", solution="s"), chosen) is None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("no_figure", {}, r"sources\.s\.filters: unknown filter 'no_figure'; known: .*no_figures"),
        (
            "no_figures",
            {"words": []},
            r"sources\.s\.filters\.no_figures: unknown argument 'words'; it takes no argument",
        ),
        ("min_length", {}, r"sources\.s\.filters\.min_length: lacks the argument 'characters'"),
        ("min_length", {"characters": "200"}, "'200' is no number of characters"),
        ("max_length", {"characters": -1}, "-1 is no number of characters"),
        ("min_length", {"characters": True}, "True is no number of characters"),
        ("matches", {"pattern": "("}, r"matches\.pattern: '\(' is no regular expression"),
        ("rejects", {"pattern": 3}, "3 is no regular expression"),
        ("matches", {"pattern": "x", "field": "text"}, "'text' is no field; one of problem, .*metadata.NAME"),
        ("matches", {"pattern": "x", "field": "metadata."}, "is no field"),
    ],
)
def test_bad_arguments_are_named(name, arguments, message):
    with pytest.raises(UserError, match=message):
        check_filter(name, arguments, "sources.s.filters")


def test_checking_a_filter_imports_nothing_heavy():
    code = (
        "import sys; from thoughtline.questions.filters import check_filter; check_filter('no_figures', {});"
        "print([name for name in ('datasets', 'pyarrow', 'numpy', 'rapidfuzz', 'rensa') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
