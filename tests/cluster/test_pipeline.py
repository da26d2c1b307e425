"""The whole graph on Slurm gives what it gives on one machine."""

import re

from boot.layout import NODES
from test_interruption import artifacts  # of tests/pipeline
from testbed import ClusterWorkspace
from thoughtline.common.files import sha256_file


def test_the_same_bytes_as_without_slurm(on_slurm, on_login):
    here, there = artifacts(on_login.folder), artifacts(on_slurm.folder)
    assert set(here) == set(there)
    assert {name for name in here if here[name] != there[name]} == set()
    assert any(name.endswith("model.safetensors") for name in here)


def test_sidecars_name_their_jobs_and_nodes(on_slurm):
    hosts, jobs = set(), set()
    for path in (on_slurm.folder / "results/tiny").rglob("*.prov.json"):
        record = on_slurm.sidecar(str(path.relative_to(on_slurm.folder / "results/tiny"))[: -len(".prov.json")])
        assert record["slurm"]["slurm_cluster_name"] == "leonardo"
        jobs.add(record["slurm"]["slurm_job_id"])
        hosts.add(record["host"]["name"])
    assert len(jobs) > 15
    assert len(hosts) >= 2 and hosts <= set(NODES)


def test_jobs_run_in_images_where_there_are_some(on_slurm, images):
    record = on_slurm.sidecar("verdicts/teacher/code-train/0000.parquet")
    known = images and sha256_file(images / "verify.sif")
    assert record["container_sha256"] == known


def test_nothing_is_left_to_do(on_slurm):
    assert on_slurm.planned() == set()


def test_logs_of_all_jobs_are_kept(on_slurm):
    logs = list((on_slurm.folder / "results/slurm_logs").rglob("*.log"))
    assert len(logs) > 15 and all(re.fullmatch(r"\d+", log.stem) for log in logs)


def test_logs_lie_below_the_results_wherever_these_are(tmp_path, tiny_model):
    workspace = ClusterWorkspace(tmp_path / "workspace", tiny_model)
    shard = "far/results/tiny/questions/math-train/0000.parquet"
    workspace.start("--config", "results=far/results", "--", shard).succeed()
    logs = list((workspace.folder / "far/results/slurm_logs").rglob("*.log"))
    assert len(logs) == 1 and (workspace.folder / shard).is_file()
    assert not (workspace.folder / ".snakemake/slurm_logs").exists() and not (workspace.folder / "results").exists()
