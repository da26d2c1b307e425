"""A budget of GPU-hours against what Slurm's accounting says."""

import os
import subprocess
import time

import pytest
from boot.layout import ACCOUNT
from testbed import DRIVER, ROOT, run, wait_for
from thoughtline.plan import budget

WATCH = """\
import sys, time
from pathlib import Path
from thoughtline.plan.budget import ask, watch
try:
    watch(float(sys.argv[1]), lambda: ask(Path(sys.argv[2]), sys.argv[3]), seconds=1)
    time.sleep(90)
except KeyboardInterrupt:
    raise SystemExit(7)
"""


@pytest.fixture
def holding(tmp_path):
    """A job of this folder that holds four GPUs; when it was submitted."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S")
    words = [
        "--account",
        ACCOUNT,
        "--partition",
        "boost_usr_prod",
        "--gres",
        "gpu:4",
        "--time",
        "5",
        "--chdir",
        str(tmp_path),
    ]
    run("sbatch", *words, "--output", "/dev/null", "--wrap", "sleep 120")
    return since


def test_accounting_tells_what_a_folder_uses(holding, tmp_path):
    used = wait_for("a running job", lambda: (found := budget.ask(tmp_path, holding)) and found.running and found)
    assert used.running == 4
    later = wait_for("more", lambda: (found := budget.ask(tmp_path, holding)).gpu_hours > used.gpu_hours and found)
    assert later.gpu_hours < 4 * 60 / 3600
    assert budget.ask(tmp_path / "other", holding) == budget.Used(0.0, 0)


def test_a_run_is_stopped_before_it_uses_more(holding, tmp_path):
    words = [str(DRIVER / "python"), "-c", WATCH, "0.02", str(tmp_path), holding]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 7 and "of 0.02 GPU-hours are used, and the 4 GPUs in use" in done.stderr
    assert budget.ask(tmp_path, holding).gpu_hours < 0.025
