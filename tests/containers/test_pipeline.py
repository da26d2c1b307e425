"""The whole graph in real images: every stage, then what a replaced image reruns."""

import json
import os
import subprocess
import sys

import pytest
from thoughtline.common.files import read_json, sha256_file
from workspace import ROOT, Workspace

IN_IMAGES = ("--software-deployment-method", "apptainer")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    subprocess.run([ROOT / ".venv/train/bin/python", ROOT / "tests/pipeline/tiny_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory, tiny_model, images):
    """A workspace with links to the images, so that a test may replace one. Its host has no environment but the driver's."""
    made = Workspace(tmp_path_factory.mktemp("images"), tiny_model)
    folder = made.folder / "own-images"
    folder.mkdir()
    for path in images.glob("*.sif*"):
        (folder / path.name).symlink_to(path)
    made.environment |= {
        "THOUGHTLINE_CONTAINERS": str(folder),
        "THOUGHTLINE_ENVS": str(made.folder / "no-such-folder"),
        "THOUGHTLINE_TEST_SECRET": "leaked",
        "APPTAINERENV_THOUGHTLINE_TEST_SECRET": "leaked",
    }
    return made


@pytest.fixture(scope="session")
def finished(workspace):
    run = workspace.snakemake(*IN_IMAGES)
    assert run.returncode == 0, run.stdout[-8000:]
    return workspace


MADE_BY = {
    **dict.fromkeys(["questions", "datasets", "scores", "report"], "data"),
    **dict.fromkeys(["verdicts", "agreement"], "verify"),
    "models": "train",
    "traces": "generate",
}
"""Noun -> the image of its jobs; a judge that is served in the job is in the image `generate`."""


def test_every_artifact_names_the_image_that_made_it(finished, images):
    known = {name: sha256_file(images / f"{name}.sif") for name in set(MADE_BY.values())}
    seen, judged = set(), 0
    for path in (finished.folder / "results/tiny").rglob("*.prov.json"):
        record = read_json(path)
        noun = path.relative_to(finished.folder / "results/tiny").parts[0]
        served = "judge_environment" in record["settings"]
        assert record["container_sha256"] == known["generate" if served else MADE_BY[noun]], path
        seen.add(noun)
        judged += served
    assert seen == set(MADE_BY) and judged


def test_nothing_else_is_to_be_done(finished):
    run = finished.snakemake("-n", *IN_IMAGES)
    assert "Nothing to be done" in run.stdout, run.stdout[-3000:]


def test_a_replaced_image_reruns_the_jobs_of_its_environment(finished):
    """Same path, other bytes: SIF files may end in anything after their last object."""
    folder = finished.folder / "own-images"
    image = folder / "train.sif"
    real = os.readlink(image)
    known = {}
    try:
        for name in ("train.sif", "train.sif.sha256"):
            known[name] = os.readlink(folder / name)
            (folder / name).unlink()
        image.write_bytes(b"another image")
        run = finished.snakemake("-n", *IN_IMAGES, "--quiet", "rules")
        planned = json.dumps(run.stdout)
        assert run.returncode == 0
        rules = {
            line.split()[0] for line in run.stdout.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
        }
    finally:
        image.unlink(missing_ok=True)
        for name, target in known.items():
            (folder / name).symlink_to(target)
    assert os.readlink(image) == real
    assert {"fetch_model", "train_model"} <= rules, planned
    assert not {rule for rule in rules if rule.startswith("curate_questions")}, planned


def test_without_an_image_nothing_starts_but_a_dry_run_plans(workspace):
    environment = dict(workspace.environment)
    try:
        workspace.environment["THOUGHTLINE_CONTAINERS"] = str(workspace.folder / "nowhere")
        run = workspace.snakemake(*IN_IMAGES, "--forceall")
        assert run.returncode != 0 and "no such image" in run.stdout and "Activating singularity" not in run.stdout
        assert workspace.snakemake("-n", *IN_IMAGES).returncode == 0
    finally:
        workspace.environment = environment


def test_only_listed_variables_enter(workspace):
    """What a job sees: asked by a job of a workflow that includes the project's own common rules."""
    snakefile = workspace.folder / "Snakefile.variables"
    snakefile.write_text(
        'configfile: "config.yaml"\n'
        'include: "rules/common.smk"\n'
        'rule variables:\n    output: "variables.txt"\n    container: image("data")\n    shell: "env | sort > {output}"\n'
    )
    run = workspace.snakemake(*IN_IMAGES, "-s", str(snakefile), "variables")
    assert run.returncode == 0, run.stdout[-3000:]
    found = dict(
        line.split("=", 1) for line in (workspace.folder / "variables.txt").read_text().splitlines() if "=" in line
    )
    assert "THOUGHTLINE_TEST_SECRET" not in found
    assert found["THOUGHTLINE_ENVS"] == "/opt/thoughtline" and found["THOUGHTLINE_ROOT"] == str(workspace.folder)
    assert sys.executable.rpartition("/")[0] not in found["PATH"]
