"""Each leniency of Math-Verify, allowed and refused."""

import pytest
from thoughtline.common.errors import UserError
from thoughtline.recipe.schema.verification import Leniency
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.math import MATH_VERIFY
from verdict_rows import question, trace

# switch -> (pairs of reference and answer that rest on it, pairs that do not)
RESTS = {
    "assignments": (
        [("5", "x = 5"), ("x=5", "5"), ("2x+3", "y=2x+3"), ("[-2,7]", r"x \in [-2,7]"), ("1,2", "x=1, x=2"), ("5", "x=y=5")],
        [("x=5", "x = 5"), ("5", "5"), ("1", "2=1"), ("y=2x+3", "y-3=2x")],
    ),
    "equations": ([("1", "2=1"), ("1", "2x+z=1"), ("42", "6 \\cdot 7 = 42")], [("1", "x=1"), ("x=1", "1"), ("x+y=1", "y=1-x")]),
    "percents": (
        [("5", r"5\%"), (r"5\%", "5"), ("50%", "50"), ("50", "50 percent")],
        [("50%", r"50\%"), ("50%", r"\frac{1}{2}"), ("0.5", r"50\%"), ("5", "5"), ("-50%", r"-50\%")],
    ),
    "units": (
        [("5", r"5\text{ cm}"), (r"5\text{ m}", r"5\text{ cm}"), ("90", r"90^\circ"), (r"\$5", "5"), ("5", "5 apples"),
         (r"5\text{ cm}^2", r"5\text{ cm}"), ("5 cm", "5 m")],
        [(r"5\text{ cm}", "5 cm"), ("5 mile", "5 miles"), (r"90^\circ", r"90^{\circ}"), (r"\$5", "$5"), ("5", "5.0"),
         (r"\sqrt{2}", r"\sqrt 2"), (r"\text{east}", r"\text{East}"), ("2x", "x+x")],
    ),
    "bases": (
        [("4343_6", "4343"), ("4343", "4343_6"), ("4343_6", "4343_7")],
        [("4343_6", "4343_{6}"), ("4343", "4343")],
    ),
    "sets_for_tuples": (
        [("(1,2)", r"\{1,2\}"), (r"\{1,2\}", "(1,2)"), ("(1,2)", "1,2"), ("1,2,3", "(3,2,1)")],
        [("(1,2)", r"\left(1, 2\right)"), (r"\{2,1\}", "1, 2"), ("[1,2]", "[1,2]"), ("[1,2,3]", "(1,2,3)")],
    ),
    "sets_for_elements": ([("5", r"\{5\}"), (r"\{5\}", "5")], [(r"\{5\}", r"\{5\}"), ("5", "(5)"), (r"\{5,6\}", "6,5")]),
    "letter_case": ([("A", "a"), ("2R", "2r"), (r"\text{Yes}", r"\text{yes}")], [("A", r"\text{(A)}"), ("2R", "R+R")]),
    "letter_products": (
        [("listen", "silent"), ("ab", "ba")], [("listen", "listen"), ("2xy", "2yx"), (r"\text{Yes}", r"\text{yes}")]
    ),
}  # fmt: skip
MORE = {
    "relations_for_sets": ("(1,2)", "1 < x < 2"),
    "other_variables": ("x+1", "y+1"),
}
NEVER = [
    ("5", "6"),
    ("5", r"6\%"),
    ("5", "x=6"),
    ("(1,2)", "(2,1)"),
    (r"\text{east}", r"\text{west}"),
    ("[1,2]", "(1,2]"),
]


@pytest.fixture(scope="module")
def verify():
    made = {}

    one_worker = verifier_for({"verifier": {"verifier": "math_verify", "seconds": 60}})

    def shared(reference, answer, **leniency):
        key = tuple(leniency.items())
        if key not in made:
            made[key] = verifier_for({"verifier": {"verifier": "math_verify", "leniency": leniency, "seconds": 60}})
            made[
                key
            ].verifier._worker = (
                one_worker.verifier._worker
            )  # leniency comes with each question: one process serves all
        asked = question("q", reference)
        return made[key].verify(asked, trace(asked, f"\\boxed{{{answer}}}"))

    yield shared
    one_worker.close()


@pytest.mark.parametrize("switch", RESTS)
def test_refused_only_where_equality_rests_on_it(verify, switch):
    resting, sound = RESTS[switch]
    for reference, answer in resting:
        assert verify(reference, answer).status == "correct", (reference, answer)
        verdict = verify(reference, answer, **{switch: False})
        assert (verdict.status, verdict.reason) == ("incorrect", "wrong_answer"), (reference, answer)
        assert verdict.evidence["refused_by"] == switch
    for reference, answer in sound:
        assert verify(reference, answer).status == "correct", (reference, answer)
        assert verify(reference, answer, **{switch: False}).status == "correct", (reference, answer)


@pytest.mark.parametrize("switch", MORE)
def test_more_lenient_than_math_verify(verify, switch):
    assert verify(*MORE[switch]).status == "incorrect"
    assert verify(*MORE[switch], **{switch: True}).status == "correct"


def test_decimals(verify):
    assert verify("1/3", "0.333333").status == "correct"
    assert verify("1/3", "0.33").status == "incorrect"
    assert verify("1/3", "0.33", decimals=2).status == "correct"
    assert verify("1/3", "0.333333", decimals=9).status == "incorrect"


def test_no_switch_makes_a_wrong_answer_right(verify):
    for reference, answer in NEVER:
        assert verify(reference, answer).status == "incorrect"
        assert verify(reference, answer, **dict.fromkeys(RESTS, False)).status == "incorrect"
        assert verify(reference, answer, relations_for_sets=True).status == "incorrect"


def test_an_assignment_votes_with_its_value_where_it_counts_for_it(verify):
    assert verify("7", "x=5").answer == verify("7", "5").answer == "5"
    assert verify("7", "x=5", assignments=False).answer == "Eq(x, 5)"


def test_the_defaults_are_math_verify_s():
    assert Leniency().model_dump() == MATH_VERIFY


def test_an_unknown_switch_is_an_error():
    with pytest.raises(UserError, match="leniency"):
        verifier_for({"verifier": {"verifier": "math_verify", "leniency": {"typos": True}}})
