"""Training over two real nodes, stopped and gone on with elsewhere (test_nodes: by Snakemake; test_segments: in one job's segments)."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boot.layout import ACCOUNT
from long_runs import long_run
from testbed import FRAGILE, ROOT, field, run, state, wait_for

ENDED = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY"}
SETTINGS = {
    "model": "student", "base": "tiny", "method": "sft", "dataset": "sums", "epochs": 4.0, "learning_rate": 1e-3,
    "schedule": "cosine", "min_learning_rate_ratio": 0.1, "warmup_ratio": 0.1, "global_batch": 4, "micro_batch": 1,
    "max_length": 128, "packing": False, "optimizer": "adamw", "betas": [0.9, 0.999], "epsilon": 1e-8,
    "weight_decay": 0.01, "max_grad_norm": 1.0, "precision": "float32", "gradient_checkpointing": False, "seed": 7,
    "save_steps": 3, "zero": {"stage": 3, "offload_optimizer": False, "offload_parameters": False}, "ranks": 2,
    "code": "0", "environment": {"lock": "0"},
}  # fmt: skip
ROWS = pa.schema(
    [
        ("system", pa.string()),
        ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
    ]
)
STEPS = 24
"""22 rows, 4 a step, 4 epochs."""


@long_run()
def material(runs) -> Path:
    """A folder with a base model and a dataset of sums."""
    folder = runs.folder("material")
    settings = {
        "model": "tiny", "hub": None, "package": None, "local": {"path": str(runs.model)}, "licence": "CC0-1.0",
        "credit": "the tests", "context_length": 1024, "code": "0", "environment": {"lock": "0"},
    }  # fmt: skip
    thoughtline = [ROOT / ".venv/driver/bin/python", "-m", "thoughtline"]
    words = [*thoughtline, "models", "fetch", "--settings", json.dumps(settings), "--out", folder / "tiny"]
    subprocess.run([*map(str, words)], check=True)
    rng = random.Random(1)
    rows = []
    for _ in range(22):
        a, b = rng.randint(1, 99), rng.randint(1, 99)
        turns = [("user", f"What is {a} + {b}?"), ("assistant", f"The answer is {a + b}." * rng.randint(1, 4))]
        rows.append({"system": None, "conversations": [{"from": who, "value": text} for who, text in turns]})
    (folder / "sums/default").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), folder / "sums/default/train.parquet")
    return folder


class Training:
    """`thoughtline models train` in a job of its own."""

    def __init__(self, material: Path, folder: Path) -> None:
        self.material, self.folder, self.log = material, folder, folder / "log"
        folder.mkdir(exist_ok=True)

    def submit(self, nodes: int, *options: str, minutes: int = 15, images: Path | None = None, **more) -> str:
        """Submit it; returns the job's id."""
        words = [ROOT / ".venv/driver/bin/python", "-m", "thoughtline", "models", "train", "--threads", "1"]
        words += ["--settings", json.dumps({**SETTINGS, **more}), "--base", self.material / "tiny/model.json"]
        words += ["--dataset", self.material / "sums", "--out", self.folder / "student", "--work", self.folder / "work"]
        words += ["--nodes", nodes, *options]
        variables = {"PYTHONPATH": ROOT / "scripts", "THOUGHTLINE_MACHINE": ROOT / "tests/cluster/testcluster.yaml"}
        if images:  # and no environment but the driver's on the host
            variables |= {"THOUGHTLINE_CONTAINERS": images, "THOUGHTLINE_ENVS": self.folder / "none"}
        script = self.folder / "job.sh"
        lines = [f"export {name}={shlex.quote(str(value))}" for name, value in variables.items()]
        script.write_text(
            "\n".join(["#!/bin/bash", "unset THOUGHTLINE_CONTAINERS", *lines, f"exec {shlex.join(map(str, words))}\n"])
        )
        place = [
            "-A",
            ACCOUNT,
            "-p",
            "boost_usr_prod",
            "-x",
            ",".join(FRAGILE),
            f"-N{nodes}",
            f"-n{nodes}",
            "-t",
            str(minutes),
        ]
        options = ["--mem=4000", "--no-requeue", "--open-mode=append", "-o", str(self.log), "-D", str(ROOT)]
        return run("sbatch", "--parsable", *place, *options, str(script))

    def wait(self, job: str, seconds: float = 600) -> str:
        """The exit code of a job, as Slurm has it (75:0)."""
        wait_for("the training's end", lambda: state(job) in ENDED, seconds)
        return field(job, "ExitCode")

    def succeed(self, job: str) -> None:
        """Wait for it, and have it end well."""
        assert self.wait(job) == "0:0", self.log.read_text()[-4000:]

    def steps(self) -> int:
        """Steps that the current run has noted."""
        path = self.folder / "work/steps.jsonl"
        return path.read_text().count('"step"') if path.exists() else 0

    def interrupt(self, job: str, after: int) -> None:
        """Send SIGTERM to the command, as preemption does, once so many steps are done."""
        wait_for("steps", lambda: self.steps() >= after or state(job) in ENDED, 400)
        run("scancel", "--batch", "--signal=TERM", job)
        assert self.wait(job) == "75:0", self.log.read_text()[-4000:]

    def summary(self) -> dict:
        """training.json."""
        return json.loads((self.folder / "student/training.json").read_text())

    def losses(self) -> list[float]:
        """Of each step."""
        lines = (self.folder / "student/training.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]


@long_run(after=("material",))
def alone(runs) -> Training:
    """Two ranks on one node, undisturbed."""
    training = Training(runs["material"], runs.folder("alone"))
    training.succeed(training.submit(1))
    return training


@long_run(after=("material",))
def moved(runs) -> Training:
    """Two ranks on two nodes, stopped, and gone on with by one on one."""
    training = Training(runs["material"], runs.folder("moved"))
    training.interrupt(training.submit(2), after=2)
    training.succeed(training.submit(1, "--processes", "1"))
    return training


@long_run(after=("material",))
def killed(runs) -> list[int]:
    """Two ranks on two nodes whose launcher is killed: how many of them lived before and live in the end."""
    training = Training(runs["material"], runs.folder("killed"))
    job = training.submit(2, epochs=500.0)
    wait_for("steps", lambda: training.steps() >= 1 or state(job) in ENDED, 400)
    before = ranks_of(training)
    run("scancel", "--batch", "--signal=KILL", job)
    wait_for("the end of all ranks", lambda: ranks_of(training) == 0, 60)
    return [before, ranks_of(training)]


def test_a_checkpoint_of_two_nodes_goes_on_on_one_process(moved, alone):
    training = moved
    assert "written by 2 ranks, on 1" in training.log.read_text()
    assert training.losses() == pytest.approx(alone.losses(), rel=1e-6)
    first, second = training.summary()["segments"]
    assert (first["nodes"], first["ranks"], second["nodes"], second["ranks"]) == (2, 2, 1, 1)
    assert first["last_step"] == second["first_step"] and second["last_step"] == STEPS


def test_in_containers_on_two_nodes_then_on_one(material, alone, images, tmp_path):
    if not images:
        pytest.skip("needs the container images: make containers")
    training = Training(material, tmp_path)
    training.interrupt(training.submit(2, images=images), after=2)
    training.succeed(training.submit(2, "--processes", "4", images=images))
    assert "written by 2 ranks, on 4" in training.log.read_text()
    assert training.losses() == pytest.approx(alone.losses(), rel=1e-6)


def test_ranks_of_the_other_node_die_with_the_launcher(killed):
    assert killed == [2, 0]


def ranks_of(training: Training) -> int:
    """Living ranks on all nodes, which share this machine's kernel."""
    work = os.fsencode(training.folder / "work")
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        count += b"thoughtline.models.sft" in words and work in words and b"torch.distributed.run" not in words
    return count


def test_slurms_own_clock_counts():
    ask = "from thoughtline.machines.launch import time_left; print(time_left())"
    words = ["-A", ACCOUNT, "-p", "boost_usr_prod", "-t", "2", ROOT / ".venv/driver/bin/python", "-c", ask]
    left = float(run("srun", *map(str, words)))
    assert 60 < left <= 120
