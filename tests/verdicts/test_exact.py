"""Exact match after normalisation."""

import pytest
from thoughtline.verdicts import verifier_for
from verdict_rows import question, trace


def judged(response, answer, **settings):
    asked = question("q", answer)
    return verifier_for({"verifier": {"verifier": "exact", **settings}}).verify(asked, trace(asked, response))


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("The answer is Paris.", "paris"),
        ("I think.\n**New   York**", "New York"),
        ("The answer is “knight”!", "knight"),
        ("\\boxed{\\text{yes}}", "yes"),
        ("The answer is `[1, 2]`", "[1, 2]"),
        ("The answer is $12$", "12"),
        ("ﬁve", "five"),
    ],
)
def test_equal(response, answer):
    assert judged(response, answer).status == "correct"


@pytest.mark.parametrize(
    ("response", "answer"), [("The answer is Paris, France", "Paris"), ("12", "12.0"), ("The answer is not 5", "5")]
)
def test_not_equal(response, answer):
    verdict = judged(response, answer)
    assert (verdict.status, verdict.reason) == ("incorrect", "wrong_answer")


def test_case_and_punctuation_are_settings():
    assert judged("PARIS", "paris", ignore_case=False).status == "incorrect"
    assert judged('"paris"', "paris", ignore_punctuation=False).status == "incorrect"
    assert judged("The answer is 'it!'", "it!", ignore_punctuation=True).status == "correct"


def test_equal_answers_have_one_form():
    assert judged("**Paris**.", "x").answer == judged("the answer is  PARIS", "x").answer == "paris"


@pytest.mark.parametrize(
    ("response", "status", "expected"),
    [
        (None, "failed", ("incorrect", "generation_failed")),
        ("", "refused", ("incorrect", "refused")),
        ("I can't. \\boxed{5}", "refused", ("incorrect", "refused")),
        ("", "finished", ("incorrect", "no_answer")),
        (None, "truncated", ("incorrect", "truncated")),
        ("I am thinking of", "truncated", ("incorrect", "truncated")),
        ("\\boxed{5} and so on, and", "truncated", ("correct", "")),
        ("hmm", "finished", ("incorrect", "no_answer")),
    ],
)
def test_shared_rules(response, status, expected):
    asked = question("q", "5")
    extraction = {"boxed": True, "phrases": []}
    with verifier_for({"verifier": {"verifier": "exact", "extraction": extraction}}) as verifier:
        verdict = verifier.verify(asked, trace(asked, response, status=status))
    assert (verdict.status, verdict.reason) == expected


@pytest.mark.parametrize("answer", [None, "", "  "])
def test_no_reference(answer):
    assert (judged("5", answer).status, judged("5", answer).reason) == ("unverified", "no_reference")
