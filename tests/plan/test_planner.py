"""Whole plans: of the release's recipe on the sites that come with this project."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import Placer
from thoughtline.plan.advice import on_concurrency
from thoughtline.plan.calibration import calibrate
from thoughtline.plan.cli import check_out
from thoughtline.plan.done import Done
from thoughtline.plan.page import page
from thoughtline.plan.planner import Planner
from thoughtline.plan.show import calibration_text, percent, text, unknown_of
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import load, parse
from thoughtline.recipe.paths import Paths

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/openthinker.yaml"


def planned(recipe, machine, folder, concurrency=64):
    site, paths = load_machine(machine), Paths(recipe, str(folder))
    return Planner(recipe, site, paths, Placer(site), Done(paths), concurrency).plan()


def changed(**keys):
    data = read_layers(RECIPE).data
    data.update(keys)
    return data


@pytest.fixture(scope="module")
def leonardo(tmp_path_factory):
    return planned(load(RECIPE), "leonardo", tmp_path_factory.mktemp("results"))


def line(plan, *key):
    return next(each for each in plan.lines if each.key == (key[0], key[1:]))


def test_the_openthinker_plan_on_leonardo(leonardo):
    traces = line(leonardo, "traces", "r1", "math")
    assert (traces.nodes, traces.gpus, traces.jobs, traces.where) == (4, 16, 70, "boost_usr_prod/normal")
    assert traces.rows == 140075 and traces.tokens == pytest.approx(1.05e9, rel=0.02)  # "about 1.06e9 output tokens"
    training = line(leonardo, "train", "openthinker-7b")
    assert (training.nodes, training.gpus) == (8, 32)
    assert training.flops == pytest.approx(1.2e20, rel=0.05)
    # Six a parameter and token at least, and less than with the forward pass done again.
    assert 6 < training.flops / (training.tokens * 7.07e9) < 8
    assert "FLOPs: what models need, nothing recomputed" in text(leonardo)
    assert training.segments == -(-training.hours * 60 // 1440)
    low, high = training.range(training.gpu_hours)
    assert low < training.gpu_hours < high


def test_the_published_run_is_told_on_its_own_machine(tmp_path):
    plan = planned(load(RECIPE), "p5", tmp_path)
    assert line(plan, "train", "openthinker-7b").gpu_hours == pytest.approx(640, rel=0.2)
    assert line(plan, "train", "openthinker-32b").gpu_hours == pytest.approx(2880, rel=0.2)
    assert plan.cost() == pytest.approx(plan.total()[0] * 4.916)
    costs = {name: each["cost"]["amount"] for name, each in plan.as_json()["targets"].items()}
    assert costs["openthinker-7b"] == pytest.approx(plan.total(plan.targets["openthinker-7b"])[0] * 4.916)


def test_node_hours_and_cost_count_what_jobs_hold(tmp_path):
    site, paths = load_machine("p5"), Paths(load(RECIPE), str(tmp_path))
    whole = {name: each.model_copy(update={"shared": False}) for name, each in site.partitions.items()}

    def of(machine):
        return Planner(load(RECIPE), machine, paths, Placer(machine), Done(paths)).plan()

    shared, alone = of(site), of(site.model_copy(update={"partitions": whole}))
    # Servers of one GPU leave seven to others, or to nobody.
    benchmark = ("traces", "qwen2.5-7b-instruct", "math500")
    assert line(shared, *benchmark).gpus == 1
    assert line(alone, *benchmark).node_hours == pytest.approx(8 * line(shared, *benchmark).node_hours)
    assert shared.node_hours() == pytest.approx(shared.total()[0] / 8)
    assert alone.total() == shared.total() and alone.cost() > shared.cost()
    assert alone.cost() == pytest.approx(alone.node_hours() * 8 * 4.916)
    assert "node-hours count a job's part of a node" in text(shared) and "node-hours count whole nodes" in text(alone)
    assert "cost is that of the GPUs in them" in html.unescape(page(shared, load(RECIPE), site))


def test_nothing_has_no_sign():
    assert [percent(error) for error in (-0.004, 0.004, 0.0, 0.006)] == ["0%", "0%", "0%", "+1%"]
    said = calibration_text(*calibrate())
    assert not re.search(r"[+-]0%", said)
    _, rows = calibrate()
    docs = (ROOT / "docs/plan.md").read_text(encoding="utf-8")
    for row in rows:
        if row.fitted and row.kind == "training":
            assert re.search(
                rf"^\| {row.name} \|.*\| {re.escape(percent(row.error).replace('%', ' %'))} \|", docs, re.MULTILINE
            )


def test_targets_share_what_they_share(leonardo):
    parts = {name: leonardo.total(keys)[0] for name, keys in leonardo.targets.items()}
    assert leonardo.total()[0] < sum(parts.values())
    assert parts["qwen2.5-7b-instruct"] < 30 < parts["openthinker-7b"]
    assert leonardo.wall() >= max(leonardo.wall(keys) for keys in leonardo.targets.values())


def test_json_and_text_say_the_same(leonardo):
    data = json.loads(json.dumps(leonardo.as_json()))
    assert data["total"]["hours"] == pytest.approx(leonardo.total()[0])
    assert set(data["targets"]) == set(leonardo.targets)
    assert sum(each["hours"] for each in data["lines"]) == pytest.approx(data["total"]["hours"])
    assert "r1 on 4 sets" in text(leonardo) and "r1 on math" in text(leonardo, every=True)


def test_a_judge_behind_a_service_is_in_the_plan(tmp_path):
    recipe = load(RECIPE.with_name("openthinker-released.yaml"))
    judged = [
        line
        for line in planned(recipe, "leonardo", tmp_path).lines
        if any("asks a service" in note for note in line.notes)
    ]
    assert {line.key[0] for line in judged} == {"verdicts"} and sum(line.tokens for line in judged) > 0


def test_a_judge_is_told_from_what_it_judges(tmp_path):
    path = ROOT / "recipes/smallthinker.yaml"
    data = read_layers(path).data
    data["verdicts"]["math"] = {
        "verifier": "judge",
        "model": "qwen2.5-72b-instruct",
        "template": "{{ response }} {{ reference }}: yes or no?",
    }
    plan = planned(parse(data, path), "leonardo", tmp_path)
    said = text(plan)
    assert (
        said.count("fits: verdicts by qwen2.5-72b-instruct: tensor 4") == 1
        and "fits: verdicts smallthinker" not in said
    )
    assert re.search(r"^verdicts +smallthinker on 2 sets by qwen2\.5-72b-instruct ", said, re.MULTILINE)
    assert "smallthinker on aime24 by qwen2.5-72b-instruct" in text(plan, every=True)
    judges = {(each["stage"], each["judge"]) for each in plan.as_json()["lines"] if each["judge"]}
    assert judges == {("verdicts", "qwen2.5-72b-instruct")}


def test_a_set_of_unknown_size_is_named(tmp_path):
    data = changed()
    del data["expect"]["rows"]["math"], data["expect"]["rows"]["aime24"]
    with pytest.raises(UserError, match=r"expect\.rows: .* aime24, math is not known"):
        planned(parse(data, RECIPE), "leonardo", tmp_path)


def test_a_machine_without_gpus_has_no_rates_until_it_is_probed(tmp_path):
    plan = planned(load(ROOT / "recipes/demo.yaml"), "local", tmp_path)
    assert plan.machine_hours and plan.total() is None and plan.wall() is None
    assert line(plan, "traces", "teacher", "math-train").rows == 48 * 4
    assert "machine hours" in text(plan)
    (words,) = unknown_of(plan)
    assert "`thoughtline plan --probe`" in words and f"\nhours: {words}\n" in text(plan)
    assert f"Hours: {words}." in html.unescape(page(plan, load(ROOT / "recipes/demo.yaml"), load_machine("local")))
    plan.probed = True
    assert re.match(r"not known \(–\) of traces smollm2 on .* and \d+ more: the probe did not", unknown_of(plan)[0])


def test_hours_that_are_known_need_no_word(leonardo):
    assert unknown_of(leonardo) == [] and "--probe" not in text(leonardo)


def test_the_command(tmp_path):
    command = [
        sys.executable,
        "-m",
        "thoughtline",
        "plan",
        "--recipe",
        "openthinker",
        "--machine",
        "leonardo",
        "--results",
        "none",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    run = subprocess.run(
        [*command, "--json", str(tmp_path / "plan.json")], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "openthinker on leonardo" in run.stdout and "GPU-hours" in run.stdout
    data = json.loads((tmp_path / "plan.json").read_text())
    assert data["machine"] == "leonardo"
    (advice,) = data["advice"]
    assert f"advice: {advice}" in run.stdout and re.match(
        r"`execution: {concurrency: \d+}` in site.yaml instead of 64", advice
    )
    run = subprocess.run(
        [*command[:4], "--recipe", "no-such"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 2 and "there is no recipe 'no-such' (no file recipes/no-such.yaml)" in run.stderr


def test_folders_of_the_files_to_write_must_be_there(tmp_path):
    check_out("--json", None)
    check_out("--json", tmp_path / "plan.json")
    with pytest.raises(UserError, match=r"--json: there is no folder '.*/none'; make it, or name a file elsewhere"):
        check_out("--json", tmp_path / "none/plan.json")
    with pytest.raises(UserError, match=r"--out: '.*' is a folder; name a file"):
        check_out("--out", tmp_path)
    command = [sys.executable, "-m", "thoughtline", "plan", "--out", str(tmp_path / "none/page.html")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 2 and "error: --out: there is no folder" in run.stderr
    assert not (tmp_path / "none").exists()


def test_the_page_shows_the_plan_and_loads_nothing(leonardo):
    made = page(leonardo, load(RECIPE), load_machine("leonardo"))
    assert "openthinker-32b" in made and "more than the quota" in made and "OpenThinker2-32B" in made
    assert not re.search(r"(src|href)=[\"'](?!data:)", made)
    assert made == page(leonardo, load(RECIPE), load_machine("leonardo"))


def test_the_page_shows_no_error_of_a_run_that_was_not_fitted(leonardo):
    made = html.unescape(page(leonardo, load(RECIPE), load_machine("leonardo")))
    _, rows = calibrate()
    assert {row.fitted for row in rows} == {True, False}
    for row in rows:
        (cells,) = re.findall(rf"<tr><th>{re.escape(row.name)}</th>(.*?)</tr>", made)
        left_out = percent(row.left_out_error) if row.fitted else "not fitted"
        assert re.findall(r">([^<>]+)</td>", cells)[-1] == left_out


def test_sky_t1_costs_what_was_published(tmp_path):
    plan = planned(load(ROOT / "recipes/sky-t1.yaml"), "p5", tmp_path)
    assert line(plan, "train", "sky-t1").gpu_hours == pytest.approx(152, rel=0.2)
    # A mixture by sources, and a second model by an endpoint: its time is not predicted.
    assert line(plan, "datasets", "math-only").rows == 4000
    assert not line(plan, "traces", "reformatted", "math").computes


def test_advice_is_given_where_it_is_worth_it(leonardo, tmp_path):
    def again(count):
        return planned(load(RECIPE), "leonardo", tmp_path, count)

    (words,) = on_concurrency(leonardo, 64, again)
    best = int(re.search(r"concurrency: (\d+)", words)[1])
    assert again(best).total()[0] < 0.9 * leonardo.total()[0]
    assert on_concurrency(again(best), best, again) == []
    assert on_concurrency(planned(load(ROOT / "recipes/demo.yaml"), "local", tmp_path), 64, again) == []
