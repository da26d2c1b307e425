"""Whole sets: counts that add up, shards that do not move, same settings = same bytes, the command line."""

import json
import os
import subprocess
import sys
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_sets import settings_of, source_of
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.rows import QUESTIONS, read_rows, shard_of
from thoughtline.questions.curate import curate

ROWS = [
    {"problem": f"Add {number} and {number}.", "half": "ab"[number % 2], "solution": "x" * (number % 3)}
    for number in range(60)
]


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "thoughtline", *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def full_settings(jsonl, shards=4):
    first = source_of(
        "first",
        jsonl(ROWS, "1.jsonl"),
        where={"half": ["a"]},
        fields={"solution": "solution"},
        filters=["has_solution"],
    )
    more = [
        {"problem": "add 2 AND 2."},
        {"problem": None},
        {"problem": "A figure."},
        *({"problem": f"Subtract {n}."} for n in range(9)),
    ]
    second = source_of(
        "second", jsonl(more, "2.jsonl"), filters=["no_figures"], take={"count": 11, "seed": None, "per": None}
    )
    return settings_of(first, second, shards=shards, limit=25)


def test_counts_add_up_by_reason_and_source(jsonl, curated):
    pool = curated(full_settings(jsonl))
    counts = pool.counts()
    assert {key: counts[key] for key in ("in", "out")} == {"in": 72, "out": 25}
    assert counts["dropped"] == {
        "duplicate": 1,
        "has_solution": 10,
        "limit": 3,
        "no_figures": 1,
        "no_problem": 1,
        "take": 1,
        "where": 30,
    }
    assert (
        counts["in"]
        == counts["out"] + sum(counts["dropped"].values())
        == sum(each["in"] for each in counts["by_source"].values())
    )
    for each in counts["by_source"].values():
        assert each["in"] == each["out"] + sum(each["dropped"].values())
    assert counts["by_source"]["second"]["dropped"]["duplicate"] == 1
    assert Counter(row["reason"] for row in pool.dropped) == counts["dropped"]
    rows = [(row["source"], row["index_in_source"]) for row in pool.dropped]
    rows += [(question["source"], question["row"]) for question in pool.questions]
    assert sorted(rows) == [("first", n) for n in range(60)] + [("second", n) for n in range(12)]


def test_limit_keeps_the_lowest_ids(jsonl, written):
    everything = written(settings_of(source_of(path=jsonl(ROWS))))[0]
    assert written(settings_of(source_of(path=jsonl(ROWS)), limit=7), "limited")[0] == everything[:7]


def test_a_new_source_moves_no_row(jsonl, written):
    first = source_of("first", jsonl(ROWS, "1.jsonl"))
    second = source_of("second", jsonl([{"problem": f"Subtract {number}."} for number in range(40)], "2.jsonl"))
    alone = written(settings_of(first, shards=5), "alone")
    both = written(settings_of(first, second, shards=5), "both")
    assert alone == [[row for row in shard if row["source"] == "first"] for shard in both]
    assert sum(map(len, both)) == 100


def test_parts_are_disjoint_whole_and_spread_over_shards(jsonl, tmp_path, written):
    source = source_of(path=jsonl(ROWS))
    everything = [row for shard in written(settings_of(source, shards=2), "all") for row in shard]
    parts = {}
    for keep in ([0], [1], [0, 1]):
        shards = written(settings_of(source, shards=2, partition={"parts": 2, "keep": keep}), f"part{keep}")
        assert all(shards)  # a part is no shard: each has rows of both
        parts[tuple(keep)] = {row["question_id"] for shard in shards for row in shard}
    assert not parts[0,] & parts[1,]
    assert parts[0,] | parts[1,] == parts[0, 1] == {row["question_id"] for row in everything}
    assert min(len(parts[0,]), len(parts[1,])) >= 15
    dropped = pq.read_table(tmp_path / "part[0]" / "dropped.parquet").to_pylist()
    assert {row["reason"] for row in dropped} == {"partition"}
    assert len(dropped) == len(parts[1,])


