"""Rules whose jobs span nodes, by Snakemake itself: a machine with one GPU a node, so two ranks or workers take two nodes."""

import json
import re
import shutil

import pytest
from long_runs import long_run

STUDENT = "models/student-seed1"
TRACES = "traces/teacher/puzzle-train/0000.parquet"


WIDE = """\
  wide:
    local: {path: wide}
    licence: Apache-2.0
    credit: made by the test
    context_length: 4096
    engine: {dtype: float32, chunked_prefill: false}
"""


def spread(runs, name):
    """`on_slurm`, whose nodes have a GPU each from now on, as far as our own planning goes."""
    workspace = runs["on_slurm"].clone(runs.folder(name))
    shape = "    memory_mb: 494000\n"
    workspace.edit(
        "machines/testcluster.yaml", shape, f"{shape}    gpus: 1\n    gpu: a device file\n    gpu_memory_mb: 65536\n"
    )
    workspace.edit("machines/testcluster.yaml", "    gpus: false\n", '    gres: "gpu:{gpus}"\n')
    return workspace


@long_run(after=("on_slurm",))
def trained_over_two(runs):
    """Its student, trained again."""
    workspace = spread(runs, "spread")
    for folder in (STUDENT, f"work/{STUDENT}"):
        shutil.rmtree(workspace.path(folder), ignore_errors=True)
    workspace.start(f"results/tiny/{STUDENT}/model.json").succeed()
    return workspace


@long_run(after=("on_slurm",))
def served_over_two(runs):
    """Traces by a server with half the model's layers on each node; tests/traces has one whose every layer is on both.

    The recipe leaves it to the machine, whose GPUs hold the weights and 3,123 tokens of context beside them: two are chosen for 4,096.
    """
    workspace = spread(runs, "pipeline")
    speed = "    gpu_speed: {bf16_tflops: 1, bandwidth_gb_s: 100, source: none, date: 2026-11-23}\n"
    workspace.edit("machines/testcluster.yaml", "    gpu_memory_mb: 65536\n", f"    gpu_memory_mb: 3181\n{speed}")
    assert not workspace.planned()  # another machine makes nothing run again
    recipe = workspace.folder / "recipes/tiny.yaml"
    model = re.search(r"local: {path: (.*?)}", recipe.read_text())[1]
    shutil.copytree(workspace.folder / model, workspace.folder / "wide")
    config = workspace.folder / "wide/config.json"
    config.write_text(config.read_text().replace('"max_position_embeddings": 1024', '"max_position_embeddings": 4096'))
    workspace.edit("recipes/tiny.yaml", "  student:\n", WIDE + "  student:\n")
    workspace.edit("recipes/tiny.yaml", "  teacher:\n    model: noise", "  teacher:\n    model: wide")
    workspace.start(f"results/tiny/{TRACES}").succeed()
    return workspace


def losses(workspace):
    """Of each step."""
    lines = workspace.path(f"{STUDENT}/training.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_training_over_two_nodes_does_the_same_steps(trained_over_two, on_slurm):
    summary = json.loads(trained_over_two.path(f"{STUDENT}/training.json").read_text())
    assert (summary["nodes"], summary["ranks"]) == (2, 2)
    # A rank has more threads there, which rounds differently; tests/models compares bytes at equal threads.
    assert losses(trained_over_two) == pytest.approx(losses(on_slurm), rel=1e-6)


def test_a_server_over_two_nodes_answers(served_over_two):
    record = served_over_two.sidecar(TRACES)
    server = record["details"]["server"]
    assert server[server.index("--nnodes") + 1] == "2" and server[server.index("--pipeline-parallel-size") + 1] == "2"
    assert record["counts"]["in"] == record["counts"]["out"] == 4  # two questions, two samples
