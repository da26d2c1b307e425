"""Multiple choice."""

import itertools
import random
from collections import Counter

import pytest
from thoughtline.recipe.schema.verification import Choice
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.choice import found_letter
from verdict_rows import question, trace

PLANETS = ["Mars", "Venus", "Earth", "Saturn"]
VERIFIER = verifier_for({"verifier": {"verifier": "choice"}})
PHRASES = Choice(verifier="choice").phrases


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
        # wraps
        ("`B`", "B"),
        ("__B__", "B"),
        ("### B", "B"),
        ("<answer>B</answer>", "B"),
        ("“B”", "B"),
        ("The answer is 'B'.", "B"),
        ("The answer is \\(B\\).", "B"),
        ("The answer is $B$.", "B"),
        ("The answer is {B}.", "B"),
        ("\\[ \\boxed{\\mathbf{(B)}\\ \\text{Venus}} \\]", "B"),
        ("**Answer:** B", "B"),
        ("**The final answer is (B).**", "B"),
        ("The answer is:\n\n- **B) Venus**\n\nbecause it is hot", "B"),
        ("\uff22", "B"),
        # letters of other alphabets that look the same, and letters that only exist there
        ("Answer: \u0412", "B"),
        ("\u0410)", "A"),
        ("The answer is \u0421.", "C"),
        ("Answer: \u0391", "A"),
        ("Answer: \u0411", None),
        # words around
        ("The answer is clearly B.", "B"),
        ("The answer is therefore (B).", "B"),
        ("My answer is B", "B"),
        ("So the correct option is B.", "B"),
        ("The answer is B and it is hot.", "B"),
        ("The answer is B, Venus.", "B"),
        ("The answer is B, i.e. Venus.", "B"),
        ("B — Venus", "B"),
        ("The answer is Venus (B).", "B"),
        ("The answer is Venus, option B.", "B"),
        ("Answer: venus!", "B"),
        ("The answer is B) because A) is cold.", "B"),
        ("It is not Mars, so the answer is B.", "B"),
        ("If it is hot, the answer is B.", "B"),
        # several answers: the last phrase decides
        ("The answer is A.\nWait, that is cold.\nThe answer is C.", "C"),
        ("The answer is B. Option D is wrong.", "B"),
        ("The answer is B.\n\nA) Mars is too cold.\nC) Earth is mild.", "B"),
        ("\\boxed{A} No. \\boxed{C}", "C"),
        # denied and supposed
        ("The answer is B. The answer is not A.", "B"),
        ("The answer is C. I don't think the answer is B.", "C"),
        ("If the answer is A, it would be cold. The answer is B.", "B"),
        ("The answer is A. No, the answer is not A.", None),
        ("The answer isn't A.", None),
        ("The answer is definitely not A.", None),
        ("I doubt that the answer is B.", None),
        ("I am not sure the answer is B.", None),
        ("Assume the answer is A.", None),
        ("The answer is none of the above.", None),
        # no answer
        ("A good idea: think first.", None),
        ("Take vitamin C", None),
        ("Option D is wrong because it is cold.", None),
        ("The answer is A and C.", None),
        ("The answers are A and C.", None),
        ("The answer is (A) and (C).", None),
        ("The answer is both A and C.", None),
        ("The answer is A/C", None),
        ("The answer is A, and possibly C", None),
        ("The answer is AC", None),
        ("\\boxed{A, C}", None),
        ("\\boxed{A\\text{ and }C}", None),
        ("The answer is B: Earth", None),
        ("The answer is Venus (C).", None),
        ("The answer is Venus or Earth.", None),
        ("The answer is B12.", None),
        ("The answer is C#.", None),
        ("The answer is A.I.", None),
        ("The answer is A's.", None),
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
    asked = question("q", "same", ["same", "other", "same."])
    assert VERIFIER.verify(asked, trace(asked, "C")).status == "correct"


@pytest.mark.parametrize(
    "choices",
    [
        ["AA", "Aa", "aa", "AO"],
        ["5", "-5", "0.5", "+5"],
        ["x^2", "x_2", "x2", "x²"],
        ["C", "C++", "C#", "c"],
        ["Co", "CO", "CO2", "co"],
        ["2*3", "23", "2-3", "2 3"],
        ["`a`b", "ab", "a b", "$ab"],
    ],
)
def test_options_that_differ_in_little_are_different_answers(choices):
    for gold in choices:
        asked = question("q", gold, choices)
        for letter, choice in zip("ABCD", choices, strict=True):
            expected = "correct" if choice == gold else "incorrect"
            assert VERIFIER.verify(asked, trace(asked, f"The answer is ({letter}).")).status == expected
            if choice not in "ABCDc":  # a single letter is a letter
                assert VERIFIER.verify(asked, trace(asked, f"\\boxed{{{choice}}}")).status == expected, (gold, choice)


NASTY = [
    ["Mars", "Venus", "Earth", "Saturn", "Io", "Sun", "Moon", "Pluto", "Ceres", "Eris"],
    ["a magnet", "A battery", "I beam", "copper", "because of it"],
    ["AA", "Aa", "aa"],
    ["5", "-5", "0.5", "50"],
    ["$x^2$", "$x_2$", "2x"],
    ["yes", "no", "not known"],
    ["A and B", "B and C", "x", "none of the above"],
    ["It is hot.", "It is hot and dry.", "Hot"],
]
BY_LETTER = [
    "{}",
    "({})",
    "**{}**",
    "Answer: {}",
    "The answer is {}.",
    "\\boxed{{{}}}",
    "\\boxed{{\\text{{({})}}}}",
    "{}.",
]
BY_TEXT = ["{}", "**{}**", "Answer: {}", "The answer is {}", "\\boxed{{{}}}", "It is so.\n\n{}"]
BY_BOTH = ["{}) {}", "({}) {}", "Answer: {}. {}", "The answer is **{}: {}**", "\\boxed{{\\text{{{}) {}}}}}"]


def test_shuffling_the_options_changes_no_verdict():
    """Whichever way a response names an option, its verdict follows the option and not its place."""
    draw = random.Random(0)
    gold_letters = Counter()
    for texts in NASTY:
        for _ in range(40):
            order = draw.sample(texts, len(texts))
            gold, named = draw.choice(texts), draw.choice(texts)
            gold_letters[len(texts), order.index(gold)] += 1
            letter = "ABCDEFGHIJ"[order.index(named)]
            responses = [each.format(letter) for each in BY_LETTER] + [
                each.format(letter.lower()) for each in BY_LETTER[:4]
            ]
            responses += [each.format(named) for each in BY_TEXT] + [each.format(letter, named) for each in BY_BOTH]
            asked = question("q", gold, order)
            for response in responses:
                verdict = VERIFIER.verify(asked, trace(asked, response))
                assert (verdict.status, verdict.answer) == ("correct" if named == gold else "incorrect", letter), (
                    response
                )
    assert {place for size, place in gold_letters if size == 10} == set(range(10))


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
