"""What the jobs of a recipe need: GPUs follow from engines and ranks, internet from where things come from."""

import copy
from pathlib import Path

import pytest
import yaml
from thoughtline.machines.demands import BASE, Demands, sizes_of_engine
from thoughtline.machines.load import load_machine
from thoughtline.recipe.load import parse
from thoughtline.recipe.paths import Paths

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "recipes/demo.yaml"
HUB = {"id": "someone/something", "revision": "0123456789abcdef0123456789abcdef01234567"}


@pytest.fixture
def data():
    return copy.deepcopy(yaml.safe_load(DEMO.read_text()))


def demands(data, machine="leonardo"):
    return Demands(parse(data, DEMO), load_machine(machine))


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({}, None),
        ({"tensor_parallel_size": 4}, (4, 1, 1)),
        ({"tensor-parallel-size": 4, "pipeline_parallel_size": 8}, (4, 8, 1)),
        ({"data_parallel_size": 2, "tensor_parallel_size": 2}, (2, 1, 2)),
    ],
)
def test_sizes_of_an_engine(arguments, sizes):
    assert sizes_of_engine({"arguments": arguments}) == sizes


def test_a_student_is_served_as_its_base(data):
    data["models"]["smollm2"]["engine"]["arguments"] = {"tensor_parallel_size": 2}
    found = demands(data)
    assert found.traces("teacher", "math-train").gpus == 2
    assert found.traces("verified-seed1", "math-heldout").gpus == 2


def test_training_takes_a_gpu_a_rank_or_on_cpus_a_core(data):
    for name in ("verified", "unverified"):
        data["models"][name]["stages"][0].update(ranks=4, micro_batch=1)
    assert demands(data).train("verified-seed1").gpus == 4
    on_cpus = demands(data, "local").train("verified-seed1")
    assert (on_cpus.gpus, on_cpus.cpus) == (0, 4)


def test_a_judge_with_weights_needs_a_gpu_and_a_service_the_internet(data):
    judge = {"verifier": "judge", "template": "{{ answer }}", "model": "smollm2"}
    data["questions"]["puzzle-train"]["verifier"] = judge
    data["models"]["service"] = {"endpoint": {"url": "https://example.org/v1", "model": "x"}}
    data["questions"]["science-train"]["verifier"] = {**judge, "model": "service"}
    data["models"]["beside"] = {"endpoint": {"url": "http://localhost:8000/v1", "model": "x"}}
    data["questions"]["code-train"]["verifier"] = {**judge, "model": "beside"}
    found = demands(data)
    assert (found.verdicts("puzzle-train").gpus, found.verdicts("puzzle-train").internet) == (1, False)
    assert (found.verdicts("science-train").gpus, found.verdicts("science-train").internet) == (0, True)
    assert not found.verdicts("code-train").internet
    assert found.verdicts("math-train") == BASE["verdicts"]


def test_only_staging_needs_the_internet_where_a_partition_has_it(data):
    data["questions"]["math-train"]["sources"] = {"theirs": {"hub": HUB, "licence": "MIT", "credit": "x"}}
    data["models"]["smollm2"] = {"hub": HUB, "licence": "MIT", "context_length": 8192}
    assert not demands(data).questions("math-train").internet and not demands(data).fetch("smollm2").internet
    assert demands(data).stage().internet and not demands(data, "slurm").stage().internet


def test_shards_are_jobs(data):
    data["questions"]["math-train"]["shards"] = 40
    found = demands(data)
    assert found.traces("teacher", "math-train").jobs == 40
    assert found.verdicts("math-train").jobs == 40


def test_what_the_targets_need_is_asked_for(data):
    recipe = parse(data, DEMO)
    keys = {key for key, _ in Demands(recipe, load_machine("leonardo")).needed(Paths(recipe, "results"))}
    assert keys == {
        *(f"{noun} of {name}" for noun in ("questions", "verdicts") for name in (*recipe.questions, *recipe.benchmarks)),
        *(f"models.{name}.engine" for name in recipe.models),
        *(f"models.{name}.stages" for name in recipe.models if name != "smollm2"),
        "models.smollm2", "datasets", "scores", "report",
    }  # fmt: skip


def test_a_model_that_no_target_needs_is_not_asked_for(data):
    data["targets"] = {"evaluate": ["smollm2"]}
    recipe = parse(data, DEMO)
    found = Demands(recipe, load_machine("leonardo")).needed(Paths(recipe, "results"))
    assert not [key for key, _ in found if "verified" in key]
