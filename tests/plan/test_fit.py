"""What does not fit on a machine is refused with what would, by the plan and by Snakemake before any job."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.machines.demands import Demands
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import Placer
from thoughtline.plan.done import Done
from thoughtline.plan.fit import Fit, check_here
from thoughtline.plan.layout import Layout
from thoughtline.plan.models import Models
from thoughtline.plan.planner import Planner
from thoughtline.plan.work import Work, key_of
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import load, parse
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.where import keys_of

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/openthinker.yaml"


def recipe_with(engine=None, stage=None, of="openthinker-32b", **keys):
    """The release with changed settings of R1's server and of one student's training."""
    data = read_layers(RECIPE).data
    data |= keys
    if engine is not None:
        data["models"]["deepseek-r1"]["engine"] |= engine
    if stage is not None:
        data["models"][of]["stages"] = [{**data["models"][of]["stages"][0], **stage}]
    return parse(data, RECIPE)


def check(recipe, machine):
    site, paths = load_machine(machine) if isinstance(machine, str) else machine, Paths(recipe, "none")
    placer = Placer(site)
    layout = Layout(recipe, site, placer)
    Fit(recipe, site, placer, layout, Models(recipe, paths)).check(
        Work(recipe, paths, Demands(recipe, site, layout.gpus)).items.values()
    )


SIZES = "tensor_parallel_size"
AT = r"models\.openthinker-32b\.stages: "
REFUSED = {
    "weights alone": (
        {"engine": {"arguments": {SIZES: 4}}},
        r"models\.deepseek-r1\.engine: does not fit on leonardo: weights take 168 GB of each of 4 GPUs, .*"
        r"pipeline_parallel_size: 4\} would: 16 GPUs, 4 nodes; without sizes they are chosen",
    ),
    "heads": (
        {"engine": {"arguments": {SIZES: 3, "pipeline_parallel_size": 8}}},
        rf"{SIZES}: 3 GPUs cannot share 128 attention heads evenly; one of 1, 2, 4, 8, 16",
    ),
    "more stages than layers": (
        {"engine": {"arguments": {"pipeline_parallel_size": 64}}},
        r"pipeline_parallel_size: 64 stages are more than the model has layers, 61; at most 61",
    ),
    "three nodes, of which one has 21 layers": (
        {"engine": {"arguments": {SIZES: 4, "pipeline_parallel_size": 3}}},
        r"does not fit on leonardo: beside the weights there is room for 39,\d+ tokens of context, .*16 GPUs, 4 nodes",
    ),
    "offloading more than comes with a GPU": (
        {"stage": {"zero": "auto", "ranks": 1}, "of": "openthinker-7b"},
        r"offloads 1\d\d GB a GPU, and of a node's memory 104 are to be had for each \(80% of 129\); would fit: .*ranks: ",
    ),
    "ranks that do not fill nodes": (
        {"stage": {"zero": "auto", "ranks": 6}},
        r"6 GPUs do not fill nodes of 4; ranks: 8 and zero: .* would fit into boost_usr_prod",
    ),
    "nodes that are not filled": (
        {"engine": {"arguments": {SIZES: 2, "pipeline_parallel_size": 7}}},
        r"models\.deepseek-r1\.engine: .*14 GPUs do not fill nodes of 4; "
        r"without parallel sizes in engine.arguments 4 x 4 would be chosen here",
    ),
    "ZeRO-2": (
        {"stage": {"zero": {"stage": 2}}},
        AT + r"does not fit on leonardo: ZeRO-2 needs .*; would fit: zero: \{stage: 3\}",
    ),
    "activations kept": (
        {"stage": {"gradient_checkpointing": False}},
        AT + r".*ZeRO-3, optimiser and parameters offloaded needs .* of a GPU that has 69; "
        r"would fit: zero: \{stage: 3\}, gradient_checkpointing: true",
    ),
    "too few ranks without offloading": (
        {"stage": {"zero": {"stage": 3}, "ranks": 4}},
        AT + r".*; would fit: zero: \{stage: 3, offload_optimizer: true",
    ),
    "a batch that no fitting ranks divide": (
        {"stage": {"zero": "auto", "ranks": 1, "global_batch": 7}},
        AT + r".*; would fit: zero: \{stage: 3, offload_optimizer: true\}, ranks: 8, global_batch: 8; "
        r"8 is the least number of ranks that fits, and global_batch, now 7, must be a multiple of micro_batch x ranks$",
    ),
    "ranks without a place, and a batch that no others divide": (
        {"stage": {"zero": "auto", "ranks": 5, "global_batch": 5}},
        AT + r"machine leonardo takes no job with 5 GPUs.*; boost_usr_prod: would fit: .*ranks: 8, global_batch: 8;",
    ),
    "nothing": (
        {"stage": {"zero": "auto", "max_length": 32768, "micro_batch": 24, "global_batch": 96, "ranks": 4, "gradient_checkpointing": False}},
        AT + r".*would fit: zero: .*gradient_checkpointing: true, micro_batch: 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_misfit_is_refused_with_what_would_fit(changes, words):
    with pytest.raises(UserError, match=words):
        check(recipe_with(**changes), "leonardo")


def limited(machine, **limits):
    """A machine whose jobs with GPUs have other limits."""
    site = load_machine(machine)
    partitions = {
        name: each.model_copy(update={"qos": [qos.model_copy(update=limits) for qos in each.qos]})
        if each.gpus
        else each
        for name, each in site.partitions.items()
    }
    return site.model_copy(update={"partitions": partitions})


def test_a_batch_that_is_advised_fits():
    check(
        recipe_with(stage={"zero": {"stage": 3, "offload_optimizer": True}, "ranks": 8, "global_batch": 8}), "leonardo"
    )
    with pytest.raises(UserError, match=r"ranks: 2, global_batch: 96; 2 is the least"):
        stage = {"zero": {"stage": 1}, "ranks": 1, "global_batch": 97, "max_length": 32768}
        check(recipe_with(of="openthinker-7b", stage=stage), "leonardo")


def test_one_is_no_plural():
    site = limited("leonardo", max_nodes=1, user_nodes=1, min_nodes=1)
    with pytest.raises(UserError, match="takes no job of more than 1 node;"):
        check(load(ROOT / "recipes/sky-t1.yaml"), site)


@pytest.mark.parametrize("longest", [None, 33000])
def test_a_shorter_context_is_not_advised_where_weights_alone_do_not_fit(longest):
    engine = {} if longest is None else {"max_model_len": longest}
    with pytest.raises(UserError) as told:
        check(recipe_with(engine={**engine, "arguments": {}}), limited("p5", max_nodes=1))
    words = str(told.value)
    assert "a job gets at most 1 node of 8 GPUs here, which have room for 592 GB in all" in words
    assert "the weights alone take 671 GB" in words and "max_model_len" not in words and "1 GPUs" not in words


def test_a_context_that_fits_is_named_and_fits():
    words = r"at most 3 nodes of 4 GPUs here, which hold a context of ([\d,]+) tokens beside the weights: shorten engine\.max_model_len"
    site = limited("leonardo", max_nodes=3, user_nodes=3, min_nodes=1)
    with pytest.raises(UserError, match=words) as told:
        check(recipe_with(engine={"arguments": {}}), site)
    held = int(re.search(words, str(told.value))[1].replace(",", ""))
    own = Layout(recipe_with(engine={"arguments": {}, "max_model_len": held}), site, Placer(site))
    assert own.chosen("deepseek-r1") is not None


def test_a_training_that_fits_on_no_ranks_says_so():
    with pytest.raises(
        UserError, match=r"boost_usr_prod: no settings of this model fit on 4 GPUs, the most that a job gets"
    ):
        check(load(ROOT / "recipes/sky-t1.yaml"), limited("leonardo", max_nodes=1, user_nodes=1, min_nodes=1))


def test_jobs_that_end_before_a_server_answers_are_refused():
    words = (
        r"its server takes about \d+ s to start, and boost_usr_prod/normal ends jobs after 1 min: it would never answer"
    )
    with pytest.raises(UserError, match=words):
        check(load(RECIPE), limited("leonardo", max_minutes=1))


def test_trainings_that_end_before_their_first_checkpoint_are_refused(tmp_path):
    data = read_layers(RECIPE).data
    data["models"]["openthinker-32b"]["stages"][0] |= {"global_batch": 9600}
    recipe, site = parse(data, RECIPE), limited("leonardo", max_minutes=8)
    paths = Paths(recipe, str(tmp_path))
    with pytest.raises(UserError, match=r"32b\.stages: takes about \d+ s to its first checkpoint, and .* after 8 min"):
        Planner(recipe, site, paths, Placer(site), Done(paths)).plan()


def test_more_ranks_than_a_machine_gives_are_refused_with_a_number_that_it_does():
    with pytest.raises(
        UserError, match=r"32b-unverified\.stages: machine p5 takes no job .*; ranks: 128 would fit"
    ) as told:
        check(load(ROOT / "recipes/openthinker-unverified.yaml"), "p5")
    assert "global_batch stays 384" in str(told.value)
    # And it does.
    data = read_layers(ROOT / "recipes/openthinker-unverified.yaml").data
    data["models"]["openthinker-32b-unverified"]["stages"][0]["ranks"] = 128
    check(parse(data, RECIPE), "p5")


def test_what_is_advised_fits():
    check(recipe_with(engine={"arguments": {SIZES: 4, "pipeline_parallel_size": 4}}), "leonardo")
    check(recipe_with(stage={"zero": {"stage": 3, "offload_optimizer": True}, "ranks": 8}), "leonardo")
    check(recipe_with(engine={"arguments": {}}, stage={"zero": "auto"}), "leonardo")
    check(recipe_with(stage={"gradient_checkpointing": True, "zero": {"stage": 3}}), "leonardo")


@pytest.mark.parametrize("size", ["two", 0, -2, 1.5, True])
def test_a_size_that_is_no_number_of_gpus_is_refused(size):
    with pytest.raises(
        UserError, match=r"engine\.arguments: tensor-parallel-size is a number of GPUs or of copies, 1 or more, not"
    ):
        recipe_with(engine={"arguments": {"tensor-parallel-size": size}})


def test_a_misspelt_size_is_refused():
    with pytest.raises(UserError, match=r"tensor_paralel_size is no option; did you mean tensor_parallel_size\?"):
        recipe_with(engine={"arguments": {"tensor_paralel_size": 4}})


def test_an_endpoint_that_jobs_cannot_reach_is_named():
    with pytest.raises(UserError, match=r"models\.gpt-4o-mini\.endpoint: machine slurm takes no job .*internet"):
        check(load(ROOT / "recipes/sky-t1.yaml"), "slurm")


def test_a_judge_over_nodes_is_refused():
    data = read_layers(RECIPE).data
    judge = {"verifier": "judge", "model": "deepseek-r1", "template": "{{ answer }} {{ reference }}"}
    data["verdicts"] |= {"math": judge}
    words = r"models\.deepseek-r1\.engine: takes 4 nodes of leonardo, and where a model judges it must fit on one"
    with pytest.raises(UserError, match=words):
        check(parse(data, RECIPE), "leonardo")


def test_weights_larger_than_this_machine_are_refused_here(monkeypatch):
    recipe = load(RECIPE)
    models = Models(recipe, Paths(recipe, "none"))
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    with pytest.raises(
        UserError, match=r"models\.deepseek-r1: its weights take 671 GB, and this machine has .*; name a cluster"
    ):
        check_here(models, ["deepseek-r1"])
    demo = load(ROOT / "recipes/demo.yaml")
    check_here(Models(demo, Paths(demo, "none")), ["smollm2"])


def test_jobs_of_snakemake_belong_to_items():
    assert key_of("generate_traces", {"answerer": "r1", "set": "math", "shard": "0001"}) == ("traces", ("r1", "math"))
    assert key_of("train_model", {"model": "student"}) == ("train", ("student",))
    assert key_of("write_report", {}) is None


def test_snakemake_refuses_a_misfit_in_a_dry_run(tmp_path):
    data = read_layers(RECIPE).data
    data["models"]["deepseek-r1"]["engine"]["arguments"] = {SIZES: 4}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    words = ["--config", f"recipe={path}", f"results={tmp_path}/results", "account=none", "-n"]
    run = subprocess.run(
        [str(ROOT / ".venv/driver/bin/snakemake"), "--profile", "profiles/leonardo", *words],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, text=True,
    )  # fmt: skip
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if line == "    engine:")
    words = f"{path}:{number}: models.deepseek-r1.engine: does not fit on leonardo"
    assert run.returncode != 0 and words in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (0, "{ranks: 5, global_batch: 5}", "machine leonardo takes no job with 5 GPUs"),
        (1, "{zero: {stage: 1, offload_optimizer: false}, ranks: 1, gradient_checkpointing: false}", "does not fit on"),
    ],
)
def test_the_plan_names_the_line_of_a_stage_that_does_not_fit(tmp_path, number, changes, message):
    path = tmp_path / "two.yaml"
    path.write_text(
        f"extends: {ROOT}/recipes/smallthinker.yaml\nname: two\n"
        f"models:\n  smallthinker:\n    stages:\n      {number}: {changes}\n"
    )
    words = ["--recipe", path, "--machine", "leonardo", "--results", tmp_path.name]
    run = subprocess.run(
        [ROOT / ".venv/driver/bin/python", "-m", "thoughtline", "plan", *words],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 2 and f"{path}:6: models.smallthinker.stages.{number}: {message}" in run.stderr


def test_expanded_names_are_keys_of_the_recipe():
    stages = [{"ranks": 1}, {"ranks": 2}, {"ranks": 3}]
    data = {"models": {"qwen2.5": {"engine": {"arguments": {}}}, "two": {"base": "qwen2.5", "stages": stages}}}
    for where, keys in {
        "models.two.stages": ("models", "two", "stages", 2),
        "models.two-seed7.stages": ("models", "two", "stages", 2),
        "models.two-seed7.stage2.stages": ("models", "two", "stages", 1),
        "models.two.stage1.engine": ("models", "two", "engine"),
        "models.two-seed7": ("models", "two"),
        "models.qwen2.5.engine.arguments.x": ("models", "qwen2.5", "engine", "arguments", "x"),
        "models.nobody.stages": ("models", "nobody", "stages"),
        "expect.rows": ("expect", "rows"),
        "config: qos": None,
        "results/two/plan.json": None,
        "models.yaml:3: models.two": None,
    }.items():
        assert keys_of(where, data) == keys
