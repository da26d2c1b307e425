"""What is done is subtracted, and what a probe measured is used."""

import json
from pathlib import Path

import pytest
from thoughtline.common.files import write_json
from thoughtline.common.rows import QUESTIONS, TRACES, shard_of, write_rows
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import Placer
from thoughtline.plan import choice, probe
from thoughtline.plan.done import Done
from thoughtline.plan.planner import Planner
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths

ROOT = Path(__file__).parents[2]
DEMO, OPENTHINKER = load(ROOT / "recipes/demo.yaml"), load(ROOT / "recipes/openthinker.yaml")


def planned(recipe, machine, folder, fresh=False):
    site, paths = load_machine(machine), Paths(recipe, str(folder))
    return Planner(recipe, site, paths, Placer(site), Done(paths, fresh)).plan()


def line(plan, *key):
    return next(each for each in plan.lines if each.key == (key[0], key[1:]))


def question(number, domain="math"):
    blank = dict.fromkeys(QUESTIONS.names)
    return {**blank, "question_id": f"{number:032x}", "domain": domain, "source": "s", "problem": f"What is {number}?"}


def trace(number, sample, tokens):
    blank = dict.fromkeys(TRACES.names)
    own = {
        "trace_id": f"{number:030x}{sample:02x}",
        "question_id": f"{number:032x}",
        "sample": sample,
        "status": "finished",
    }
    return {
        **blank,
        **own,
        "seed": 1,
        "response": "It is so.",
        "prompt_tokens": 9,
        "completion_tokens": tokens,
        "messages": "[]",
    }


def shard(root, number, rows, tokens):
    path = root / f"openthinker/traces/r1/math/{number:04d}.parquet"
    write_rows(path, [trace(number * 1000 + each, 0, tokens) for each in range(rows)], TRACES, ["trace_id"])


def test_finished_shards_and_journals_are_subtracted_and_measured_lengths_used(tmp_path):
    before = line(planned(OPENTHINKER, "leonardo", tmp_path), "traces", "r1", "math")
    shard(tmp_path, 0, 2000, 5000)
    shard(tmp_path, 1, 2000, 5000)
    work = tmp_path / "openthinker/work/traces/r1/math/0002"
    work.mkdir(parents=True)
    (work / "traces.jsonl").write_text("\n".join(["{}"] * 501) + "\n")  # a header and 500 rows
    after = line(planned(OPENTHINKER, "leonardo", tmp_path), "traces", "r1", "math")
    assert (after.jobs, after.left) == (70, 68)
    assert after.rows == before.rows - 4500
    assert after.tokens == pytest.approx(after.rows * 5000, rel=0.01)
    assert after.gpu_hours < 0.75 * before.gpu_hours  # shorter replies, fewer of them
    assert line(planned(OPENTHINKER, "leonardo", tmp_path, fresh=True), "traces", "r1", "math").rows == before.rows


def test_after_half_of_its_steps_half_of_a_training_is_left(tmp_path):
    before = line(planned(OPENTHINKER, "p5", tmp_path), "train", "openthinker-7b")
    steps = round(3 * 113957 / 96)
    folder = tmp_path / f"openthinker/work/models/openthinker-7b/run/checkpoint-{steps // 2}"
    write_json(folder / "complete.json", {})
    (tmp_path / "openthinker/work/models/openthinker-7b/run/checkpoint-9999").mkdir()  # not whole
    half = line(planned(OPENTHINKER, "p5", tmp_path), "train", "openthinker-7b")
    assert half.done == pytest.approx(0.5, abs=0.01)
    assert half.gpu_hours == pytest.approx(before.gpu_hours / 2, rel=0.01)
    write_json(tmp_path / "openthinker/models/openthinker-7b/model.json", {})
    made = line(planned(OPENTHINKER, "p5", tmp_path), "train", "openthinker-7b")
    assert (made.left, made.gpu_hours, made.done) == (0, 0.0, 1.0)


def test_counted_questions_and_rows_replace_expected_ones(tmp_path):
    paths = Paths(DEMO, str(tmp_path))
    rows = [question(number) for number in range(17)]
    assert all(shard_of(row["question_id"], 1) == 0 for row in rows)
    write_rows(paths.rows("questions", "math-train")[0], rows, QUESTIONS, ["question_id"])
    plan = planned(DEMO, "local", tmp_path)
    assert line(plan, "questions", "math-train").left == 0
    assert line(plan, "traces", "teacher", "math-train").rows == 17 * 4


