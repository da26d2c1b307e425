"""Mathematical equality by Math-Verify, and the form by which equal answers vote together."""

import pytest
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.math import LONGEST
from verdict_rows import question, trace

EQUAL = [
    ("1/2", r"\boxed{0.5}"), (r"\frac{3}{4}", r"\boxed{\frac34}"), ("0.75", "The answer is 3/4."),
    (r"\sqrt{8}", r"\boxed{2\sqrt{2}}"), (r"2\sqrt{2}", r"\boxed{\sqrt 8}"), ("50%", r"\boxed{50\%}"),
    ("(1, 2)", r"\boxed{(1,2)}"), (r"(1, 2]", r"\boxed{(1,2]}"), (r"[0,\infty)", r"\boxed{[0, \infty)}"),
    ("1000", "The answer is 1,000"), ("1,234,567", r"\boxed{1234567}"), ("18", "The answer is $18."),
    ("5", "The answer is 5 apples."), ("2", r"\boxed{2\text{ cm}}"), ("90", r"\boxed{90^\circ}"),
    ("x^2-1", r"\boxed{(x-1)(x+1)}"), ("2^{10}", r"\boxed{1024}"), (r"\pi/2", r"\boxed{\frac{\pi}{2}}"),
    (r"\{1,2,3\}", r"\boxed{\{3,2,1\}}"), ("-3", r"\boxed{-3}"), ("-3", "The answer is −3"), ("3", "so it is 3.0"),
    (r"\boxed{7}", "7"), (r"$\frac{1}{3}$", r"The answer is \(\frac{1}{3}\)."), ("5/3", "The answer is 1 2/3"),
    (r"\frac{2}{3}", "The answer is 2/3 of the cake."), ("42", "6 * 7 = 42"), ("6-5i", r"\boxed{-5i+6}"),
]  # fmt: skip
DIFFERENT = [
    ("1/2", r"\boxed{0.25}"), ("2", r"\boxed{-2}"), (r"\sqrt{2}", r"\boxed{1.41}"), ("(1,2)", r"\boxed{(2,1)}"),
    ("(1,2]", "The answer is 2"), ("100", "The answer is 10"), ("x+1", r"\boxed{x-1}"), ("7", "3 + 4 = 8"),
    (r"\pi", r"\boxed{3.14}"), ("12", "The answer is 1 or 2"), (r"\{1,2\}", r"\boxed{\{1,3\}}"), ("0", r"\boxed{10}"),
    ("5/3", "The answer is 1 1/3"),
]  # fmt: skip
EXTRACTION = {"boxed": True, "phrases": ["the answer is"], "last_number": True}


@pytest.fixture(scope="module")
def verifier():
    with verifier_for({"verifier": {"verifier": "math_verify", "extraction": EXTRACTION, "seconds": 60}}) as made:
        yield made


def judged(verifier, reference, response):
    asked = question("q", reference)
    return verifier.verify(asked, trace(asked, response))


@pytest.mark.parametrize(("reference", "response"), EQUAL)
def test_equal(verifier, reference, response):
    assert judged(verifier, reference, response).status == "correct"


@pytest.mark.parametrize(("reference", "response"), DIFFERENT)
def test_different(verifier, reference, response):
    verdict = judged(verifier, reference, response)
    assert (verdict.status, verdict.reason) == ("incorrect", "wrong_answer")


def test_evidence_and_equal_forms(verifier):
    verdict = judged(verifier, "0.5", r"So \boxed{\frac{1}{2}}.")
    assert verdict.answer == "0.5"
    assert verdict.evidence == {"extracted": r"\frac{1}{2}", "reference": "0.5"}


# Each line is one value, written in ways that a vote must not tell apart; half of them are read by Math-Verify only.
ONE_FORM = {
    "0.5": [
        r"\frac{1}{2}",
        "0.50",
        ".5",
        "2/4",
        r"\left(\frac{1}{2}\right)",
        "{0.5}"[1:-1],
        r"\frac{5}{10}\text{ units}",
    ],
    "-1/3": ["-1/3", r"-\frac{2}{6}", r"\frac{1}{-3}", r"x=-\frac13"],
    "1234.5": ["1,234.5", "1234.50", r"\$1234.5", r"1234\frac{1}{2}"],
    "50%": ["50%", r"50\%", "50 percent", r"50\text{percent}"],
    "5": ["5", "x = 5", r"5\text{ cm}", "5 apples in all", "05", "(5)", r"5^\circ", "a=b=5"],
    "{1, 2, 3}": [r"\{3,2,1\}", "1, 2, 3", r"\{ 1, 2, \frac{6}{2} \}", "3, 1 and 2"],
    "(1, 2)": ["(1,2)", r"\left( 1, \frac{4}{2} \right)"],
    "(0, oo)": [r"(0,\infty)", r"\left(0, +\infty\right)"],
    "{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}": ["0,1,2,3,4,5,6,7,8,9,10,11"],
    "sqrt(2)/2": [r"\frac{\sqrt{2}}{2}", r"\dfrac{\sqrt 2}{2}"],
    "evelyn": [r"\text{Evelyn}", r"\textbf{evelyn}"],
}


@pytest.mark.parametrize("form", ONE_FORM)
def test_equal_answers_have_one_form(verifier, form):
    answers = {judged(verifier, "7", f"\\boxed{{{text}}}").answer for text in ONE_FORM[form]}
    assert answers == {form}


def test_sizes_that_are_refused(verifier):
    verdict = judged(verifier, "7", rf"\boxed{{{'7' * (LONGEST + 1)}}}")
    assert (verdict.status, verdict.reason, verdict.evidence["longest"]) == ("incorrect", "too_long", LONGEST)
    verdict = judged(verifier, "7" * (LONGEST + 1), r"\boxed{7}")
    assert (verdict.status, verdict.reason) == ("unverified", "unreadable_reference")


def test_a_verdict_does_not_depend_on_what_came_before():
    pairs = [(reference, response) for reference, response in [*EQUAL, *DIFFERENT] if "\\" in response]
    found = []
    for order in (pairs, pairs[::-1], pairs + pairs):
        with verifier_for({"verifier": {"verifier": "math_verify", "extraction": EXTRACTION}}) as fresh:
            found.append({pair: judged(fresh, *pair) for pair in order})
    assert found[0] == found[1] == found[2]


def test_gmpy2_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "gmpy2.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with verifier_for({"verifier": {"verifier": "math_verify"}}) as fresh:
        assert judged(fresh, r"\sqrt{8}", r"\boxed{2\sqrt{2}}").status == "correct"


def test_no_answer(verifier):
    assert judged(verifier, "5", "I do not know.").reason == "no_answer"
    assert judged(verifier, None, "5").reason == "no_reference"
    assert judged(verifier, "}{", r"\boxed{5}").reason == "unreadable_reference"
