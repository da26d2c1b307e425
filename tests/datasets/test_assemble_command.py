"""`thoughtline datasets assemble`: from row files to a folder that loads."""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml
from thoughtline.common.command import guarded
from thoughtline.common.environments import ROOT
from thoughtline.common.files import sha256_file
from thoughtline.common.lease import Lease
from thoughtline.common.rows import VERDICTS, read_rows, write_rows
from thoughtline.datasets.card import REASONS
from thoughtline.datasets.cli import register
from thoughtline.datasets.keep import shuffled
from thoughtline.recipe import settings as recipe_settings
from thoughtline.recipe.load import load

COLUMNS = ["problem", "ground_truth_solution", "test_cases", "starter_code"]
COLUMNS += ["deepseek_reasoning", "deepseek_solution", "domain", "source"]


def datasets(arguments):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(each) for each in arguments])
    return guarded(args.run, args)


def table(path):
    return pq.read_table(path).to_pylist()


def counts(out):
    return json.loads((out / "README.md.prov.json").read_text())["counts"]


@pytest.fixture
def school(folder):
    """Two sets of four domains: nine questions, 27 traces."""
    tests = json.dumps({"inputs": [[1]], "outputs": [[2]], "fn_name": "next"})
    code = folder.question(
        "code", "Write next.", tests=tests, starter_code="def next(n):", answer=None, solution="def next(n): return n+1"
    )
    folder.answered(
        "sums",
        [
            (folder.question("math", f"Add {number} and 5."), letters)
            for number, letters in enumerate(["WCC", "CWN", "TFR", "EPW"])
        ],
    )
    folder.answered("rest", [(code, "CCC"), (folder.question("science", "Why?", choices=["a", "b"]), "UUU")])
    folder.answered(
        "rest",
        [
            (folder.question("puzzle", f"Riddle {number}?"), letters)
            for number, letters in enumerate(["WWC", "CTT", "WWW"])
        ],
        shard="0001",
    )
    return folder


def test_first_correct(school, settings, tmp_path):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out)) == 0
    rows, conversations, metadata = (
        table(out / name) for name in ("rows.parquet", "default/train.parquet", "metadata/train.parquet")
    )
    assert len(rows) == len(conversations) == len(metadata) == 5
    assert [row["row"] for row in rows] == list(range(5))
    assert Counter(row["domain"] for row in rows) == {"math": 2, "code": 1, "puzzle": 2}
    assert {(row["run"], row["set"], row["verdict"], row["tokens"]) for row in rows} == {
        ("teacher", "sums", "correct", None),
        ("teacher", "rest", "correct", None),
    }
    assert list(metadata[0]) == COLUMNS
    for row, spoken, facts in zip(rows, conversations, metadata, strict=True):
        user, assistant = spoken["conversations"]
        assert (user["from"], assistant["from"]) == ("user", "assistant")
        assert user["value"] == facts["problem"] and "EXAMPLE" not in user["value"]
        assert assistant["value"] == f"<think>\n{facts['deepseek_reasoning']}\n</think>\n\n{facts['deepseek_solution']}"
        assert row["question_id"][:6] in facts["deepseek_solution"]
        assert spoken["system"] == ("Think." if row["domain"] == "puzzle" else "")
        assert (facts["domain"], facts["source"]) == (row["domain"], f"{row['domain']}_source")
    by_problem = {facts["problem"]: facts for facts in metadata}
    assert by_problem["Add 0 and 5."]["deepseek_solution"].startswith("Answer 1 of")
    assert by_problem["Add 0 and 5."]["ground_truth_solution"] == "42"
    assert by_problem["Write next."]["ground_truth_solution"] == "def next(n): return n+1"
    assert (
        by_problem["Write next."]["starter_code"] == "def next(n):"
        and "fn_name" in by_problem["Write next."]["test_cases"]
    )


