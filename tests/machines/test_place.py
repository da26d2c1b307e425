"""From what a job needs to where it goes: the smallest place that fits, more at each attempt, one error where nothing fits."""

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.machines.load import file_of, load_machine, parse_machine
from thoughtline.machines.place import RESOURCES, Demand, Placer, place, resources

LEONARDO, P5, LOCAL = load_machine("leonardo"), load_machine("p5"), load_machine("local")
SMALL = Demand(cpus=4, mem_mb=16000, minutes=120)


def where(machine, demand, attempt=1, only=None):
    found = place(machine, demand, attempt, only)
    return found.partition, found.qos, found.nodes, found.gpus, found.cpus, found.mem_mb, found.minutes


def test_small_work_goes_to_the_serial_partition():
    assert where(LEONARDO, SMALL) == ("lrd_all_serial", "normal", 1, 0, 4, 16000, 120)


def test_work_of_many_shards_does_not_queue_on_four_cores():
    shards = Demand(cpus=4, mem_mb=8000, minutes=120, jobs=200)
    assert where(LEONARDO, shards) == ("boost_usr_prod", "normal", 1, 0, 4, 8000, 120)


def test_few_shards_do():
    assert place(LEONARDO, Demand(cpus=4, mem_mb=8000, minutes=120, jobs=4)).partition == "lrd_all_serial"
    assert place(LEONARDO, Demand(cpus=1, mem_mb=4000, minutes=120, jobs=16)).partition == "lrd_all_serial"
    assert place(LEONARDO, Demand(cpus=1, mem_mb=4000, minutes=120, jobs=17)).partition == "boost_usr_prod"


def test_where_only_one_partition_has_internet_many_downloads_queue_there():
    assert (
        place(LEONARDO, Demand(cpus=2, mem_mb=8000, minutes=120, internet=True, jobs=500)).partition == "lrd_all_serial"
    )


@pytest.mark.parametrize(
    ("machine", "gpus", "expected"),
    [
        (LEONARDO, 1, ("boost_usr_prod", "normal", 1, 1, 8, 123500, 60)),
        (LEONARDO, 2, ("boost_usr_prod", "normal", 1, 2, 16, 247000, 60)),
        (LEONARDO, 4, ("boost_usr_prod", "normal", 1, 4, 32, 494000, 60)),
        (LEONARDO, 32, ("boost_usr_prod", "normal", 8, 4, 32, 494000, 60)),
        (LEONARDO, 384, ("boost_usr_prod", "boost_qos_bprod", 96, 4, 32, 494000, 60)),
        (P5, 1, ("p5", "normal", 1, 1, 24, 249036, 60)),
        (P5, 8, ("p5", "normal", 1, 8, 192, 1992294, 60)),
        (P5, 32, ("p5", "normal", 4, 8, 192, 1992294, 60)),
    ],
)
def test_gpus_take_their_part_of_a_node_or_whole_nodes(machine, gpus, expected):
    assert where(machine, Demand(gpus=gpus)) == expected


def test_the_same_gpus_are_fewer_nodes_where_nodes_have_more():
    assert (place(LEONARDO, Demand(gpus=16)).nodes, place(P5, Demand(gpus=16)).nodes) == (4, 2)


def test_long_work_that_cannot_go_on_takes_the_long_qos():
    assert where(LEONARDO, Demand(gpus=4, minutes=3000)) == (
        "boost_usr_prod",
        "boost_qos_lprod",
        1,
        4,
        32,
        494000,
        3000,
    )


def test_resumable_work_is_cut_into_the_longest_segments_there_are():
    thirty_hours = Demand(gpus=384, minutes=1800, resumable=True)
    assert where(LEONARDO, thirty_hours)[1:] == ("boost_qos_bprod", 96, 4, 32, 494000, 1440)
    four_days = Demand(gpus=4, minutes=9000, resumable=True)
    assert where(LEONARDO, four_days)[1] == "boost_qos_lprod"
    assert where(LEONARDO, four_days)[-1] == 5760


def test_training_takes_all_the_time_of_the_first_qos():
    assert where(LEONARDO, Demand(gpus=32, resumable=True, unlimited=True))[-1] == 1440
    assert where(P5, Demand(gpus=32, resumable=True, unlimited=True))[-1] == 2880


def test_a_qos_for_trying_out_is_used_only_when_it_is_named():
    short = Demand(gpus=4, minutes=20)
    assert place(LEONARDO, short).qos == "normal"
    assert place(LEONARDO, short, only="boost_qos_dbg").qos == "boost_qos_dbg"
    with pytest.raises(UserError, match="boost_usr_prod/boost_qos_dbg ends jobs after 30 minutes, before 60"):
        place(LEONARDO, Demand(gpus=4), only="boost_qos_dbg")
    with pytest.raises(
        UserError,
        match=r"no QoS 'boost_qos_debug'; did you mean 'boost_qos_dbg'\? known: boost_qos_bprod, boost_qos_dbg",
    ):
        place(LEONARDO, short, only="boost_qos_debug")


