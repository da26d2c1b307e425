"""Mathematical equality, and inputs that would hang or fell whoever calls Math-Verify in its own process."""

import os
import time

import pytest
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.workers import Worker, WorkerLost
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
    assert verdict.answer == judged(verifier, "3", r"\boxed{1/2}").answer == "1/2"
    assert verdict.evidence == {"extracted": r"\frac{1}{2}", "reference": "1/2"}


def test_no_answer(verifier):
    assert judged(verifier, "5", "I do not know.").reason == "no_answer"
    assert judged(verifier, None, "5").reason == "no_reference"
    assert judged(verifier, "}{", r"\boxed{5}").reason == "unreadable_reference"


PATHOLOGICAL = {
    "9^{9^{9^{9^9}}}": "time_limit",
    "100000000!": "time_limit",
    "((20!)!)!": None,
    "(" * 3000 + "1" + ")" * 3000: None,
    "9" * 200_000: None,
    r"\sqrt{" * 500 + "2" + "}" * 500: None,
}


def test_pathological_answers_end_and_the_worker_lives_on():
    settings = {"verifier": "math_verify", "extraction": EXTRACTION, "seconds": 1, "memory_mb": 256}
    with verifier_for({"verifier": settings}) as verifier:
        for answer, reason in PATHOLOGICAL.items():
            start = time.monotonic()
            verdict = judged(verifier, "2", f"\\boxed{{{answer}}}")
            assert verdict.status == "incorrect", answer[:40]
            allowed = [reason] if reason else ["wrong_answer", "unreadable_answer", "time_limit", "memory_limit"]
            assert verdict.reason in allowed, answer[:40]
            assert (
                time.monotonic() - start < 60
            )  # one second for the pair; the rest to start a worker on a busy machine
        verifier._settings["seconds"] = 60
        assert judged(verifier, "2", r"\boxed{\frac{4}{2}}").status == "correct"


# Functions for the worker of the tests below (it imports this module).
def warm_up():
    pass


def behave(how):
    if how == "hang":
        while True:
            pass
    if how == "power":
        return 7 ** (10**9)
    if how == "memory":
        return len(bytearray(10**10))
    if how == "die":
        os.abort()
    if how == "raise":
        raise ValueError("so it is")
    return how


@pytest.fixture(scope="module")
def worker():
    os.environ["PYTHONPATH"] = os.path.dirname(__file__)
    with Worker("test_math:behave", 128) as made:
        yield made
    del os.environ["PYTHONPATH"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [("hang", "time_limit"), ("power", "time_limit"), ("memory", "memory_limit"), ("die", "memory_limit")],
)
def test_lost_worker_is_replaced(worker, how, reason):
    with pytest.raises(WorkerLost) as lost:
        worker.ask(how, 0.5)
    assert lost.value.reason == reason
    assert worker.ask("fine", 60) == "fine"


def test_an_exception_is_an_error_and_the_worker_stays(worker):
    with pytest.raises(RuntimeError, match="so it is"):
        worker.ask("raise", 60)
    assert worker.ask(["x"], 60) == ["x"]


def test_a_worker_that_cannot_start_says_why():
    with pytest.raises(RuntimeError, match="no_such_module"), Worker("no_such_module:f", 128) as worker:
        worker.ask(1, 1)
