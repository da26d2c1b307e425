"""The tiny pipeline, run once for all tests of this folder."""

import subprocess
import sys

import pytest
from workspace import CODE, HUB_REVISION, NO_NETWORK, ROOT, Workspace, as_lines, can_cut_off

sys.path.append(str(ROOT / "tests/stage"))
from hub_service import Hub


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    subprocess.run([ROOT / ".venv/train/bin/python", ROOT / "tests/pipeline/tiny_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def hub(tiny_model):
    """A hub with the tiny model and the code questions."""
    with Hub() as service:
        service.add(
            "model", "owner/noise", {path.name: path.read_bytes() for path in tiny_model.iterdir()}, HUB_REVISION
        )
        service.add("dataset", "owner/code", {"code.jsonl": as_lines(CODE).encode()}, HUB_REVISION)
        yield service


@pytest.fixture(scope="session")
def staged(tmp_path_factory, tiny_model, hub):
    """A stage that `snakemake stage` has filled from the hub."""
    stage = tmp_path_factory.mktemp("staged") / "stage"
    workspace = Workspace(tmp_path_factory.mktemp("staging"), tiny_model, stage)
    workspace.environment["HF_ENDPOINT"] = hub.url
    run = workspace.snakemake("stage")
    assert run.returncode == 0, run.stdout[-8000:]
    assert not (workspace.folder / "results/tiny/questions").exists()
    return stage


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_model, staged):
    """A workspace in which everything has been made once, without network where this machine can cut it off."""
    workspace = Workspace(tmp_path_factory.mktemp("pipeline"), tiny_model, staged)
    run = workspace.snakemake(prefix=NO_NETWORK if can_cut_off() else ())
    assert run.returncode == 0, run.stdout[-8000:]
    return workspace
