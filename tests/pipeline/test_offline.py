"""Staging asks the hub, nothing else does: the whole run of these tests had no network but its own loopback."""

import shutil
import subprocess
import sys

import pytest
from thoughtline.common.files import read_json
from thoughtline.common.revisions import UNPINNED
from workspace import HUB_REVISION, NO_NETWORK, Workspace, can_cut_off

STAGED = {"stage owner/noise", "stage owner/code"}


@pytest.fixture
def unstaged(tmp_path, tiny_model):
    """A workspace with an empty stage, and a hub that does not answer."""
    (tmp_path / "here").mkdir()
    workspace = Workspace(tmp_path / "here", tiny_model, tmp_path / "stage")
    workspace.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    return workspace


def test_every_stage_but_staging_runs_without_network(finished, hub):
    if not can_cut_off():
        pytest.skip("needs root, or the right to make network namespaces: `unshare --net` is refused")
    asked = hub.requests
    probe = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
    port = hub.url.rpartition(":")[2]
    assert subprocess.run([sys.executable, "-c", probe, port]).returncode == 0
    cut_off = subprocess.run([*NO_NETWORK, sys.executable, "-c", probe, port], capture_output=True, text=True)
    assert "Connection refused" in cut_off.stderr, "the run of these tests could have reached the hub"
    assert hub.requests == asked
    assert (finished.folder / "results/tiny/report/index.html").is_file()


def test_what_was_read_is_what_was_staged(finished, staged):
    model = read_json(finished.folder / "results/tiny/models/noise/model.json")
    (manifest,) = (staged / "owner/noise").glob("*[0-9a-f].json")
    published = {file["path"]: file["sha256"] for file in read_json(manifest)["files"]}
    assert model["revision"] == HUB_REVISION and model["files"] == published
    weights = finished.folder / "results/tiny/models/noise/weights/model.safetensors"
    assert weights.samefile(staged / "owner/noise" / HUB_REVISION / "model.safetensors")
    record = read_json(finished.folder / "results/tiny/questions/code-train/0000.parquet.prov.json")
    assert [given["path"] for given in record["inputs"]] == [str(staged / "owner/code" / HUB_REVISION / "code.jsonl")]


def test_a_stage_that_is_gone_or_made_anew_reruns_nothing(finished, staged):
    away = staged.with_name("away")
    staged.rename(away)
    try:
        assert finished.planned() == set()
        shutil.copytree(away, staged)
        assert finished.planned() == set()
        shutil.rmtree(staged)
    finally:
        away.rename(staged)


def test_nothing_staged_can_be_planned(unstaged):
    assert unstaged.planned() >= STAGED | {"fetch noise", "questions code-train", "report"}


def test_no_hub_stops_before_any_job_with_one_message(unstaged):
    run = unstaged.snakemake()
    assert run.returncode != 0
    wanted = f"data set owner/code at {HUB_REVISION}; model owner/noise at {HUB_REVISION}. The hub cannot be reached"
    assert wanted in run.stdout and "snakemake --profile local stage" in run.stdout, run.stdout
    assert not list((unstaged.folder / "results").rglob("*.parquet"))


def test_a_revision_that_only_holds_its_place_stops_before_any_job(unstaged):
    path = unstaged.folder / "recipes/tiny.yaml"
    path.write_text(path.read_text().replace(HUB_REVISION, UNPINNED, 1))
    run = unstaged.snakemake()
    assert run.returncode != 0
    assert "tiny.yaml: 1 revisions only hold their place (00000000...): " in run.stdout, run.stdout
    assert not list((unstaged.folder / "results").rglob("*.parquet"))