def test_likeness_is_judged_before_the_parts_so_they_share_no_near_duplicate(jsonl, curated):
    rows = [
        {"problem": f"A bag holds {n} red marbles and {n} blue ones. How many marbles does it hold?"}
        for n in range(10, 40)
    ]
    rows += [{"problem": "What is 2 + 2?"}, {"problem": "Name a prime below 3."}, {"problem": "How long is an hour?"}]
    source = source_of(path=jsonl(rows))
    kept = [
        curated(settings_of(source, similarity=90, partition={"parts": 3, "keep": [part, 2]})).questions
        for part in (0, 1)
    ]
    marbles = {question["problem"] for part in kept for question in part if "marbles" in question["problem"]}
    assert len(marbles) <= 1
    assert {question["problem"] for part in kept for question in part} == {
        rows[0]["problem"],
        *(row["problem"] for row in rows[30:]),
    }


@given(texts=st.lists(st.text(alphabet="abAB \n", max_size=4), min_size=1, max_size=30), shards=st.integers(1, 7))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_ends_in_one_shard_or_among_the_dropped(texts, shards, jsonl, tmp_path, written):
    chosen = settings_of(source_of(path=jsonl([{"problem": text} for text in [*texts, "one at least"]])), shards=shards)
    found = written(chosen)
    dropped = pq.read_table(tmp_path / "out" / "dropped.parquet").to_pylist()
    for number, shard in enumerate(found):
        ids = [row["question_id"] for row in shard]
        assert ids == sorted(set(ids))
        assert all(shard_of(each, shards) == number for each in ids)
    kept = [json.loads(row["metadata"])["source_index"] for shard in found for row in shard]
    assert sorted([*kept, *(row["index_in_source"] for row in dropped)]) == list(range(len(texts) + 1))
    assert len(kept) == len({" ".join(text.split()).lower() for text in texts} - {""} | {"one at least"})


def test_a_set_that_ends_empty_says_why(jsonl, curated):
    source = source_of(
        path=jsonl([{"problem": "A figure."}, {"problem": ""}, {"problem": "See the diagram."}]), filters=["no_figures"]
    )
    with pytest.raises(
        UserError, match=r"questions\.set: no question is left; a: 3 rows, dropped by no_figures 2, no_problem 1"
    ):
        curated(settings_of(source))
    with pytest.raises(UserError, match="no question is left; a: 0 rows"):
        curated(settings_of(source_of(path=jsonl([]))))


def test_filters_are_checked_before_anything_is_loaded(curated):
    source = source_of(path="/no/such/file.jsonl", filters=[{"matches": {"pattern": "["}}])
    with pytest.raises(UserError, match=r"sources\.a\.filters\.matches\.pattern"):
        curated(settings_of(source))
    source = source_of(path="/no/such/file.jsonl", filters=[{"matches": {"pattern": "x", "field": "metadata.level"}}])
    with pytest.raises(
        UserError, match=r"'metadata\.level' is no kept column; name the column under fields\.metadata, which has none"
    ):
        curated(settings_of(source))


def test_the_deadline_stops_it(jsonl, tmp_path):
    with pytest.raises(OutOfTime):
        curate(settings_of(source_of(path=jsonl(ROWS))), tmp_path, tmp_path, Deadline(0))


@pytest.mark.parametrize(("domain", "name"), [("code", "code/problems"), ("science", "science/questions")])
def test_the_project_s_own_questions_load(domain, name, written):
    fields = {
        "code": {
            "solution": "solution",
            "tests": "tests",
            "starter_code": "starter_code",
            "metadata": ["id", "difficulty", "style"],
        },
        "science": {"answer": "answer", "choices": "choices", "solution": "solution", "metadata": ["id", "topic"]},
    }[domain]
    filters = {"code": ["has_tests", "has_solution"], "science": ["has_answer"]}[domain]
    source = source_of(path=f"data/{name}.jsonl", where={"split": ["train"]}, fields=fields, filters=filters)
    rows = [row for shard in written(settings_of(source, domain=domain, shards=2)) for row in shard]
    assert len(rows) == 64
    assert all(set(json.loads(row["metadata"])) == {"source_index", *fields["metadata"]} for row in rows)
    assert all(
        (row["answer"] in row["choices"]) if domain == "science" else json.loads(row["tests"])["inputs"] for row in rows
    )


