"""A run stops before it uses more GPU-hours than its budget: before it submits, and while it runs."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.plan.budget import Used, began, begin, check, parse, watch
from thoughtline.plan.plan import Line, Plan
from thoughtline.plan.rates import Rates
from thoughtline.recipe.execution import Execution

ROOT = Path(__file__).parents[2]
SACCT = """\
101|7200|COMPLETED|billing=32,cpu=32,gres/gpu=4,mem=494000M,node=1|/work/mine
102|3600|RUNNING|billing=256,cpu=256,gres/gpu:a100=32,gres/gpu=32,mem=3952000M,node=8|/work/mine
102|1800|REQUEUED|billing=256,cpu=256,gres/gpu=32,mem=3952000M,node=8|/work/mine
103|99999|COMPLETED|billing=4,cpu=4,mem=16000M,node=1|/work/mine
104|99999|COMPLETED|billing=32,cpu=32,gres/gpu=4,mem=494000M,node=1|/work/other
105|0|PENDING||/work/mine
"""


def test_jobs_of_this_folder_count_each_time_that_they_ran():
    used = parse(SACCT, Path("/work/mine"))
    assert used == Used(gpu_hours=4 * 2 + 32 * 1 + 32 * 0.5, running=32)
    assert used.by(3600) == used.gpu_hours + 32
    assert parse("", Path("/work/mine")) == Used(0.0, 0)


def plan_of(hours):
    line = Line(("train", ("student",)), computes=True, hours=hours / 8, gpus=8, spread=0.1)
    return Plan("r", "m", Rates(0.2, 1e10, 0.1, 0.1, 0.1), [line], {})


def test_a_plan_within_the_budget_goes_on_and_another_is_refused():
    check(plan_of(80), 100, 20)
    with pytest.raises(
        UserError, match=r"the plan takes 80 GPU-hours \(70 to 91\) and 21 were used, more than the budget of 100"
    ):
        check(plan_of(80), 100, 21)


def test_the_watch_stops_before_the_budget_is_exceeded():
    looks, stopped = iter([Used(1.0, 8), None, Used(2.0, 8), Used(9.99, 36000)]), threading.Event()
    watch(10.0, lambda: next(looks), seconds=0.01, stop=stopped.set).join(10)
    assert stopped.wait(1)
    assert next(looks, None) is None


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN], ids=["by hand", "in the background of a script"])
def test_the_watch_ends_the_process_as_ctrl_c_does(before):
    code = (
        "import time\nfrom thoughtline.plan.budget import Used, watch\n"
        "try:\n    watch(1.0, lambda: Used(0.99, 4), seconds=60)\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    raise SystemExit(7)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, before),
    )
    assert run.returncode == 7 and "0.99 of 1 GPU-hours" in run.stderr


def test_a_budget_counts_from_its_first_run(tmp_path):
    path = tmp_path / "work/budget.json"
    first = began(path, now=0)
    assert first.startswith("19") and not path.exists()  # a run that is refused leaves nothing
    begin(path, first)
    begin(path, began(path, now=10**9))
    assert began(path, now=10**9) == first


def test_the_key_takes_numbers_and_text():
    assert Execution.read({"recipe": "r", "budget_gpu_hours": "50"}).budget_gpu_hours == 50
    assert Execution.read({"recipe": "r", "budget_gpu_hours": None}).budget_gpu_hours is None
    with pytest.raises(UserError, match=r"budget_gpu_hours: .*; a number of GPU-hours above 0"):
        Execution.read({"recipe": "r", "budget_gpu_hours": -1})


def test_snakemake_submits_nothing_beyond_the_budget(tmp_path):
    for name in ("Snakefile", "config.yaml", "rules", "scripts", "profiles", "envs", "machines", "recipes"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    # No container runtime is needed to be refused.
    profile = tmp_path / "profiles/leonardo/config.yaml"
    profile.write_text(profile.read_text().replace("software-deployment-method: apptainer\n", ""))
    snakemake = [str(ROOT / ".venv/driver/bin/snakemake"), "--profile", "profiles/leonardo", "--config", "account=none"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "scripts"), "THOUGHTLINE_ENVS": str(ROOT / ".venv")}
    run = subprocess.run(
        [*snakemake, "budget_gpu_hours=1000"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert "config: budget_gpu_hours: the plan takes" in run.stderr and "more than the budget of 1,000" in run.stderr
    assert not list(tmp_path.glob("results/*/questions")) and not list(
        tmp_path.glob("results/*/work/driver/budget.json")
    )
    run = subprocess.run(
        [*snakemake, "budget_gpu_hours=1000000", "-n"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0 and "0 were used, within the budget of 1M" in run.stderr
