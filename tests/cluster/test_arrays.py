"""Shards as tasks of one job array, for those who want them: one sbatch, each task resumable like a job of its own."""

import re

import pytest
from boot.layout import ACCOUNT
from slow_verdicts import SlowVerdicts
from testbed import ClusterWorkspace

SHARDS = 4


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    model = tmp_path_factory.mktemp("no-model")
    return SlowVerdicts(ClusterWorkspace(tmp_path_factory.mktemp("arrays"), model))


def test_one_array_makes_all_shards_in_segments(slow, tmp_path):
    slow.workspace.site(machine="testcluster", account=ACCOUNT, execution={"workers": 1})
    slow.workspace.edit("rules/verdicts.smk", "--minutes {resources.runtime}", "--minutes 0.3")
    names = [f"results/tiny/{name}" for name in slow.copy_shard(SHARDS)]
    few = slow.workspace.start(*names, "--slurm-array-jobs", "verify_traces", "--jobs", "2")
    assert few.wait() != 0
    assert f"this run has {SHARDS} jobs and room for 2 at a time" in few.text and few.jobs() == []
    driver = slow.workspace.start(*names, "--slurm-array-jobs", "verify_traces", "--jobs", str(SHARDS))
    driver.succeed()
    (array,) = re.findall(r"SLURM job ID (\d+)\. The individual task IDs are 1-4", driver.text)
    logs = sorted((slow.workspace.folder / "results/slurm_logs/rule_verify_traces").glob(f"{array}_*.log"))
    assert len(logs) == SHARDS and all("goes back to the queue" in log.read_text() for log in logs)
    expected = slow.bytes_without_slurm(tmp_path / "0000.parquet")
    assert all((slow.workspace.folder / name).read_bytes() == expected for name in names)