def test_command_writes_shards_drops_and_sidecars_the_same_each_time(jsonl, tmp_path):
    chosen = full_settings(jsonl, shards=16)
    (tmp_path / "settings.json").write_text(json.dumps(chosen))
    outputs = {}
    for name, seed in (("one", "1"), ("two", "2")):
        done = command(
            "questions",
            "curate",
            "--settings",
            f"@{tmp_path / 'settings.json'}",
            "--out",
            tmp_path / name,
            PYTHONHASHSEED=seed,
        )
        assert done.returncode == 0, done.stderr
        assert "25 of 72 rows kept; dropped: duplicate 1, has_solution 10" in done.stdout
        outputs[name] = {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.parquet")}
    assert outputs["one"] == outputs["two"]
    assert sorted(outputs["one"]) == [*(f"{number:04d}.parquet" for number in range(16)), "dropped.parquet"]
    sizes = {}
    for name in outputs["one"]:
        sidecar = json.loads((tmp_path / "one" / f"{name}.prov.json").read_text())
        assert (sidecar["counts"]["in"], sidecar["counts"]["out"]) == (72, 25)
        assert sidecar["settings"] == chosen
        assert [entry["path"].rsplit("/", 1)[1] for entry in sidecar["inputs"]] == ["1.jsonl", "2.jsonl"]
        sizes[name] = sidecar["counts"].get("shard_rows")
    assert sizes.pop("dropped.parquet") is None
    assert sizes == {name: pq.read_metadata(tmp_path / "one" / name).num_rows for name in sizes}
    empty = [name for name, size in sizes.items() if size == 0]
    assert empty  # 25 questions in 16 shards, fixed by their hashes
    assert read_rows(tmp_path / "one" / empty[0], QUESTIONS) == []
    dropped = pq.read_table(tmp_path / "one" / "dropped.parquet").to_pylist()
    assert len(dropped) == 47
    assert {
        "source": "second",
        "index_in_source": 2,
        "reason": "no_figures",
        "problem": "A figure.",
        "same_as": None,
    } in dropped
    assert not (tmp_path / "one.work" / "datasets").exists()


def test_excerpts_of_dropped_problems_are_short(jsonl, tmp_path, written):
    written(
        settings_of(
            source_of(
                path=jsonl([{"problem": "x" * 999}, {"problem": "y"}]), filters=[{"max_length": {"characters": 9}}]
            )
        )
    )
    assert pq.read_table(tmp_path / "out" / "dropped.parquet")["problem"].to_pylist() == ["x" * 200]


def test_fewer_shards_leave_no_stale_ones(jsonl, tmp_path, written):
    written(settings_of(source_of(path=jsonl(ROWS)), shards=4))
    (tmp_path / "out" / "0003.parquet.prov.json").write_text("{}")
    written(settings_of(source_of(path=jsonl(ROWS)), shards=2))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0000.parquet",
        "0001.parquet",
        "dropped.parquet",
    ]


def test_command_errors(jsonl, tmp_path):
    out = tmp_path / "out"
    done = command("questions", "curate", "--settings", '{"set": "x"}', "--out", out)
    assert (done.returncode, done.stderr) == (
        2,
        "error: --settings: lacks 'domain'; `thoughtline recipe settings` prints the settings of a set\n",
    )
    bad = settings_of(source_of(path=jsonl(ROWS), where={"half": ["c"]}))
    done = command("questions", "curate", "--settings", json.dumps(bad), "--out", out)
    assert done.returncode == 2
    assert 'error: sources.a.where.half: keeps no row for [\'c\']; the column holds "a", "b"' in done.stderr
    assert not out.exists()
    assert command("questions", "show", out / "0000.parquet").returncode == 2


def test_show_prints_questions(jsonl, tmp_path, written):
    row = {"problem": "Which is a planet?", "choices": ["Mars", "Io"], "answer": "A"}
    written(
        settings_of(source_of(path=jsonl([row]), fields={"choices": "choices", "answer": "answer"}), domain="science")
    )
    done = command("questions", "show", tmp_path / "out" / "0000.parquet")
    assert done.returncode == 0, done.stderr
    assert "Which is a planet?" in done.stdout
    assert any(f"* {letter}. Mars" in done.stdout for letter in "AB")
    assert "1 of 1 questions" in done.stdout
    code = {
        "problem": "Double it.",
        "tests": {"fn_name": "f", "inputs": [[1], [2], [3]], "outputs": [2, 4, 6]},
        "solution": "def f(x):\n  return 2*x",
    }
    source = source_of(
        path=jsonl([code, {**code, "problem": "Again."}]), fields={"tests": "tests", "solution": "solution"}
    )
    written(settings_of(source, domain="code"))
    done = command("questions", "show", tmp_path / "out" / "0000.parquet", "--limit", "1")
    assert "tests: 3, function f\n    f(1) -> 2\n" in done.stdout
    assert "1 of 2 questions" in done.stdout
