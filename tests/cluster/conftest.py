"""Tests on the real cluster: run them with `make test-cluster`, or `tests/cluster/with-cluster python -m pytest tests/cluster`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from boot import daemons, nodes
from boot.layout import NODES
from long_runs import KNOWN, Runs, long_run
from testbed import ROOT, ClusterWorkspace, Workspace, cluster_state, queue, run, wait_for


def pytest_configure():
    if "TESTCLUSTER" not in os.environ:
        pytest.exit("these tests run on the test cluster: tests/cluster/with-cluster COMMAND, or make test-cluster", 2)


@pytest.fixture(scope="session")
def cluster():
    return cluster_state()


@pytest.fixture(autouse=True)
def clean_queue(cluster):
    """Each test finds an empty queue and all nodes in service."""
    yield
    if left := queue("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"):
        run("scancel", *left, check=False)
    for node in NODES:
        if not (cluster.run / f"{node}.pid").exists():
            nodes.start(cluster, node)
    if daemons.idle() != set(NODES):
        for node in NODES:
            run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        wait_for("idle nodes", lambda: daemons.idle() == set(NODES))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    subprocess.run([ROOT / ".venv/train/bin/python", ROOT / "tests/pipeline/tiny_model.py", folder], check=True)
    return folder


def folder_of(*names):
    """The folder of container images; None where some of these have not been built."""
    folder = Path(os.environ.get("THOUGHTLINE_CONTAINERS", ROOT / "containers/images"))
    there = all((folder / f"{name}.sif").is_file() for name in names)
    return folder if there and shutil.which("apptainer") else None


@pytest.fixture(scope="session")
def images():
    """The folder of all container images; None where they have not been built."""
    return folder_of("data", "verify", "generate", "train")


@pytest.fixture(scope="session")
def verify_image():
    """The folder of the image that verdicts need; None where it has not been built."""
    return folder_of("verify")


def shortened(workspace):
    """The base model is not evaluated, and on one benchmark only, to save engines; the training can be cut into segments."""
    workspace.edit("recipes/tiny.yaml", "evaluate: [noise, student]", "evaluate: [student]")
    workspace.edit("recipes/tiny.yaml", "  compare:\n    - {title: What training changed, a: noise, b: student}\n", "")
    workspace.edit("recipes/tiny.yaml", "        epochs: 1\n", "        epochs: 8\n")
    recipe = workspace.folder / "recipes/tiny.yaml"
    text = recipe.read_text()
    recipe.write_text(text[: text.index("  science-test:\n")] + text[text.index("traces:\n") :])
    return workspace


@pytest.fixture(scope="session")
def runs(request, cluster, tiny_model, images, verify_image, tmp_path_factory):
    """The long runs that the chosen tests look at; all have ended."""
    made = Runs(cluster, tiny_model, images, verify_image, tmp_path_factory.mktemp)
    asked = {name for item in request.session.items for name in item.fixturenames}
    made.make(name for name in KNOWN if name in asked)
    return made


@long_run()
def on_slurm(runs):
    """The tiny pipeline, run once on the cluster: in images where there are some (make containers), else in .venv/."""
    workspace = shortened(ClusterWorkspace(runs.folder("slurm"), runs.model, runs.images))
    workspace.start().succeed(seconds=1200)
    return workspace


@long_run()
def on_login(runs):
    """The tiny pipeline, run once without Slurm, in the same images or environments."""
    workspace = shortened(Workspace(runs.folder("local"), runs.model))
    workspace.environment |= {"THOUGHTLINE_CONTAINERS": str(runs.images)} if runs.images else {}
    done = workspace.snakemake(*(("--software-deployment-method", "apptainer") if runs.images else ()))
    assert done.returncode == 0, done.stdout[-8000:]
    return workspace
