"""A machine's file against Slurm's own words, as a Slurm 22.05 with three nodes said them."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from thoughtline.machines.check import differences
from thoughtline.machines.load import file_of, parse_machine
from thoughtline.machines.slurm import PartitionAnswer, minutes, partitions_of, qos_of, tres

ROOT = Path(__file__).parents[2]
SINFO = """\
lrd_all_serial|32|494000|gpu:a100:4
boost_usr_prod|32|494000|gpu:a100:4(S:0)
"""
SCONTROL = """\
PartitionName=lrd_all_serial AllowGroups=ALL AllowQos=ALL Default=YES MaxNodes=1 MaxTime=04:00:00 MinNodes=0 LLN=NO MaxCPUsPerNode=4 Nodes=lrdn0001 MaxMemPerNode=30800 TRES=cpu=32
PartitionName=boost_usr_prod AllowGroups=ALL AllowQos=normal,boost_qos_dbg,boost_qos_lprod,boost_qos_bprod MaxNodes=UNLIMITED MaxTime=1-00:00:00 MaxCPUsPerNode=UNLIMITED MaxMemPerNode=UNLIMITED
"""  # noqa: E501
SACCTMGR = """\
normal||||||
boost_qos_dbg|00:30:00|node=2||node=2,cpu=64,gres/gpu=8||DenyOnLimit
boost_qos_lprod|4-00:00:00|node=3||node=3,gres/gpu=12||DenyOnLimit,PartitionTimeLimit
boost_qos_bprod|1-00:00:00|node=256|node=65|node=256||
"""


def machine(edit=lambda data: None):
    data = copy.deepcopy(yaml.safe_load(file_of("leonardo").read_text()))
    # What the answers above do not limit.
    serial, booster = data["partitions"]["lrd_all_serial"]["qos"][0], data["partitions"]["boost_usr_prod"]["qos"][0]
    del serial["user_nodes"], serial["user_cores"], booster["max_nodes"]
    edit(data)
    return parse_machine(data, file_of("leonardo"))


def found(edit=lambda data: None, sinfo=SINFO, scontrol=SCONTROL, sacctmgr=SACCTMGR):
    return differences(machine(edit), partitions_of(sinfo, scontrol), None if sacctmgr is None else qos_of(sacctmgr))


def test_what_slurm_says():
    answers = partitions_of(SINFO, SCONTROL)
    assert answers["lrd_all_serial"] == PartitionAnswer(
        cores=32, memory_mb=494000, gpus=4, gpu_types=frozenset({"a100"}), max_minutes=240, max_nodes=1, max_cores=4, max_memory_mb=30800,
    )  # fmt: skip
    assert answers["boost_usr_prod"].qos == {"normal", "boost_qos_dbg", "boost_qos_lprod", "boost_qos_bprod"}
    assert answers["boost_usr_prod"].max_nodes is None
    assert qos_of(SACCTMGR)["boost_qos_dbg"].user_tres == {"node": 2, "cpu": 64, "gres/gpu": 8}


def test_nodes_of_several_kinds_count_as_the_smallest():
    mixed = "p|64+|500000+|gpu:h100:8\np|32|250000|gpu:4,nvme:1\np|48|300000|(null)\n"
    answer = partitions_of(mixed, "")["p"]
    assert (answer.cores, answer.memory_mb, answer.gpus, answer.gpu_types) == (32, 250000, 0, {"h100"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-00:00:00", 1440),
        ("4-00:00:00", 5760),
        ("00:30:00", 30),
        ("90", 90),
        ("90:30", 90),
        ("2-12", 3600),
        ("infinite", None),
        ("", None),
    ],
)
def test_times(text, expected):
    assert minutes(text) == expected


def test_limits_by_resource():
    assert tres("cpu=4,mem=30800M,gres/gpu=2,billing=7") == {"cpu": 4, "mem": 30800, "gres/gpu": 2, "billing": 7}
    assert tres("mem=1.5G") == {"mem": 1536}
    assert tres("") == {}


def test_nothing_differs():
    assert found() == []


DIFFERENCES = {
    "cores": (lambda d: d["nodes"]["booster"].update(cores=48), "partitions.boost_usr_prod: cores a node: the file says 48, Slurm says 32"),
    "memory": (lambda d: d["nodes"]["booster"].update(memory_mb=512000),
        "partitions.boost_usr_prod: memory_mb a node: the file says 512000, Slurm says 494000"),
    "GPUs": (lambda d: d["nodes"]["booster"].update(gpus=8), "partitions.boost_usr_prod: GPUs a node: the file says 8, Slurm says 4"),
    "the kind of GPU": (
        lambda d: d["partitions"]["boost_usr_prod"].update(gres="gpu:h100:{gpus}"), "partitions.boost_usr_prod.gres: the file says h100, Slurm says a100",
    ),
    "a time limit": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][0].update(max_minutes=2880),
        "partitions.boost_usr_prod.qos.normal.max_minutes: the file says 2880, Slurm says 1440",
    ),
    "least nodes": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][2].update(min_nodes=128),
        "partitions.boost_usr_prod.qos.boost_qos_bprod.min_nodes: the file says 128, Slurm says 65",
    ),
    "most nodes": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][0].update(max_nodes=64),
        "partitions.boost_usr_prod.qos.normal.max_nodes: the file says 64, Slurm says no limit",
    ),
    "what a user may hold": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][3].update(user_gpus=16),
        "partitions.boost_usr_prod.qos.boost_qos_lprod.user_gpus: the file says 16, Slurm says 12",
    ),
    "a QoS that is not there": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][1].update(name="boost_qos_debug"),
        "partitions.boost_usr_prod.qos.boost_qos_debug: Slurm has no such QoS; it has boost_qos_bprod, boost_qos_dbg, boost_qos_lprod, normal",
    ),
    "a partition that is not there": (
        lambda d: d["partitions"].update(boost_user_prod=d["partitions"].pop("boost_usr_prod")),
        "partitions.boost_user_prod: Slurm has no such partition; it has boost_usr_prod, lrd_all_serial",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_difference_is_a_line(name):
    edit, line = DIFFERENCES[name]
    assert found(edit) == [line]


def test_a_qos_that_the_partition_does_not_allow():
    closed = SCONTROL.replace("AllowQos=normal,boost_qos_dbg,", "AllowQos=normal,")
    assert found(scontrol=closed) == [
        "partitions.boost_usr_prod.qos.boost_qos_dbg: the partition does not allow it; it allows boost_qos_bprod, boost_qos_lprod, normal"
    ]


def test_a_longer_qos_counts_only_with_the_flag_that_says_so():
    assert found(sacctmgr=SACCTMGR.replace(",PartitionTimeLimit", "")) == [
        "partitions.boost_usr_prod.qos.boost_qos_lprod.max_minutes: the file says 5760, Slurm says 1440"
    ]


def test_a_jobs_share_may_be_the_users_limit():
    """CINECA gives a user four cores by the QoS, not by the partition."""
    by_partition = SCONTROL.replace("MaxCPUsPerNode=4", "MaxCPUsPerNode=UNLIMITED").replace(
        "MaxMemPerNode=30800", "MaxMemPerNode=UNLIMITED"
    )
    by_user = SACCTMGR.replace("normal||||||", "normal||||cpu=4,mem=30800M||")
    lines = found(
        lambda d: d["partitions"]["lrd_all_serial"]["qos"][0].update(user_cores=4),
        scontrol=by_partition,
        sacctmgr=by_user,
    )
    assert [line for line in lines if "lrd_all_serial" in line] == []


def test_jobs_in_the_queue():
    assert found(sacctmgr=SACCTMGR.replace("normal||||||", "normal|||||100|")) == [
        "scheduler.queued: the file says 500, Slurm says 100"
    ]


def test_without_sacctmgr_the_rest_is_compared():
    edit, line = DIFFERENCES["cores"]
    assert found(edit, sacctmgr=None) == [line]


def thoughtline(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "thoughtline", "machines", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **environment},
    )  # fmt: skip


def test_a_machine_without_slurm_says_what_is_missing(tmp_path):
    run = thoughtline("check", "leonardo", PATH=str(tmp_path))
    assert run.returncode == 2
    assert "sinfo, scontrol, sacctmgr: no such command here, nothing was compared" in run.stderr


def test_the_local_machine_has_nothing_to_compare():
    run = thoughtline("check", "local")
    assert run.returncode == 2
    assert "not under Slurm" in run.stderr


def test_show_says_where_the_jobs_of_a_recipe_go():
    run = thoughtline("show", "leonardo", "recipes/openthinker.yaml")
    assert run.returncode == 0, run.stderr
    assert "| boost_usr_prod | boost_qos_bprod | 32 cores, 494 GB, 4 x NVIDIA A100" in run.stdout
    assert (
        "models.deepseek-r1.engine: boost_usr_prod/normal: 4 nodes, alone, each 32 cores, 4 GPUs, 494000 MB; 720 minutes"
        in run.stdout
    )
    assert (
        "models.openthinker-32b.stages: boost_usr_prod/normal: 8 nodes, alone, each 32 cores, 4 GPUs, 494000 MB; 1440 minutes"
        in run.stdout
    )
