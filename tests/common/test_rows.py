"""Identities and row files."""

import hashlib

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thoughtline.common import rows
from thoughtline.common.errors import UserError


def question(problem="What is 1 + 1?", **changes):
    row = dict.fromkeys(rows.QUESTIONS.names)
    row |= {"question_id": rows.question_id("math", problem), "domain": "math", "source": "s", "problem": problem}
    return row | changes


def test_identity_ignores_case_and_space_but_not_words_or_domain():
    one = rows.question_id("math", "What is  1 + 1?\n")
    assert one == rows.question_id("math", "what is 1 + 1?")
    assert one != rows.question_id("math", "what is 1 + 2?")
    assert one != rows.question_id("science", "what is 1 + 1?")
    assert one != rows.question_id("math", "what is 1 + 1?", ["1", "2"])


def test_trace_identity_depends_on_each_part():
    base = ("q", [{"role": "user", "content": "x"}], "rev", {"temperature": 0.7}, 0)
    changed = [
        ("r", *base[1:]),
        (base[0], [{"role": "user", "content": "y"}], *base[2:]),
        (*base[:2], "other", *base[3:]),
        (*base[:3], {"temperature": 0.8}, 0),
        (*base[:4], 1),
    ]
    ids = {rows.trace_id(*each) for each in [base, *changed]}
    assert len(ids) == 6
    assert rows.seed_of(rows.trace_id(*base)) == rows.seed_of(rows.trace_id(*base))
    assert rows.seed_of("a", 1) != rows.seed_of("a", 2)


@given(st.lists(st.text(min_size=1), unique=True, max_size=50), st.integers(1, 16))
def test_a_new_row_moves_no_other(problems, shards):
    ids = [rows.question_id("math", problem) for problem in problems]
    before = {each: rows.shard_of(each, shards) for each in ids}
    assert all(0 <= shard < shards for shard in before.values())
    assert {
        each: rows.shard_of(each, shards) for each in [*ids, rows.question_id("math", "new")]
    }.items() >= before.items()


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    many = [question(f"What is {n} + {n}?") for n in range(100)]
    digests = set()
    for number, order in enumerate((many, many[::-1])):
        rows.write_rows(tmp_path / f"{number}.parquet", order, rows.QUESTIONS, ["question_id"])
        digests.add(hashlib.sha256((tmp_path / f"{number}.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1
    assert len(rows.read_rows(tmp_path / "0.parquet", rows.QUESTIONS)) == 100


def test_no_rows_are_a_file_too(tmp_path):
    rows.write_rows(tmp_path / "0.parquet", [], rows.TRACES, ["trace_id"])
    assert pq.read_schema(tmp_path / "0.parquet").names == rows.TRACES.names
    assert rows.read_rows(tmp_path / "0.parquet", rows.TRACES) == []


def test_wrong_files_and_rows_are_named(tmp_path):
    (tmp_path / "no.parquet").write_text("text")
    with pytest.raises(UserError, match=r"no\.parquet: cannot be read as Parquet"):
        rows.read_rows(tmp_path / "no.parquet", rows.QUESTIONS)
    rows.write_rows(tmp_path / "q.parquet", [question()], rows.QUESTIONS, ["question_id"])
    with pytest.raises(UserError, match=r"lacks the columns \['trace_id'"):
        rows.read_rows(tmp_path / "q.parquet", rows.TRACES)
    with pytest.raises(UserError, match="needs exactly"):
        rows.write_rows(tmp_path / "r.parquet", [{"question_id": "x"}], rows.QUESTIONS, ["question_id"])
    assert not (tmp_path / "r.parquet").exists()