def test_no_trace_is_lost_and_none_is_invented(school, settings, tmp_path):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out)) == 0
    kept, dropped, found = table(out / "rows.parquet"), table(out / "dropped.parquet"), counts(out)
    every = [trace for path in school.traces for trace in table(path)]
    assert Counter(row["trace_id"] for row in kept + dropped) == Counter(row["trace_id"] for row in every)
    assert found["in"] == len(every) == found["out"] + sum(found["dropped"].values())
    assert found["dropped"] == Counter(row["reason"] for row in dropped)
    assert found["dropped"] == {
        "truncated": 3, "failed": 1, "refused": 1, "no_response": 1, "incorrect": 8,
        "unparsed": 1, "verifier_error": 1, "unverified": 3, "not_first": 3,
    }  # fmt: skip
    assert found["by_domain"]["science"] == {"in": 3, "out": 0, "dropped": {"unverified": 3}}
    for key in ("in", "out"):
        assert found[key] == sum(domain[key] for domain in found["by_domain"].values())
    assert found["questions"] == {"in": 9, "out": 5}


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"keep": "all"}, 21),
        ({"keep": "first"}, 8),
        ({"keep": "random"}, 8),
        ({"keep": "correct"}, 8),
        ({"keep": "correct", "keep_unverified": True}, 11),
        ({"keep": "all", "mixture": {"counts": {"math": 4, "code": 1}, "weights": None, "total": None}}, 5),
        ({"keep": "all", "mixture": {"counts": None, "weights": {"math": 1, "puzzle": 1}, "total": 6}}, 6),
    ],
)
def test_keep_rules_and_mixtures(school, settings, tmp_path, changes, rows):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings | changes, out)) == 0
    assert len(table(out / "rows.parquet")) == rows == counts(out)["out"]
    assert counts(out)["in"] == 27


def test_it_loads_with_one_line(school, settings, tmp_path, monkeypatch):
    """In a process of its own, offline, from a copy without anything but the folder."""
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out)) == 0
    program = (
        "import sys; from datasets import load_dataset\n"
        "a = load_dataset(sys.argv[1], split='train'); b = load_dataset(sys.argv[1], 'metadata', split='train')\n"
        "print(a.num_rows, b.num_rows, *a.column_names, *b.column_names)\n"
        "print(a[0]['conversations'][1]['value'] == '<think>\\n' + b[0]['deepseek_reasoning'] + '\\n</think>\\n\\n' + b[0]['deepseek_solution'])\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run([sys.executable, "-c", program, str(out)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["5", "5", "system", "conversations", *COLUMNS, "True"]


def test_the_same_inputs_give_the_same_bytes(school, settings, tmp_path):
    files = []
    for name in ("one", "two", "two"):  # the third run replaces the second's folder
        out = tmp_path / name
        assert datasets(school.arguments(settings | {"keep": "random"}, out)) == 0
        files.append(
            {
                path.name + path.parent.name.replace(name, ""): sha256_file(path)
                for path in out.rglob("*")
                if path.suffix in (".parquet", ".md")
            }
        )
    assert len(files[0]) == 5 and files[0] == files[1] == files[2]
    assert not list(tmp_path.glob(".two*"))


def test_another_seed_gives_another_order(school, settings, tmp_path):
    orders = []
    for seed in (1, 2):
        assert datasets(school.arguments(settings | {"seed": seed, "keep": "all"}, tmp_path / "out")) == 0
        orders.append([row["trace_id"] for row in table(tmp_path / "out/rows.parquet")])
        assert orders[-1] == sorted(orders[-1], key=lambda trace: shuffled(seed, trace)), (
            "hash order: domains are mixed"
        )
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])


def test_equal_arms(school, settings, tmp_path):
    verified, other = tmp_path / "verified", tmp_path / "other"
    assert datasets(school.arguments(settings, verified)) == 0
    rule = settings | {"dataset": "other", "keep": "random", "same_questions_as": "verified"}
    assert datasets(school.arguments(rule, other, "--same-questions-as", verified / "rows.parquet")) == 0
    arms = [Counter(row["question_id"] for row in table(folder / "rows.parquet")) for folder in (verified, other)]
    assert arms[0] == arms[1]
    found = counts(other)
    assert found["shortfall"] == {"rows": 0, "questions": 0}
    assert found["dropped"]["not_in_other"] == 9
    assert "the arms are equal" in (other / "README.md").read_text()


def test_an_arm_that_cannot_be_equal_says_so(school, settings, tmp_path, capsys):
    everything, correct = tmp_path / "everything", tmp_path / "correct"
    assert datasets(school.arguments(settings | {"dataset": "everything", "keep": "all"}, everything)) == 0
    rule = settings | {"keep": "correct", "same_questions_as": "everything"}
    assert datasets(school.arguments(rule, correct, "--same-questions-as", everything / "rows.parquet")) == 0
    found = counts(correct)
    assert found["shortfall"] == {"rows": 13, "questions": 6}
    assert found["out"] == 8
    assert "13 rows of everything have no usable trace here" in capsys.readouterr().err
    assert "13 rows of 6 questions are missing" in (correct / "README.md").read_text()


