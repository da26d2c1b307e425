"""Rules whose jobs span nodes, by Snakemake itself: a machine with one GPU a node, so two ranks or workers take two nodes."""

import json
import shutil

import pytest

STUDENT = "models/student-seed1"
TRACES = "traces/teacher/puzzle-train/0000.parquet"


@pytest.fixture(scope="module")
def spread(on_slurm, tmp_path_factory):
    """`on_slurm`, whose nodes have a GPU each from now on, as far as our own planning goes."""
    workspace = on_slurm.clone(tmp_path_factory.mktemp("spread"))
    shape = "    memory_mb: 494000\n"
    workspace.edit(
        "machines/testcluster.yaml", shape, f"{shape}    gpus: 1\n    gpu: a device file\n    gpu_memory_mb: 65536\n"
    )
    workspace.edit("machines/testcluster.yaml", "    gpus: false\n", '    gres: "gpu:{gpus}"\n')
    return workspace


def losses(workspace):
    """Of each step."""
    lines = workspace.path(f"{STUDENT}/training.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_training_over_two_nodes_does_the_same_steps(spread, on_slurm):
    for folder in (STUDENT, f"work/{STUDENT}"):
        shutil.rmtree(spread.path(folder), ignore_errors=True)
    spread.start(f"results/tiny/{STUDENT}/model.json").succeed()
    summary = json.loads(spread.path(f"{STUDENT}/training.json").read_text())
    assert (summary["nodes"], summary["ranks"]) == (2, 2)
    # A rank has more threads there, which rounds differently; tests/models compares bytes at equal threads.
    assert losses(spread) == pytest.approx(losses(on_slurm), rel=1e-6)


def test_a_server_over_two_nodes_answers(spread, tmp_path_factory):
    """Half the model's layers on each; tests/traces has one whose every layer is on both."""
    workspace = spread.clone(tmp_path_factory.mktemp("pipeline"))
    engine = "max_model_len: 1024, chunked_prefill: false"
    workspace.edit("recipes/tiny.yaml", engine, f"{engine}, arguments: {{pipeline_parallel_size: 2}}")
    workspace.start(f"results/tiny/{TRACES}").succeed(600)
    record = workspace.sidecar(TRACES)
    server = record["details"]["server"]
    assert server[server.index("--nnodes") + 1] == "2" and server[server.index("--pipeline-parallel-size") + 1] == "2"
    assert record["counts"]["in"] == record["counts"]["out"] == 4  # two questions, two samples
