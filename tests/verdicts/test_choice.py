"""Multiple choice."""

import itertools

import pytest
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.choice import found_letter
from verdict_rows import question, trace

PLANETS = ["Mars", "Venus", "Earth", "Saturn"]
PHRASES = ["the answer is", "answer:"]
VERIFIER = verifier_for({"verifier": {"verifier": "choice"}})


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("**B**", "B"),
        ("(b)", "B"),
        ("[B]", "B"),
        ("B.", "B"),
        ("B) Venus", "B"),
        ("B: Venus", "B"),
        ("B) Venus is the hottest planet.", "B"),
        ("\\boxed{D}", "D"),
        ("\\boxed{\\text{D}}", "D"),
        ("\\boxed{(D)\\ Saturn}", "D"),
        ("\\boxed{Saturn}", "D"),
        ("$\\boxed{\\textbf{(C)}}$", "C"),
        ("The answer is: C. blah", "C"),
        ("The answer is C", "C"),
        ("The answer is C because it is blue.", "C"),
        ("The answer is A because it is red.", "A"),
        ("The answer is **C) Earth**.", "C"),
        ("The answer is option C.", "C"),
        ("The correct answer is (C) Earth, of course", "C"),
        ("The answer is C, not B.", "C"),
        ("Answer: d", "D"),
        ("Answer: the correct option is D.", "D"),
        ("The answer is Venus.", "B"),
        ("The answer is:\n\nB", "B"),
        ("The answer is A. Wait, it is hot. The answer is B.", "B"),
        ("Venus", "B"),
        ("It is hot there.\n\n**Venus**", "B"),
        ("Thinking of the sky.\nC) Earth\nThat is all.", "C"),
        # no answer
        ("A cat sleeps.", None),
        ("I think so.", None),
        ("A planet is a big thing. D is a letter.", None),
        ("The answer is a planet.", None),
        ("The answer is A planet.", None),
        ("The answer is A or B.", None),
        ("The answer is either A or B.", None),
        ("The answer is A, B", None),
        ("The answer is E.", None),
        ("The answer is not known.", None),
        ("A) Mars\nB) Venus\nC) Earth\nD) Saturn", None),
        ("Mars\nVenus", None),
        ("Mars is red and Venus is hot.", None),
        ("", None),
    ],
)
def test_found_letter(response, letter):
    assert found_letter(response, PLANETS, PHRASES) == letter


def test_shuffled_options_change_the_letter_and_not_the_verdict():
    gold_letters = set()
    for order in itertools.permutations(PLANETS):
        asked = question("hottest?", "Venus", list(order), domain="science")
        right = "ABCD"[order.index("Venus")]
        gold_letters.add(right)
        for letter in "ABCD":
            verdict = VERIFIER.verify(asked, trace(asked, f"The answer is {letter}."))
            assert verdict.status == ("correct" if letter == right else "incorrect")
            assert verdict.answer == letter
        assert VERIFIER.verify(asked, trace(asked, "The answer is venus.")).status == "correct"
        assert VERIFIER.verify(asked, trace(asked, "The answer is Mars.")).reason == "wrong_answer"
    assert gold_letters == set("ABCD")


def test_options_that_start_with_a_letter_word():
    choices = ["a magnet", "A battery", "I beam", "copper"]
    assert found_letter("The answer is a magnet.", choices, PHRASES) == "A"
    assert found_letter("The answer is A battery.", choices, PHRASES) == "B"
    assert found_letter("The answer is I beam", choices, PHRASES) == "C"


def test_two_options_with_one_text_are_one_answer():
    asked = question("q", "same", ["same", "other", "Same."])
    assert VERIFIER.verify(asked, trace(asked, "C")).status == "correct"


def test_gold_may_be_a_letter_when_no_option_has_its_text():
    asked = question("q", "b", ["one", "two"])
    assert VERIFIER.verify(asked, trace(asked, "B")).status == "correct"


@pytest.mark.parametrize(
    ("answer", "choices", "reason"),
    [
        ("Pluto", PLANETS, "reference_not_among_choices"),
        ("Mars", None, "no_choices"),
        (None, PLANETS, "no_reference"),
    ],
)
def test_unverified(answer, choices, reason):
    asked = question("q", answer, choices)
    verdict = VERIFIER.verify(asked, trace(asked, "A"))
    assert (verdict.status, verdict.reason) == ("unverified", reason)


def test_no_answer_and_truncated():
    asked = question("q", "Mars", PLANETS)
    assert VERIFIER.verify(asked, trace(asked, "Let me see")).reason == "no_answer"
    assert VERIFIER.verify(asked, trace(asked, "Let me see", status="truncated")).reason == "truncated"