def test_length(school, settings, tmp_path, word_model):
    out = tmp_path / "out"
    rule = settings | {"keep": "all", "max_tokens": 17, "tokenizer": "words"}
    assert datasets(school.arguments(rule, out, "--tokenizer", word_model.manifest)) == 0
    # <user> END <assistant> <think> Thinking 0 about it. </think> Answer 0 of abc123. END are 14, "Add 0 and 5." 4.
    assert {(row["domain"], row["tokens"]) for row in table(out / "rows.parquet")} == {("code", 16), ("science", 15)}
    details = {row["detail"] for row in table(out / "dropped.parquet") if row["reason"] == "too_long"}
    assert details == {"18 tokens", "19 tokens"}


def test_too_long_a_trace_gives_way_to_the_next(school, settings, tmp_path, word_model):
    """A question is not lost because the trace that would have been chosen is too long."""
    rule = settings | {"keep": "first", "max_tokens": 40, "tokenizer": "words"}
    path = school.traces[0]
    rows = table(path)
    long = next(row["trace_id"] for row in rows if row["sample"] == 0 and row["status"] == "finished")
    schema = pq.read_schema(path)
    write_rows(
        path,
        [row | {"reasoning": "so " * 50} if row["trace_id"] == long else row for row in rows],
        schema,
        ["trace_id"],
    )
    out = tmp_path / "out"
    assert datasets(school.arguments(rule, out, "--tokenizer", word_model.manifest)) == 0
    assert len(table(out / "rows.parquet")) == 8 and counts(out)["dropped"]["too_long"] == 1


def test_decontamination_names_the_item(school, settings, tmp_path):
    item = school.question("math", "riddle 1?")
    benchmark = school.question_file("held_out", [item, school.question("math", None)])
    rule = settings | {"decontaminate_against": ["held_out"]}
    rule["decontaminate"] = {"benchmarks": "all", "ngram": 13, "containment": 0.5, "similarity": None}
    out = tmp_path / "out"
    assert datasets(school.arguments(rule, out, "--benchmarks", benchmark)) == 0
    drops = [row for row in table(out / "dropped.parquet") if row["reason"] == "contaminated"]
    assert len(drops) == 1 and counts(out)["dropped"]["contaminated"] == 1  # its other two traces are truncated
    assert drops[0]["detail"] == f"held_out/{item['question_id']}: the same text"
    assert datasets(school.arguments(rule, out)) == 2
    assert datasets(school.arguments(settings, out, "--benchmarks", benchmark)) == 2


def test_duplicates(folder, settings, tmp_path):
    twins = [
        folder.question("math", f"How many apples has Anna, if she had {number} and ate two of them today")
        for number in (7, 8)
    ]
    folder.answered("sums", [(twin, "CC") for twin in twins])
    folder.answered("again", [(twins[0], "CC")])  # the same traces under another set's name
    out = tmp_path / "out"
    rule = settings | {"keep": "correct", "near_duplicates": {"similarity": 95, "permutations": 128}}
    assert datasets(folder.arguments(rule, out)) == 0
    rows, drops = table(out / "rows.parquet"), table(out / "dropped.parquet")
    low, high = sorted(twin["question_id"] for twin in twins)
    assert {row["question_id"] for row in rows} == {low} and len(rows) == 2
    assert {row["detail"] for row in drops if row["reason"] == "near_duplicate"} == {low}
    repeats = 2 if low == twins[0]["question_id"] else 0
    assert Counter(row["reason"] for row in drops) == +Counter(near_duplicate=4 - repeats, duplicate=repeats)
    assert counts(out)["in"] == 6
    assert high != low


def test_equal_texts_of_a_question_are_one_row(folder, settings, tmp_path):
    folder.answered("sums", [(folder.question("math", "Add."), "CCC")])
    rows = table(folder.traces[0])
    same = [row | {"reasoning": None, "response": "4"} if row["sample"] else row for row in rows]
    write_rows(folder.traces[0], same, pq.read_schema(folder.traces[0]), ["trace_id"])
    out = tmp_path / "out"
    assert datasets(folder.arguments(settings | {"keep": "correct"}, out)) == 0
    by_sample = {row["trace_id"]: row["sample"] for row in rows}
    assert sorted(by_sample[row["trace_id"]] for row in table(out / "rows.parquet")) == [0, 1]
    (drop,) = table(out / "dropped.parquet")
    assert (drop["reason"], by_sample[drop["trace_id"]], by_sample[drop["detail"]]) == ("duplicate", 2, 1)


