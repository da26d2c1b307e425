"""The cluster itself: named and limited as on Leonardo, and cut off from the world."""

from boot.layout import ACCOUNT, NODES, node_address
from testbed import DRIVER, ROOT, run


def srun(*words):
    return run("srun", "-A", ACCOUNT, "-p", "boost_usr_prod", "-t", "5", *words)


def test_nodes_partitions_and_qos():
    shown = run("sinfo", "-h", "-N", "-p", "boost_usr_prod", "-o", "%N %c %m %G")
    assert shown.splitlines() == [f"{node} 32 494000 gpu:a100:4" for node in NODES]
    qos = run("sacctmgr", "-n", "-P", "show", "qos", "format=name,maxwall,maxtresperjob,preemptmode")
    assert {"boost_qos_dbg|00:30:00|node=2|cluster", "scavenge||node=64|requeue"} <= set(qos.splitlines())
    assert run("sinfo", "-h", "-p", "lrd_all_serial", "-o", "%l") == "4:00:00"


def test_a_job_of_two_nodes_sees_its_gpus():
    seen = srun("-N2", "--gres=gpu:4", "bash", "-c", "echo $(hostname) $CUDA_VISIBLE_DEVICES")
    assert sorted(seen.splitlines()) == [f"{node} 0,1,2,3" for node in NODES[:2]]


def test_limits_hold():
    words = ["sbatch", "-A", ACCOUNT, "-p", "boost_usr_prod", "--wrap", "true"]
    refused = run("bash", "-c", f"{' '.join(words)} --qos=boost_qos_dbg -t 60 2>&1 || true")
    assert "QOSMaxWallDurationPerJobLimit" in refused


def test_no_way_leads_out_of_a_node():
    routes = srun("ip", "route")
    assert routes.splitlines() and all(line.startswith("10.77.0.0/24") for line in routes.splitlines())
    out = srun("bash", "-c", "(echo > /dev/tcp/1.1.1.1/53) 2>&1 || true")
    assert "Network is unreachable" in out


def test_nodes_are_told_apart_and_reach_each_other():
    seen = srun(
        "-N2", "-n2", "bash", "-c", "echo $(hostname) $(ip -4 -o addr show eth0 | grep -oE '10[.0-9]+' | head -1)"
    )
    assert sorted(seen.splitlines()) == [f"{node} {node_address(node)}" for node in NODES[:2]]
    (login,) = srun("-N1", "bash", "-c", "(echo > /dev/tcp/login01/6817) && echo reached").splitlines()
    assert login == "reached"


def test_the_machines_file_says_what_slurm_says():
    run(str(DRIVER / "thoughtline"), "machines", "check", str(ROOT / "tests/cluster/testcluster.yaml"))