def test_each_attempt_has_more_memory_and_time_and_moves_on_when_they_no_longer_fit():
    places = [where(LEONARDO, SMALL, attempt) for attempt in (1, 2, 3)]
    assert [each[0] for each in places] == ["lrd_all_serial", "boost_usr_prod", "boost_usr_prod"]
    assert [each[-2:] for each in places] == [(16000, 120), (32000, 240), (48000, 360)]


def test_more_stops_at_what_there_is():
    assert where(LEONARDO, Demand(mem_mb=300000, minutes=60), 2)[5] == 494000
    assert where(P5, Demand(minutes=2000), 3)[-1] == 2880
    assert where(LEONARDO, Demand(gpus=1, mem_mb=1000), 9)[5] == 494000


def test_work_that_goes_on_where_it_stopped_gets_more_memory_but_no_more_time():
    again = Demand(gpus=1, minutes=720, resumable=True)
    assert where(LEONARDO, again, 2)[-2:] == (247000, 720)


NOWHERE = {
    "too many nodes": (Demand(gpus=4 * 300), "boost_usr_prod/boost_qos_bprod takes no job of more than 256 nodes"),
    "GPUs that fill no nodes": (Demand(gpus=6), "6 GPUs do not fill nodes of 4"),
    "too much memory": (Demand(mem_mb=600000), "boost_usr_prod/normal has 494000 MB a node, not 600000"),
    "too many cores": (Demand(cpus=33), "boost_usr_prod/normal has 32 cores a node, not 33"),
    "too long": (Demand(minutes=6000), "boost_usr_prod/boost_qos_lprod ends jobs after 5760 minutes, before 6000"),
    "GPUs with internet": (
        Demand(gpus=1, internet=True),
        "lrd_all_serial/normal has no GPUs; boost_usr_prod/normal has no internet",
    ),
}


@pytest.mark.parametrize("name", NOWHERE)
def test_what_fits_nowhere_is_refused_with_each_reason(name):
    demand, reason = NOWHERE[name]
    with pytest.raises(UserError, match=reason):
        place(LEONARDO, demand)


def test_a_check_names_the_key_that_asks():
    with pytest.raises(UserError, match=r"^models\.big\.stages: machine leonardo takes no job with 6 GPUs"):
        Placer(LEONARDO).check([("scores", Demand()), ("models.big.stages", Demand(gpus=6))])


def test_resources_of_one_node():
    found = resources(place(LEONARDO, Demand(gpus=1)), "iscrc_x")
    assert found["gres"] == "gpu:1"
    assert found["tasks_per_gpu"] == 0
    assert found["mpi"] is None
    assert found["slurm_extra"] is None
    assert (found["nodes"], found["tasks"], found["slurm_account"]) == (1, 1, "iscrc_x")


def test_resources_of_several_nodes():
    found = resources(place(LEONARDO, Demand(gpus=32)))
    assert {key: found[key] for key in ("nodes", "tasks", "mpi", "gres", "tasks_per_gpu", "cpus_per_task", "slurm_extra")} == {
        "nodes": 8, "tasks": 8, "mpi": "srun", "gres": "gpu:4", "tasks_per_gpu": 0, "cpus_per_task": 32, "slurm_extra": "--exclusive",
    }  # fmt: skip


def test_jobs_without_gpus_ask_for_none():
    found = resources(place(LEONARDO, SMALL))
    assert found["gres"] is None
    assert found["tasks_per_gpu"] is None


def test_bad_nodes_are_avoided():
    data = yaml.safe_load(file_of("leonardo").read_text())
    data["exclude_nodes"] = [
        {"name": "lrdn0002", "reason": "hangs", "source": "us", "date": data["nodes"]["booster"]["date"]}
    ]
    machine = parse_machine(data, file_of("leonardo"))
    placer = Placer(machine, exclude=["lrdn0001"])
    assert placer.resources(SMALL)["slurm_extra"] == "--exclude=lrdn0001,lrdn0002"
    assert placer.resources(Demand(gpus=4))["slurm_extra"] == "--exclusive --exclude=lrdn0001,lrdn0002"


def test_this_machine_is_asked_for_nothing_but_memory_and_time():
    found = Placer(LOCAL, account="x", exclude=["y"]).resources(Demand(cpus=4, mem_mb=12000, minutes=720, gpus=4), 3)
    assert found == dict.fromkeys(RESOURCES) | {"mem_mb": 12000, "runtime": 720}


def test_a_qos_without_internet_does_not_count_for_jobs_that_need_it():
    staging = Demand(cpus=2, mem_mb=4000, minutes=240, internet=True)
    assert where(LEONARDO, staging, only="boost_qos_dbg") == where(LEONARDO, staging)
    with pytest.raises(UserError, match=r"leave `qos` out"):
        place(LEONARDO, Demand(cpus=2, mem_mb=4000, minutes=240), only="boost_qos_dbg")
    with pytest.raises(UserError, match=r"config: qos: .*no QoS 'boost_qos_dgb'"):
        place(LEONARDO, staging, only="boost_qos_dgb")
