"""Questions of one set, chosen by what a model said of them."""

import argparse
import json

import pytest
from thoughtline.common.command import guarded
from thoughtline.common.errors import UserError
from thoughtline.common.rows import QUESTIONS, TRACES, question_id, read_rows, shard_of, write_rows
from thoughtline.questions.cli import register
from thoughtline.questions.rated import choose, ratings, select

RULE = {
    "questions": "pool", "traces": "difficulty", "measure": "rating", "pattern": r"(\d+(?:\.\d+)?)", "at_least": None,
    "at_most": None, "highest": None, "unrated": "drop",
}  # fmt: skip


def settings_of(shards=1, partition=None, limit=None, **rule):
    return {
        "set": "hard",
        "domain": "math",
        "shards": shards,
        "rated": RULE | rule,
        "partition": partition,
        "limit": limit,
    }


def trace(question, response, status="finished", tokens=None, sample=0):
    row = dict.fromkeys(TRACES.names) | {"trace_id": f"{question}.{sample}", "question_id": question, "sample": sample}
    return row | {"seed": 0, "status": status, "response": response, "messages": "[]", "completion_tokens": tokens}


def test_the_last_number_of_a_reply_is_its_rating_and_samples_are_averaged():
    said = [
        trace("a", "It has 2 steps. Difficulty: 7.5"),
        trace("b", "8", sample=0),
        trace("b", "Nine, that is 9.", sample=1),
        trace("b", "no idea", sample=2),
        trace("c", "none"),
        trace("d", "5", status="truncated"),
    ]
    assert ratings(said, RULE) == {"a": 7.5, "b": 8.5, "c": None, "d": None}
    assert ratings(said, RULE | {"pattern": r"Difficulty: (\d)"}) == {"a": 7.0, "b": None, "c": None, "d": None}


def test_tokens_are_a_measure():
    said = [trace("a", "x", tokens=10), trace("a", "x", tokens=20, sample=1), trace("b", None, "failed", 7)]
    assert ratings(said, RULE | {"measure": "tokens"}) == {"a": 15, "b": None}


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ({"at_least": 5.0}, {"a": "rated_below", "e": "unrated"}),
        ({"at_least": 5.0, "unrated": "keep"}, {"a": "rated_below"}),
        ({"at_least": 3.0, "at_most": 8.0}, {"d": "rated_above", "e": "unrated"}),
        ({"highest": 2}, {"a": "not_highest", "c": "not_highest", "e": "unrated"}),
        ({"highest": 4, "unrated": "keep"}, {"e": "not_highest"}),
    ],
)
def test_which_questions_are_chosen(rule, dropped):
    rated = {"a": 3.0, "b": 8.0, "c": 8.0, "d": 9.0, "e": None}
    assert choose(rated, settings_of(**rule)) == dropped


def test_limit_comes_last():
    rated = dict.fromkeys("abcd", 5.0)
    assert choose(rated, settings_of(at_least=1.0, limit=1)) == dict.fromkeys("bcd", "limit")


@pytest.fixture
def pool(tmp_path):
    """(question files, trace files) of a set of 20 questions in two shards, rated by their number."""
    shards, said = ([], []), ([], [])
    for number in range(20):
        name = question_id("math", f"Question {number}?")
        row = dict.fromkeys(QUESTIONS.names) | {
            "question_id": name,
            "domain": "math",
            "source": "s" if number % 2 else "t",
        }
        row |= {"problem": f"Question {number}?", "metadata": json.dumps({"source_index": number})}
        shards[shard_of(name, 2)].append(row)
        said[shard_of(name, 2)].append(trace(name, f"I say {number}"))
    paths = ([], [])
    for kind, rows, schema in ((0, shards, QUESTIONS), (1, said, TRACES)):
        for shard, part in enumerate(rows):
            path = tmp_path / f"{'questions/pool' if kind == 0 else 'traces/difficulty/pool'}/{shard:04}.parquet"
            write_rows(path, part, schema, [schema.names[0]])
            paths[kind].append(path)
    return paths


def test_the_chosen_questions_stay_as_they_are_in_shards_of_their_own(pool, tmp_path):
    questions, traces = pool
    out = tmp_path / "hard"
    counts = select(settings_of(shards=3, at_least=15.0), questions, traces, out)
    rows = [row for shard in range(3) for row in read_rows(out / f"{shard:04}.parquet", QUESTIONS)]
    known = {row["question_id"]: row for path in questions for row in read_rows(path, QUESTIONS)}
    assert sorted(row["problem"] for row in rows) == [f"Question {number}?" for number in range(15, 20)]
    assert all(row == known[row["question_id"]] for row in rows)
    assert counts["in"] == 20 and counts["out"] == 5 and counts["dropped"] == {"rated_below": 15}
    assert counts["by_source"]["s"] == {"in": 10, "out": 3, "dropped": {"rated_below": 7}}


def test_by_command(pool, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    words = ["select", "--settings", json.dumps(settings_of(highest=4)), "--questions", *pool[0], "--traces", *pool[1]]
    args = parser.parse_args([str(each) for each in [*words, "--out", tmp_path / "hard"]])
    assert guarded(args.run, args) == 0
    assert "4 of 20 rows kept; dropped: not_highest 16" in capsys.readouterr().out
    sidecar = json.loads((tmp_path / "hard/0000.parquet.prov.json").read_text())
    assert sidecar["counts"]["out"] == 4 and len(sidecar["inputs"]) == 4


def test_what_does_not_belong_together_is_refused(pool, tmp_path):
    questions, traces = pool
    with pytest.raises(UserError, match="have no trace"):
        select(settings_of(at_least=1.0), questions, traces[:1], tmp_path / "x")
    with pytest.raises(UserError, match=r"questions\.hard: no question is left of 20 \(rated_below 20\)"):
        select(settings_of(at_least=99.0), questions, traces, tmp_path / "x")
