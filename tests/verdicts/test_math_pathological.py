"""Answers that would hang, swell or crash whoever calls Math-Verify in its own process."""

import time
from pathlib import Path

import pytest
import yaml
from thoughtline.verdicts import verifier_for
from verdict_rows import question, trace

CASES = yaml.safe_load((Path(__file__).parent / "pathological.yaml").read_text(encoding="utf-8"))
ENDS = ["wrong_answer", "unreadable_answer", "time_limit", "memory_limit"]
SECONDS = 0.3
PLAIN = [(r"\sqrt{8}", r"\boxed{2\sqrt{2}}", "correct"), (r"\sqrt{8}", r"\boxed{3\sqrt{2}}", "incorrect")]
"""What the worker, or its replacement, must still judge rightly; not decided without it."""


def written(case, text="text", parts="parts"):
    return "".join(unit * times for unit, times in case[parts]) if parts in case else case.get(text)


@pytest.fixture(scope="module")
def verifiers():
    extraction = {"boxed": True, "phrases": ["the answer is"]}
    settings = {"verifier": "math_verify", "extraction": extraction, "memory_mb": 512}
    with (
        verifier_for({"verifier": {**settings, "seconds": SECONDS}}) as made,
        verifier_for({"verifier": {**settings, "seconds": 60}}) as patient,
    ):
        patient.verifier._worker = made.verifier._worker  # the same worker, asked with a limit that no plain pair meets
        yield made, patient


def test_there_are_enough():
    assert len({case["name"] for case in CASES}) == len(CASES) >= 46


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_it_ends_and_the_worker_lives_on(verifiers, case):
    verifier, patient = verifiers
    asked = question("q", written(case, "reference", "reference_parts") or "2")
    answer = written(case)
    response = f"The answer is {answer}" if case.get("in") == "phrase" else f"\\boxed{{{answer}}}"
    start = time.process_time()
    verdict = verifier.verify(asked, trace(asked, response))
    assert (verdict.reason or "correct") in case.get("ends", ENDS), verdict
    assert time.process_time() - start < 0.5  # in this process nothing of it runs
    patient.verifier._compared.cache_clear()
    for reference, right, status in PLAIN:
        asked = question("q", reference)
        assert patient.verify(asked, trace(asked, right)).status == status


@pytest.mark.parametrize(
    "response",
    ["\\boxed{" * 100_000, "the answer is ... \n" * 50_000, "the answer is " + ". " * 100_000 + "x", "1," * 200_000,
     "the answer is " * 50_000, "The answer is " + " " * 200_000 + "!", "1" * 400_000, "$" * 400_000, "\\" * 400_000],
    ids=["boxes", "phrases", "points", "commas", "one-line", "blanks", "digits", "dollars", "backslashes"],
)  # fmt: skip
def test_extraction_takes_no_square_of_the_length(response):
    extraction = {"boxed": True, "phrases": ["the answer is"], "last_number": True, "last_line": True}
    start = time.process_time()
    with verifier_for(
        {"verifier": {"verifier": "math_verify", "extraction": extraction, "seconds": SECONDS}}
    ) as verifier:
        asked = question("q", "2")
        assert verifier.verify(asked, trace(asked, response)).status == "incorrect"
    assert time.process_time() - start < 1.5
