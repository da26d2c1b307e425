"""Counts and weights."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thoughtline.datasets.mixture import mix, target_rows


def test_counts_are_limits_and_unnamed_domains_give_nothing():
    assert target_rows({"math": 10, "code": 3, "puzzle": 9}, {"counts": {"math": 4, "code": 5}}) == {
        "math": 4,
        "code": 3,
    }


@pytest.mark.parametrize(
    ("available", "total", "rows"),
    [
        ({"math": 100, "code": 100}, 10, {"math": 7, "code": 3}),
        ({"math": 100, "code": 3}, 100, {"math": 7, "code": 3}),
        ({"math": 7, "code": 300}, 100, {"math": 7, "code": 3}),
        ({"math": 100}, 10, {"math": 0, "code": 0}),
        ({"math": 100, "code": 100}, 1, {"math": 1, "code": 0}),
    ],
)
def test_weights_keep_their_shares_when_a_domain_is_short(available, total, rows):
    assert target_rows(available, {"counts": None, "weights": {"math": 0.7, "code": 0.3}, "total": total}) == rows


AVAILABLE = st.dictionaries(st.sampled_from(["math", "code", "science"]), st.integers(0, 50))


@given(
    AVAILABLE,
    st.dictionaries(st.sampled_from(["math", "code", "science"]), st.floats(0.01, 9), min_size=1),
    st.integers(1, 80),
)
def test_weights_never_ask_for_more_than_there_is_nor_leave_the_shares(available, weights, total):
    rows = target_rows(available, {"counts": None, "weights": weights, "total": total})
    assert all(count <= available.get(domain, 0) for domain, count in rows.items())
    size = sum(rows.values())
    assert size <= total
    assert all(abs(rows[domain] - size * weight / sum(weights.values())) < 1.001 for domain, weight in weights.items())


def test_the_choice_is_seeded_and_a_new_question_moves_few_rows(candidate):
    traces = [candidate(f"q{number}", 0, domain="math" if number % 3 else "code") for number in range(300)]
    rule = {"counts": {"math": 50, "code": 20}}
    kept, dropped = mix(traces, rule, seed=5)
    assert Counter(each.domain for each in kept) == {"math": 50, "code": 20}
    assert len(dropped) == 230 and {drop.reason for drop in dropped} == {"mixture"}
    chosen = {each.trace_id for each in kept}
    assert {each.trace_id for each in mix(list(reversed(traces)), rule, seed=5)[0]} == chosen
    assert {each.trace_id for each in mix(traces, rule, seed=6)[0]} != chosen
    more = {each.trace_id for each in mix([*traces, candidate("new", 0)], rule, seed=5)[0]}
    assert len(chosen - more) <= 1


def test_limits_by_source(candidate):
    rows = [candidate(f"q{n}", source=source) for n, source in enumerate(["apps", "taco", "taco", "aime", "taco"])]
    kept, dropped = mix(rows, {"counts": None, "weights": None, "total": None, "sources": {"taco": 2, "apps": 5}}, 1)
    assert Counter(each.source for each in kept) == {"taco": 2, "apps": 1}
    assert Counter(drop.candidate.source for drop in dropped) == {"taco": 1, "aime": 1}