def test_card(school, settings, tmp_path):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out)) == 0
    _, header, body = (out / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(header)
    assert facts["license"] == ["mit", "other"]
    assert [config["config_name"] for config in facts["configs"]] == ["default", "metadata"]
    assert "| math | math_source | 4 | 12 | 9 | 3 | 2 |" in body
    assert "| all |  | 9 | 27 | 22 | 8 | 5 |" in body
    assert r"| code_source | our own \| words | us | 1 |" in body
    assert "| big | apache-2.0 | its makers |" in body
    assert "27 traces = 5 rows + 22 left out" in body
    assert f"| incorrect | {REASONS['incorrect']} | 8 |" in body
    assert "Not decontaminated." in body and "`c0de`" in body
    assert f"| `default/train.parquet` | `{sha256_file(out / 'default/train.parquet')}` |" in body
    sidecar = json.loads((out / "README.md.prov.json").read_text())
    assert sidecar["details"]["files"]["rows.parquet"] == sha256_file(out / "rows.parquet")
    assert {len(line.split(" | ")) for line in body.split("## Yield")[1].split("##")[0].strip().splitlines()} == {7}


def test_a_failing_run_leaves_the_old_folder_alone(school, settings, tmp_path, capsys):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out)) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    rows = read_rows(school.verdicts[1], VERDICTS)
    write_rows(school.verdicts[1], rows[1:], VERDICTS, ["trace_id"])
    capsys.readouterr()
    assert datasets(school.arguments(settings, out)) == 2
    message = capsys.readouterr().err
    assert "verdicts/teacher/rest/0000.parquet: lacks a verdict for 1 rows of" in message
    assert "traces/teacher/rest/0000.parquet" in message and rows[0]["trace_id"] in message
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.glob(".out*"))


def test_the_deadline_stops_it_without_a_trace(school, settings, tmp_path):
    out = tmp_path / "out"
    assert datasets(school.arguments(settings, out, "--minutes", 0)) == 75
    assert not out.exists() and not list(tmp_path.glob(".out*"))


def test_what_a_killed_run_left_is_removed(school, settings, tmp_path):
    (tmp_path / ".out.abc.part").mkdir()
    (tmp_path / ".out.abc.part/half").write_text("x")
    assert datasets(school.arguments(settings, tmp_path / "out")) == 0
    assert not list(tmp_path.glob(".out*"))


def test_two_writers_do_not_meet(school, settings, tmp_path, capsys):
    out = tmp_path / "out"
    with Lease(tmp_path / "out.work"):
        assert datasets(school.arguments(settings, out)) == 2
    assert "another writer works on this artifact" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        (
            {"keep": "correct", "mixture": {"counts": {"science": 5}, "weights": None, "total": None}},
            [],
            "no row is left of 27 traces",
        ),
        ({"max_tokens": 5, "tokenizer": "words"}, [], "give --tokenizer"),
        ({}, ["--tokenizer", "model.json"], "leave --tokenizer out"),
        ({"same_questions_as": "other"}, [], "give --same-questions-as"),
        ({}, ["--verdicts", "v.parquet"], "1 files for 3 trace files"),
        ({}, ["--questions", "SUMS"], "is in no file of --questions"),
        ({"prompts": {}}, [], "has no prompt for"),
    ],
)
def test_bad_input_is_one_clear_message(school, settings, tmp_path, capsys, changes, more, words):
    more = [school.questions[0] if each == "SUMS" else each for each in more]
    assert datasets(school.arguments(settings | changes, tmp_path / "out", *more)) == 2
    message = capsys.readouterr().err
    assert words in message, message
    assert not (tmp_path / "out").exists()


def test_the_settings_are_those_of_a_recipe(settings):
    recipe = load(ROOT / "recipes/demo.yaml")
    for name in recipe.datasets:
        assert set(recipe_settings.datasets(recipe, name)) == set(settings)


def test_a_question_of_two_sets_is_counted_in_each(folder, settings, tmp_path):
    """Code problems of two collections, say: the same question, so the same trace, in both."""
    shared, own = folder.question("math", "Add 1 and 2."), folder.question("math", "Add 3 and 4.")
    folder.answered("one", [(shared, "C")])
    folder.answered("two", [(shared, "C"), (own, "W")])
    out = tmp_path / "out"
    assert datasets(folder.arguments(settings, out)) == 0
    assert [row["set"] for row in table(out / "rows.parquet")] == ["one"]
    drops = {(row["set"], row["reason"]) for row in table(out / "dropped.parquet")}
    assert drops == {("two", "duplicate"), ("two", "incorrect")}
    assert counts(out)["in"] == 3 and counts(out)["out"] == 1
