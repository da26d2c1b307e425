"""`where` and `take`."""

from collections import Counter

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_sets import problems, settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.questions.sample import sample, select
from thoughtline.questions.table import RowTable

ROWS = [
    {"problem": f"p{number}", "topic": "abc"[number % 3], "level": number % 2, "ok": number % 2 == 0}
    for number in range(30)
]


def chosen(**keys):
    return select(RowTable(ROWS), source_of(**keys))


def test_where_keeps_rows_by_value_and_says_which_went():
    kept, dropped = chosen(where={"topic": ["a", "b"], "level": [1]})
    assert kept == [number for number in range(30) if number % 3 < 2 and number % 2 == 1]
    assert sorted([*kept, *dropped]) == list(range(30))
    assert set(dropped.values()) == {"where"}


def test_where_tells_true_from_one():
    assert chosen(where={"ok": [True]})[0] == list(range(0, 30, 2))
    with pytest.raises(UserError, match=r"where\.ok: keeps no row for \[1\]; the column holds false, true"):
        chosen(where={"ok": [1]})
    assert select(RowTable([{"x": 1.0}, {"x": None}]), source_of(where={"x": [1]}))[0] == [0]


def test_where_that_keeps_nothing_shows_what_there_is():
    with pytest.raises(
        UserError, match=r'sources\.a\.where\.topic: keeps no row for \[.A.\]; the column holds "a", "b", "c"'
    ):
        chosen(where={"topic": ["A"]})
    with pytest.raises(
        UserError, match=r"where: the source has no column 'subject'; it has 'problem', 'topic', 'level', 'ok'"
    ):
        chosen(where={"subject": ["a"]})


def test_take_the_first_or_a_seeded_sample():
    assert chosen(take={"count": 3, "seed": None, "per": None})[0] == [0, 1, 2]
    kept, dropped = chosen(take={"count": 7, "seed": 42, "per": None})
    assert (
        kept
        == chosen(take={"count": 7, "seed": 42, "per": None})[0]
        != chosen(take={"count": 7, "seed": 43, "per": None})[0]
    )
    assert sorted([*kept, *dropped]) == list(range(30))
    assert set(dropped.values()) == {"take"}


def test_the_shuffle_is_that_of_the_datasets_library():
    data = datasets.Dataset.from_dict({"n": list(range(500))}).shuffle(seed=42)
    assert sample(list(range(500)), 100, 42) == data[:100]["n"]


def test_take_per_group_after_where():
    kept, _ = chosen(where={"level": [0]}, take={"count": 2, "seed": 42, "per": "topic"})
    assert Counter(ROWS[number]["topic"] for number in kept) == {"a": 2, "b": 2, "c": 2}
    assert {ROWS[number]["level"] for number in kept} == {0}
    with pytest.raises(UserError, match=r"take\.per: the source has no column 'subtopic'"):
        chosen(take={"count": 2, "seed": None, "per": "subtopic"})


def test_taken_rows_reach_the_set(jsonl, written, curated):
    settings = settings_of(source_of(path=jsonl(ROWS), take={"count": 1, "seed": None, "per": "topic"}))
    assert sorted(problems(written(settings)[0])) == ["p0", "p1", "p2"]
    assert curated(settings).counts()["dropped"] == {"take": 27}


@given(
    groups=st.lists(st.sampled_from(["x", "y", None, 1, True]), min_size=1, max_size=40),
    count=st.integers(1, 5),
    seed=st.none() | st.integers(0, 9),
)
def test_every_group_gives_as_many_as_it_can(groups, count, seed):
    kept = sample(list(range(len(groups))), count, seed, groups)
    assert len(set(kept)) == len(kept)
    keys = [repr(group) for group in groups]
    assert Counter(keys[number] for number in kept) == {key: min(count, n) for key, n in Counter(keys).items()}
