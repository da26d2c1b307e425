"""Estimators against brute force, published figures, and simulation."""

import itertools
import math
import random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thoughtline.scores import statistics


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (29, 2.0452), (100, 1.9840), (10_000, 1.9602)],
)
def test_student_t_equals_the_printed_tables(degrees, quantile):
    assert statistics.student_t(degrees) == pytest.approx(quantile, abs=5e-5)


def test_one_run_a_question_gives_the_wilson_interval():
    # 13 of 30 on AIME24: [27.4, 60.8] percent.
    low, high = statistics.interval([1.0] * 13 + [0.0] * 17, runs=30)
    assert (round(100 * low, 1), round(100 * high, 1)) == (27.4, 60.8)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_extreme_score_keeps_an_interval(share):
    low, high = statistics.interval([share] * 30, runs=150)
    assert high - low == pytest.approx(statistics.Z**2 / (30 + statistics.Z**2))
    assert (low == 0) == (share == 0) and (high == 1) == (share == 1)


def test_repeated_runs_of_unlike_outcome_count_for_more_than_repeated_equal_runs():
    alike = statistics.interval([1.0] * 15 + [0.0] * 15, runs=150)
    unlike = statistics.interval([0.4, 0.6] * 15, runs=150)
    assert alike == statistics.interval([1.0] * 15 + [0.0] * 15, runs=30)
    assert unlike[1] - unlike[0] < (alike[1] - alike[0]) / 2


def test_equal_shares_do_not_collapse_the_interval():
    low, high = statistics.interval([0.5] * 30, runs=60)
    assert high - low == pytest.approx(2 * statistics.Z * math.sqrt(0.25 / (60 + statistics.Z**2)))


def test_one_question():
    assert statistics.standard_error([1.0]) is None
    low, high = statistics.interval([0.5], runs=2)
    assert 0 <= low < 0.1 < 0.9 < high <= 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_the_interval_holds_the_mean_and_stays_in_range(corrects):
    shares = [each / 5 for each in corrects]
    low, high = statistics.interval(shares, 5 * len(shares))
    assert 0 <= low <= mean(shares) + 1e-12 and mean(shares) - 1e-12 <= high <= 1 and low < high


@pytest.mark.parametrize(
    ("questions", "runs", "alpha", "beta"), [(30, 1, 1, 1), (30, 5, 0.3, 0.5), (30, 5, 3, 3), (100, 4, 0.2, 0.8)]
)
def test_coverage(questions, runs, alpha, beta):
    """The interval holds the true mean in about 95 % of repeated benchmarks whose questions differ in difficulty."""
    draw, hits, repeats = random.Random(7), 0, 1500
    for _ in range(repeats):
        difficulty = [draw.betavariate(alpha, beta) for _ in range(questions)]
        shares = [sum(draw.random() < each for _ in range(runs)) / runs for each in difficulty]
        low, high = statistics.interval(shares, questions * runs)
        hits += low <= alpha / (alpha + beta) <= high
    # 1500 repeats: standard error of the coverage 0.6 points.
    assert 0.93 <= hits / repeats <= 0.985


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(case):
    samples, correct, k = case
    outcomes = [True] * correct + [False] * (samples - correct)
    subsets = [any(chosen) for chosen in itertools.combinations(outcomes, k)]
    assert statistics.pass_at_k(samples, correct, k) == pytest.approx(mean(subsets), abs=1e-12)


def test_pass_at_k_refuses_more_than_there_are():
    with pytest.raises(ValueError, match="pass@4"):
        statistics.pass_at_k(3, 1, 4)


@given(st.integers(1, 1000))
def test_powers_of_two(limit):
    assert statistics.powers_of_two(limit) == [k for k in (2**bit for bit in range(12)) if k <= limit]


RUNS = st.lists(st.tuples(st.sampled_from(["1", "2", "3", None]), st.just(False)), min_size=1, max_size=7)


@settings(max_examples=200)
@given(RUNS)
def test_majority_vote_against_counting(runs):
    runs = [(answer, answer == "2") for answer, _ in runs]
    votes = [answer for answer, _ in runs if answer is not None]
    top = [each for each in sorted(set(votes)) if votes.count(each) == max(map(votes.count, votes))]
    score, winner = statistics.majority_vote(runs)
    assert score == (pytest.approx(("2" in top) / len(top)) if top else 0)
    assert winner == (top[0] if top else None)


def test_macro_average():
    assert statistics.macro_average([(0.2, 0.03), (0.6, 0.04)]) == pytest.approx((0.4, 0.025))
    assert statistics.macro_average([(0.2, None), (0.6, 0.04)]) == (pytest.approx(0.4), None)


def test_ratio_weighs_questions_by_what_they_hold():
    found = statistics.ratio([(2, 2), (0, 2), (1, 4), (3, 3)], (0, 1))
    assert found["mean"] == pytest.approx(6 / 11)
    # By hand: residuals v - Rw are 10/11, -12/11, -13/11, 15/11.
    squares = (10**2 + 12**2 + 13**2 + 15**2) / 121
    assert found["standard_error"] == pytest.approx(math.sqrt(squares / (4 * 3)) / (11 / 4))
    low, high = found["interval"]
    assert 0 <= low < 6 / 11 < high <= 1


def test_ratio_of_equal_weights_is_the_mean_with_its_interval():
    shares = [0.0, 1.0, 0.5, 1.0, 0.25, 0.75]
    found = statistics.ratio([(4 * share, 4) for share in shares], (0, 1))
    assert found["standard_error"] == pytest.approx(statistics.standard_error(shares))
    assert found["interval"] == pytest.approx(statistics.interval(shares, 24))


def test_ratio_of_ratings_stays_on_its_scale_and_never_collapses():
    for ratings in ([10, 10, 10], [7, 7, 7], [1], [9, 10, 10, 10]):
        low, high = statistics.ratio([(each, 1) for each in ratings], (1, 10))["interval"]
        assert 1 <= low < high <= 10
        assert low <= sum(ratings) / len(ratings) <= high
    many = [(5 + (number % 3 - 1) * 2, 1) for number in range(300)]
    found = statistics.ratio(many, (1, 10))
    assert found["interval"] == pytest.approx(
        [5 - 1.968 * found["standard_error"], 5 + 1.968 * found["standard_error"]], abs=0.01
    )
