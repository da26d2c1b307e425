"""One process a node: what is started, with which words and variables, and that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from thoughtline.machines import images, launch
from thoughtline.machines.launch import expand_nodes, launcher, node_command, place, seconds_of, srun_command

MACHINE = """
name: site
title: A site
scheduler: {kind: local, source: here, date: 2026-01-01}
network: {variables: {NCCL_SOCKET_IFNAME: ib0, GLOO_SOCKET_IFNAME: ib0}, source: here, date: 2026-01-01}
containers: {variant: cuda, arguments: [--nv], binds: [/proc, /nowhere], source: here, date: 2026-01-01}
"""


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("lrdn0001", ["lrdn0001"]),
        ("lrdn[0009-0011,0100],login", ["lrdn0009", "lrdn0010", "lrdn0011", "lrdn0100", "login"]),
        ("b[2,1]", ["b2", "b1"]),
        ("r[1-2]n[07-08]", ["r1n07", "r1n08", "r2n07", "r2n08"]),
    ],
)
def test_node_lists(short, full):
    assert expand_nodes(short) == full


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-02:03:04", 93784), ("23:59:59", 86399), ("1:05", 65), ("UNLIMITED", float("inf")), ("", float("inf"))],
)
def test_durations(text, seconds):
    assert seconds_of(text) == seconds


@pytest.fixture
def outside_slurm(monkeypatch):
    for name in [*os.environ]:
        if name.startswith("SLURM_") or name in (launch.CONTAINERS, launch.MACHINE, launch.NODE):
            monkeypatch.delenv(name)


def test_srun_starts_one_task_on_each_node_with_all_cpus(outside_slurm, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    words = launcher(96, "train")
    assert words[: len(srun_command(96))] == srun_command(96)
    assert {"--nodes=96", "--ntasks=96", "--ntasks-per-node=1", "--cpu-bind=none", "--kill-on-bad-exit=1"} <= {*words}
    assert words[-1] == "--" and "--local" not in words


def spec_of(words):
    return json.loads(words[-2])


def test_containers_see_the_machines_binds_options_and_variables_and_nothing_else(outside_slurm, monkeypatch, tmp_path):
    (tmp_path / "site.yaml").write_text(MACHINE)
    for name in ("cwd", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(launch.CONTAINERS, str(tmp_path / "images"))
    monkeypatch.setenv(launch.MACHINE, str(tmp_path / "site.yaml"))
    monkeypatch.chdir(tmp_path / "cwd")
    variables = {"OMP_NUM_THREADS": "8", "GLOO_SOCKET_IFNAME": "lo"}
    spec = spec_of(launcher(2, "train", variables=variables, folders=[tmp_path / "work"]))
    own = {
        "SLURM_NODEID": "1",
        "SLURM_STEP_NODELIST": "n[3-4]",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "SECRET": "x",
        "APPTAINERENV_X": "y",
    }
    words, environ = node_command(spec, ["-m", "m", "--rank={node_rank}", "{first_node}"], own, str(tmp_path / "cwd"))
    image = str(tmp_path / "images" / "train.sif")
    assert words[:3] == ["apptainer", "exec", "--cleanenv"]
    assert words[words.index(image) :] == [image, "/opt/thoughtline/train/bin/python", "-m", "m", "--rank=1", "n3"]
    assert words[words.index("--pwd") + 1] == str(tmp_path / "cwd") and "--nv" in words
    binds = [words[index + 1] for index, word in enumerate(words) if word == "--bind"]
    assert binds == [str(tmp_path / "cwd"), str(launch.ROOT), str(tmp_path / "work"), images.CGROUPS, "/proc"]
    passed = {key.removeprefix("APPTAINERENV_"): environ[key] for key in environ if key.startswith("APPTAINERENV_")}
    assert passed == {
        "NCCL_SOCKET_IFNAME": "ib0", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "0,1",
        "SLURM_NODEID": "1", "SLURM_STEP_NODELIST": "n[3-4]", "PYTHONPATH": f"{launch.ROOT}/scripts", "THOUGHTLINE_ROOT": str(launch.ROOT),
    }  # fmt: skip


def test_a_process_must_know_its_place():
    with pytest.raises(KeyError):
        place({})


CODE = """
import os, sys, time
rank, first, folder = sys.argv[1:]
open(f"{folder}/{rank}", "w").write(f"{first} {os.environ['SET']} {os.getpid()}")
if rank == "1": sys.exit(3)
time.sleep(60)
"""


def test_without_slurm_all_nodes_are_here_and_end_together(outside_slurm, tmp_path):
    words = [*launcher(2, "driver", variables={"SET": "yes"}), "-c", CODE, "{node_rank}", "{first_node}", str(tmp_path)]
    assert subprocess.run(words, timeout=60).returncode == 3
    told = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert set(told) <= {"0", "1"} and told["1"][:2] == ["127.0.0.1", "yes"]
    assert all(gone(int(pid)) for _, _, pid in told.values())


def gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_kill_9_of_the_starter_ends_all(outside_slurm, tmp_path):
    code = CODE.replace('rank == "1"', "False")
    words = [*launcher(2, "driver", variables={"SET": "yes"}), "-c", code, "{node_rank}", "{first_node}", str(tmp_path)]
    process = subprocess.Popen(words)
    end = time.monotonic() + 30
    while len(told := [path.read_text().split() for path in tmp_path.iterdir()]) < 2 or not all(told):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert all(gone(int(pid)) for _, _, pid in told)


def test_no_step_no_end(tmp_path):
    launch.end_step(tmp_path / "step")


def test_the_module_starts_without_heavy_imports():
    code = "import sys; import thoughtline.machines.launch; print([n for n in ('yaml', 'pydantic', 'numpy') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["thoughtline.traces.generate", "thoughtline.models.train"])
def test_the_driver_has_what_jobs_over_several_nodes_need(module):
    """They run outside of containers, in the driver's environment, and start one container on each node."""
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
