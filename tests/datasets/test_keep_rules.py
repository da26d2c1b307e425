"""Which traces are fit, accepted, chosen."""

import pytest
from thoughtline.common.rows import TRACE_STATUS, VERDICT_STATUS
from thoughtline.datasets.card import KEEP, REASONS
from thoughtline.datasets.keep import choose, rejected, unfit
from thoughtline.recipe.schema.datasets import Dataset


def names(candidates):
    return sorted(each.trace_id for each in candidates)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("C", None), ("W", None), ("T", "truncated"), ("F", "failed"), ("R", "refused"), ("N", "no_response")],
)
def test_only_finished_traces_with_a_response_are_fit(candidate, code, reason):
    assert unfit(candidate(code=code)) == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [("C", None), ("W", "incorrect"), ("U", "unverified"), ("P", "unparsed"), ("E", "verifier_error")],
)
def test_correct_rules_take_correct_traces_only(candidate, code, reason):
    for keep in ("correct", "first_correct"):
        assert rejected(candidate(code=code), keep, False) == reason
    for keep in ("all", "first", "random"):
        assert rejected(candidate(code=code), keep, False) is None


def test_unverified_traces_are_kept_when_asked(candidate):
    assert rejected(candidate(code="U"), "correct", True) is None
    assert rejected(candidate(code="W"), "correct", True) == "incorrect"


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("first", ["a.1", "b.0"]),
        ("first_correct", ["a.1", "b.0"]),
        ("all", ["a.1", "a.2", "b.0"]),
        ("correct", ["a.1", "a.2", "b.0"]),
    ],
)
def test_choice(candidate, keep, kept):
    found, dropped = choose([candidate("a", 2), candidate("b", 0), candidate("a", 1)], keep, 0)
    assert names(found) == kept
    assert [drop.candidate.trace_id for drop in dropped] == ([] if len(kept) == 3 else ["a.2"])
    assert {drop.reason for drop in dropped} <= {"not_first"}


def test_random_choice_is_seeded_fair_and_independent_of_other_questions(candidate):
    traces = [candidate(f"q{number}", sample) for number in range(400) for sample in range(4)]
    first = names(choose(traces, "random", 1)[0])
    assert first == names(choose(list(reversed(traces)), "random", 1)[0])
    assert first != names(choose(traces, "random", 2)[0])
    assert set(names(choose(traces[:200], "random", 1)[0])) <= set(first)
    shares = [sum(name.endswith(f".{sample}") for name in first) / 400 for sample in range(4)]
    assert all(0.15 < share < 0.35 for share in shares)


@pytest.mark.parametrize("keep", sorted(KEEP))
def test_another_arm_sets_the_number_of_rows(candidate, keep):
    traces = [candidate(question, sample) for question in "ab" for sample in range(3)]
    kept, dropped = choose(traces, keep, 3, {"a": 2, "b": 1})
    assert sorted(each.question_id for each in kept) == ["a", "a", "b"]
    assert len(dropped) == 3


def test_every_reason_and_rule_has_words():
    assert set(KEEP) == set(Dataset.model_fields["keep"].annotation.__args__)
    statuses = {status for status in TRACE_STATUS if status != "finished"}
    verdicts = {"verifier_error" if status == "error" else status for status in VERDICT_STATUS if status != "correct"}
    assert statuses | verdicts <= set(REASONS)


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("first", ["a.0", "a.1"]),
        ("first_correct", ["a.0", "a.1"]),
        ("shortest", ["a.2", "a.3"]),
        ("shortest_correct", ["a.2", "a.3"]),
    ],
)
def test_n_traces_of_a_question_in_the_order_of_the_rule(candidate, keep, kept):
    traces = [candidate("a", sample, written=10 - sample if sample < 4 else 50) for sample in range(3, 6)]
    traces += [candidate("a", sample, written=[9, 8, 1][sample]) for sample in range(3)]
    found, dropped = choose(traces, keep, 0, per_question=2)
    assert names(found) == kept and len(dropped) == 4


@pytest.mark.parametrize("keep", ["all", "correct", "random", "random_correct"])
def test_n_traces_of_a_question_at_random(candidate, keep):
    traces = [candidate(question, sample) for question in "ab" for sample in range(4)]
    found, _ = choose(traces, keep, 1, per_question=3)
    assert sorted(each.question_id for each in found) == ["a"] * 3 + ["b"] * 3
    assert names(found) == names(choose(traces[::-1], keep, 1, per_question=3)[0])
    assert len(choose(traces, keep, 1, per_question=9)[0]) == 8


def test_rules_of_correct_traces_take_no_others(candidate):
    for keep in ("random_correct", "shortest_correct"):
        assert rejected(candidate(code="W"), keep, True) == "incorrect"
    assert rejected(candidate(code="W"), "shortest", False) is None
