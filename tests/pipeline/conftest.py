"""The tiny pipeline, run once for all tests of this folder."""

import subprocess

import pytest
from workspace import ROOT, Workspace


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    subprocess.run([ROOT / ".venv/train/bin/python", ROOT / "tests/pipeline/tiny_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_model):
    """A workspace in which everything has been made once."""
    workspace = Workspace(tmp_path_factory.mktemp("pipeline"), tiny_model)
    run = workspace.snakemake()
    assert run.returncode == 0, run.stdout[-8000:]
    return workspace
