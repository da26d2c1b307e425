"""Slurm seen from the login node, and a copy of the pipeline that runs there."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from boot.layout import ACCOUNT, State

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from workspace import DRIVER, ROOT, Workspace

RESULTS = "results/tiny"
FRAGILE = ("lrdn0002", "lrdn0003")
"""Nodes for tests that switch nodes off or preempt what runs there: nobody else is there meanwhile."""
QUICK_DRIVER = Path(__file__).with_name("quick_driver.py")
QUICK = {
    # The nodes share the cores of one machine, and whoever tests waits for the polls.
    "jobs": 4,
    "slurm-init-seconds-before-status-checks": 1,
    "seconds-between-status-checks": 1,
    "latency-wait": 10,
    "max-jobs-per-timespan": "60/1s",  # a driver ends only once its time span is over
}


def run(*words: str, check: bool = True) -> str:
    """Standard output of a command; its errors when it fails."""
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
    return done.stdout.strip()


def queue(*states: str) -> dict[str, str]:
    """Slurm job id -> state, of all jobs that Slurm remembers or of those in these states."""
    lines = run("squeue", "-h", "-t", ",".join(states) or "all", "-o", "%i %T").splitlines()
    return dict(line.split() for line in lines)


def state(job: str) -> str:
    """The state of a job."""
    return run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")


def field(job: str, name: str) -> str:
    """A field of `scontrol show job`."""
    return re.search(rf"\b{name}=(\S*)", run("scontrol", "show", "job", job))[1]


def wait_for(what: str, ready: Callable[[], Any], seconds: float = 240) -> Any:
    """The first true answer of `ready`."""
    end = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}; jobs: {queue()}"
        time.sleep(0.2)
    return answer


class Driver:
    """A running Snakemake."""

    def __init__(self, workspace: ClusterWorkspace, *arguments: str) -> None:
        self.log = workspace.folder / f"driver-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [str(DRIVER / "python"), str(QUICK_DRIVER), "--profile", workspace.profile, *arguments],
                cwd=workspace.folder, env=workspace.environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    def jobs(self) -> list[str]:
        """Slurm ids of the jobs that it has submitted, in order."""
        return re.findall(r"has been submitted with SLURM jobid (\d+)", self.text)

    def first_job(self) -> str:
        """The id of its first job, once there is one."""
        return wait_for("a job", lambda: self.alive_jobs())[0]

    def alive_jobs(self) -> list[str]:
        """jobs(), or a failed assertion when the driver has ended without any."""
        found = self.jobs()
        assert found or self.process.poll() is None, self.text[-4000:]
        return found

    def wait(self, seconds: float = 600) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            raise AssertionError(f"still running after {seconds:.0f} s:\n{self.text[-6000:]}") from None

    def signal(self, number: int) -> None:
        """Send a signal to the driver alone."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def succeed(self, seconds: float = 600) -> None:
        """Wait for it, and have it end well."""
        assert self.wait(seconds) == 0, self.text[-8000:]


class ClusterWorkspace(Workspace):
    """A workspace of tests/pipeline whose jobs go to the test cluster, by the profile for any Slurm.

    With `images`, a folder of container images, jobs run in these; else in the environments of .venv/.
    """

    profile = "profiles/testcluster"

    def __init__(self, folder: Path, model: Path, images: Path | None = None, stage: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, model, stage)
        shutil.copy(ROOT / "tests/cluster/testcluster.yaml", folder / "machines/testcluster.yaml")
        profile = yaml.safe_load((folder / "profiles/slurm/config.yaml").read_text())
        profile |= QUICK
        if images:
            self.environment |= {"THOUGHTLINE_CONTAINERS": str(images), "THOUGHTLINE_ENVS": str(folder / "nowhere")}
        else:
            del profile["software-deployment-method"]
        (folder / self.profile).mkdir()
        (folder / self.profile / "config.yaml").write_text(yaml.safe_dump(profile))
        self.site(machine="testcluster", account=ACCOUNT, exclude_nodes=list(FRAGILE))

    def site(self, **keys: Any) -> None:
        """Write site.yaml."""
        (self.folder / "site.yaml").write_text(yaml.safe_dump(keys))

    def clone(self, folder: Path) -> ClusterWorkspace:
        """A copy of it as it is, results included, in a folder beside its own."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        other = copy.copy(self)
        other.folder = folder
        old, new = str(self.folder), str(folder)
        other.environment = {key: value.replace(old, new) for key, value in self.environment.items()}
        return other

    def start(self, *arguments: str) -> Driver:
        """Start Snakemake."""
        return Driver(self, *arguments)

    def path(self, name: str) -> Path:
        """A file of the results."""
        return self.folder / RESULTS / name

    def sidecar(self, name: str) -> dict[str, Any]:
        """The sidecar of an artifact."""
        return json.loads(self.path(f"{name}.prov.json").read_text())


def cluster_state() -> State:
    """The cluster that we run on."""
    return State(Path(os.environ["TESTCLUSTER"]))
