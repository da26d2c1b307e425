"""Paired differences: what pairing, seeds and missing judgements do to them."""

import math
import random
from statistics import mean, stdev

import pytest
from thoughtline.common.errors import UserError
from thoughtline.scores.differences import difference


def shares(values):
    return {f"q{number:03d}": value for number, value in enumerate(values)}


def test_equal_models_differ_by_nothing_but_not_with_certainty():
    one = shares([1.0, 0.0] * 15)
    found = difference([one], [one])
    assert found["mean"] == 0 and found["standard_error"] == 0
    assert found["interval"][0] < 0 < found["interval"][1]
    assert found["interval"][1] == pytest.approx(1.959964 * math.sqrt(2) / 32, abs=1e-6)
    assert (found["better"], found["equal"], found["worse"]) == (0, 30, 0)


def test_several_runs_use_the_paired_spread():
    a, b = [0.2, 0.4, 0.6, 0.8], [0.4, 0.4, 0.8, 0.8]
    found = difference([shares(a)], [shares(b)])
    error = stdev([0.2, 0.0, 0.2, 0.0]) / 2
    assert found["mean"] == pytest.approx(0.1)
    assert found["standard_error"] == pytest.approx(error)
    assert found["interval"] == pytest.approx([0.1 - 3.182446 * error, 0.1 + 3.182446 * error])
    assert found["method"] == "student_t"


def test_swapping_the_sides_changes_the_sign_only():
    draw = random.Random(3)
    a, b = ([shares(draw.randrange(6) / 5 for _ in range(20))] for _ in range(2))
    forth, back = difference(a, b), difference(b, a)
    assert back["mean"] == pytest.approx(-forth["mean"])
    assert back["interval"] == pytest.approx([-forth["interval"][1], -forth["interval"][0]])
    assert back["worse"] == forth["better"]


def test_seeds_are_pooled_by_question_and_their_spread_is_told():
    base = [shares([0.0, 0.0, 1.0, 1.0])]
    student = [shares([0.0, 1.0, 1.0, 1.0]), shares([1.0, 1.0, 1.0, 0.0])]
    found = difference(base, student)
    assert found["mean"] == pytest.approx(mean([0.5, 1.0, 0.0, -0.5]))
    assert found["b"] == {"means": [0.75, 0.75], "standard_deviation": 0.0}
    assert found["a"] == {"means": [0.5], "standard_deviation": None}
    assert found["standard_error_with_seeds"] == pytest.approx(found["standard_error"])
    apart = difference(base, [shares([1.0] * 4), shares([0.0] * 4)])
    assert apart["standard_error_with_seeds"] == pytest.approx(
        math.hypot(apart["standard_error"], math.sqrt(0.5) / math.sqrt(2))
    )
    assert difference(base, base)["standard_error_with_seeds"] is None


def test_equal_means_of_other_floats_count_as_equal():
    found = difference([shares([0.3, 1.0])], [shares([0.2, 1.0]), shares([0.4, 1.0])])
    assert (found["better"], found["equal"]) == (0, 2)


def test_questions_without_a_judgement_are_left_out_and_counted():
    found = difference([shares([1.0, None, 0.0])], [shares([1.0, 1.0, 1.0])])
    assert (found["questions"], found["left_out"], found["mean"]) == (2, 1, 0.5)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [([1.0], [1.0, 0.0], "1 questions are only in some"), ([None], [1.0], "no question was judged")],
)
def test_what_cannot_be_compared_is_refused(a, b, words):
    with pytest.raises(UserError, match=words):
        difference([shares(a)], [shares(b)])


@pytest.mark.parametrize("runs", [1, 5])
def test_coverage(runs):
    """The interval holds the true difference in about 95 % of repeated benchmarks."""
    draw, hits, repeats, gain = random.Random(11), 0, 1500, 0.1
    for _ in range(repeats):
        difficulty = [draw.betavariate(2, 2) * (1 - gain) for _ in range(30)]
        a, b = (
            [sum(draw.random() < each + extra for _ in range(runs)) / runs for each in difficulty]
            for extra in (0, gain)
        )
        low, high = difference([shares(a)], [shares(b)])["interval"]
        hits += low <= gain <= high
    assert 0.93 <= hits / repeats <= 0.985
