"""Staging as Slurm jobs of the partition that has internet, all else on nodes that have none."""

import sys
from datetime import date

import pytest
import yaml
from boot.layout import LOGIN_ADDRESS
from testbed import ROOT, ClusterWorkspace
from workspace import CODE, HUB_REVISION, as_lines

sys.path.append(str(ROOT / "tests/stage"))
from hub_service import Hub

FACTS = {"source": "tests/cluster/boot/templates", "date": date(2026, 11, 22)}
SERIAL = {"node": "serial", "gpus": False, "internet": True, "qos": [{"name": "normal", "max_minutes": 240, **FACTS}]}


@pytest.fixture
def hub(tiny_model):
    """A hub on the login node."""
    with Hub(LOGIN_ADDRESS) as service:
        model = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
        service.add("model", "owner/noise", model, HUB_REVISION)
        service.add("dataset", "owner/code", {"code.jsonl": as_lines(CODE).encode()}, HUB_REVISION)
        yield service


def test_staged_where_there_is_internet_then_used_where_there_is_none(tmp_path, tiny_model, images, hub):
    workspace = ClusterWorkspace(tmp_path / "work", tiny_model, images, stage=tmp_path / "stage")
    workspace.environment["HF_ENDPOINT"] = hub.url
    path = workspace.folder / "machines/testcluster.yaml"
    machine = yaml.safe_load(path.read_text())
    machine["nodes"]["serial"] = {"cores": 4, "memory_mb": 30800, **FACTS}
    machine["partitions"]["lrd_all_serial"] = SERIAL | FACTS
    path.write_text(yaml.safe_dump(machine))

    staging = workspace.start("stage")
    staging.succeed()
    assert len(staging.jobs()) == 2
    records = [yaml.safe_load(each.read_text()) for each in (tmp_path / "stage").rglob("*.prov.json")]
    assert [each["slurm"]["slurm_job_partition"] for each in records] == ["lrd_all_serial"] * 2
    asked = hub.requests
    assert asked > 0

    machine["partitions"].pop("lrd_all_serial")
    path.write_text(yaml.safe_dump(machine))
    hub.server.shutdown()
    names = ("models/noise/model.json", "questions/code-train/0000.parquet")
    using = workspace.start(*(f"results/tiny/{name}" for name in names))
    using.succeed()
    assert {workspace.sidecar(name)["slurm"]["slurm_job_partition"] for name in names} == {"boost_usr_prod"}
    assert hub.requests == asked