PROBED = {
    "machine": "local",
    "date": "2025-02-03",
    "generation": {
        "smollm2": {
            "start_seconds": 40.0, "joined_seconds": 2.0,
            "sets": {"math-heldout": {"tokens_per_second": 100.0, "mean": 30.0, "median": 25.0}},
        },
    },
    "training": {"verified-seed1": {"dataset": "verified", "tokens_a_row": 120.0, "flops_per_second": 1e11, "around_seconds": 20.0}},
}  # fmt: skip


def test_measured_rates_give_hours_where_no_data_sheet_does(tmp_path):
    write_json(tmp_path / "demo/work/probe.json", PROBED)
    plan = planned(DEMO, "local", tmp_path)
    first, second = line(plan, "traces", "smollm2", "math-heldout"), line(plan, "traces", "smollm2", "puzzle-heldout")
    assert first.tokens == pytest.approx(64 * 30, rel=0.01)
    assert 3600 * first.hours == pytest.approx(40 + 64 * 30 / 100, rel=0.01)
    # The server is shared: the next job finds it running. Another set's speed is that of the set that was probed.
    assert 3600 * second.hours == pytest.approx(2 + second.tokens / 100)
    # Students are asked like the weights that they come from.
    student = line(plan, "traces", "unverified-seed2", "math-heldout")
    assert student.tokens == first.tokens and student.hours is not None
    training = line(plan, "train", "unverified-seed1")
    assert training.tokens == pytest.approx(48 * 120, rel=0.02) and training.hours > 20 / 3600
    assert plan.wall() == pytest.approx(plan.total()[0])  # one after the other
    assert plan.rates.source == "a probe of 2025-02-03"
    assert json.loads(json.dumps(plan.as_json()))["unit"] == "machine hours"


def test_a_probe_of_another_machine_does_not_count(tmp_path):
    write_json(tmp_path / "openthinker/work/probe.json", {**PROBED, "machine": "p5"})
    plan = planned(OPENTHINKER, "leonardo", tmp_path)
    assert plan.rates.source == "published runs"


def test_a_probe_asks_published_weights_only_and_on_a_cluster_one_set_each():
    here = choice.Probe(DEMO, Paths(DEMO, "results"), load_machine("local"))
    assert {name for name, _ in here.pairs} == {"teacher", "smollm2"} and len(here.pairs) == 8
    assert here.questions(("teacher", "math-train"), 64) == 16
    assert {path.split("/")[-2] for path in here.rows_from("verified-seed1", "traces")} == set(
        DEMO.traces["teacher"].questions
    )
    there = choice.Probe(OPENTHINKER, Paths(OPENTHINKER, "results"), load_machine("leonardo"))
    assert there.pairs == [
        ("r1", "math"),
        ("qwen2.5-7b-instruct", "livecodebench-v2"),
        ("qwen2.5-32b-instruct", "livecodebench-v2"),
    ]
    assert sorted(there.trained) == ["openthinker-32b", "openthinker-7b"]


def test_a_probes_few_steps_are_not_spent_on_a_warm_up():
    settings = {"epochs": 3.0, "warmup_ratio": 0.1, "save_steps": 8, "learning_rate": 1e-5}
    assert choice.training_settings(settings) | {"save_steps": 8} == settings | {"epochs": 1.0, "warmup_ratio": 0.0}


def test_a_sample_is_at_most_half_of_a_shard(tmp_path):
    write_rows(tmp_path / "all.parquet", [question(number) for number in range(10)], QUESTIONS, ["question_id"])
    assert probe.sample(tmp_path / "all.parquet", 3, tmp_path / "some.parquet") == 3
    assert probe.sample(tmp_path / "all.parquet", 64, tmp_path / "some.parquet") == 5
    assert probe.sample(tmp_path / "some.parquet", 1, tmp_path / "one.parquet") == 1


def test_training_rows_are_made_of_probed_traces(tmp_path):
    import pyarrow.parquet as pq

    write_rows(tmp_path / "q.parquet", [question(number) for number in range(3)], QUESTIONS, ["question_id"])
    write_rows(tmp_path / "t.parquet", [trace(number, 0, 40) for number in range(3)], TRACES, ["trace_id"])
    settings = {
        "prompts": {"math": {"system": "Think.", "template": "Problem: {{ problem }}", "examples": []}},
        "format": "plain",
    }
    probe.rows(settings, [tmp_path / "q.parquet"], [tmp_path / "t.parquet"], 8, tmp_path / "d/default/train.parquet")
    rows = pq.read_table(tmp_path / "d/default/train.parquet").to_pylist()
    assert len(rows) == 8 and rows[0] == rows[3] and rows[0]["system"] == "Think."
    assert [turn["from"] for turn in rows[1]["conversations"]] == ["user", "assistant"]
    assert rows[1]["conversations"][0]["value"] == "Problem: What is 1?"
