"""The files of machines/ are good, and a bad one says where, what is wrong and what would be right."""

from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.machines.load import file_of, known_machines, load_machine, parse_machine

ROOT = Path(__file__).parents[2]
LEONARDO = ROOT / "machines/leonardo.yaml"


@pytest.mark.parametrize("name", known_machines())
def test_every_machine_is_good(name):
    assert load_machine(name).name == name


def test_a_machine_is_found_by_name_or_path():
    assert file_of("leonardo") == LEONARDO
    assert file_of(str(LEONARDO)) == LEONARDO
    with pytest.raises(
        UserError, match=r"no machine 'leonarda'.*did you mean 'leonardo'\? known: leonardo, local, p5, slurm; or"
    ):
        load_machine("leonarda")


def test_leonardo_as_its_guide_has_it():
    machine = load_machine("leonardo")
    booster = machine.node_of("boost_usr_prod")
    assert (booster.cores, booster.gpus, booster.gpu_memory_mb) == (32, 4, 64 * 1024)
    qos = {
        each.name: (each.min_nodes, each.max_nodes, each.max_minutes)
        for each in machine.partitions["boost_usr_prod"].qos
    }
    assert qos == {
        "normal": (1, 64, 24 * 60),
        "boost_qos_dbg": (1, 2, 30),
        "boost_qos_bprod": (65, 256, 24 * 60),
        "boost_qos_lprod": (1, 3, 4 * 24 * 60),
    }
    assert [name for name, each in machine.partitions.items() if each.internet] == ["lrd_all_serial"]
    assert machine.storage["scratch"].purge_days == 40
    assert machine.scheduler.account == "required"


def changed(edit):
    data = yaml.safe_load(LEONARDO.read_text())
    edit(data)
    return data


MISTAKES = {
    "an unknown key": (
        lambda d: d["partitions"]["boost_usr_prod"].update(grez="x"),
        r"leonardo\.yaml:\d+: partitions\.boost_usr_prod\.grez: unknown key; did you mean 'gres'\?",
    ),
    "a missing source": (lambda d: d["nodes"]["booster"].pop("source"), r"nodes\.booster\.source: is missing; NodeShape needs this key"),
    "a text for a number": (lambda d: d["nodes"]["booster"].update(cores="32"), r"booster\.cores: '32' is a text, not a number; write 32 without quotes"),
    "a date that is none": (lambda d: d["nodes"]["booster"].update(date="spring"), r"booster\.date: 'spring' is not a date; write a date, as YYYY-MM-DD"),
    "a node that is not described": (
        lambda d: d["partitions"]["boost_usr_prod"].update(node="boster"),
        r"partitions\.boost_usr_prod\.node: there is no kind of node 'boster'; did you mean 'booster'\? known: booster, serial",
    ),
    "more than a node has": (
        lambda d: d["partitions"]["lrd_all_serial"].update(cores=5), r"partitions\.lrd_all_serial\.cores: 5 is more than the node's 4",
    ),
    "gres of two kinds": (
        lambda d: d["partitions"]["boost_usr_prod"].update(gres="gpu:{gpus},tmpfs:200g"), r"partitions\.boost_usr_prod\.gres: .*one kind of GPU",
    ),
    "limits that cross": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][2].update(max_nodes=64),
        r"partitions\.boost_usr_prod\.qos\.2: max_nodes 64 is less than min_nodes 65",
    ),
    "GPUs without a name": (lambda d: d["nodes"]["booster"].pop("gpu"), r"nodes\.booster: gpus, gpu and gpu_memory_mb go together"),
    "another name": (
        lambda d: d.update(name="leo"),
        r"name: is 'leo', but the file is leonardo\.yaml, and .*; write `name: leonardo`, or rename the file to leo\.yaml",
    ),
    "a folder that depends on where one stands": (
        lambda d: d["containers"].update(binds=["/leonardo_work", "data:/data"]), r"containers\.binds: 'data:/data' is no folder that can be bound",
    ),
    "a folder in a variable": (lambda d: d["containers"].update(binds=["$WORK"]), r"containers\.binds: '\$WORK' is no folder.*without variables"),
    "a relative folder inside": (lambda d: d["containers"].update(binds=["/data:data"]), r"containers\.binds: '/data:data' is no folder"),
    "no partition": (lambda d: d.update(partitions={}), r"a Slurm machine has `partitions`"),
    "a QoS twice": (
        lambda d: d["partitions"]["boost_usr_prod"]["qos"][1].update(name="normal"), r"partitions\.boost_usr_prod\.qos: names a QoS twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name):
    edit, message = MISTAKES[name]
    with pytest.raises(UserError, match=message):
        parse_machine(changed(edit), LEONARDO)


def test_a_file_that_is_no_mapping():
    with pytest.raises(UserError, match="no mapping of keys"):
        parse_machine(["leonardo"], LEONARDO)


def test_a_date_that_is_none_names_its_line(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(LEONARDO.read_text().replace("2025-03-20", "2025-13-45", 1))
    with pytest.raises(UserError, match=r"site\.yaml:\d+.*2025-13-45 is no date: month must be in 1\.\.12"):
        load_machine(str(path))
