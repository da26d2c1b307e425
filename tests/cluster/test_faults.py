"""What can happen to a job, and to its driver: nothing finished is lost, nobody writes twice, and the end is the same bytes.

All scenarios run at once, for their jobs mostly sleep; each test looks at one of them. Two nodes are for those who lose them (FRAGILE).
"""

import contextlib
import re
import shlex
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from boot import nodes
from boot.layout import ACCOUNT, NODES
from long_runs import long_run
from slow_verdicts import ROWS, VERDICTS, SlowVerdicts
from testbed import FRAGILE, ClusterWorkspace, field, run, state, wait_for
from thoughtline.common.files import sha256_file

SHARDS = 4

ENOUGH = 4
"""Finished rows after which a job is disturbed."""


def all_but(node):
    """The other nodes, as exclude_nodes takes them."""
    return ",".join(each for each in NODES if each != node)


def timeout(slow):
    driver = slow.start()
    job = driver.first_job()
    seen = slow.wait_for_rows(ENOUGH)
    run("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    wait_for("TIMEOUT", lambda: state(job) == "TIMEOUT")
    driver.succeed()
    return {"driver": driver, "seen": seen}


def out_of_memory(slow):
    """One of the programs, all right by itself, is too large for the job beside it."""
    slow.workspace.edit(
        "scripts/thoughtline/machines/demands.py",
        '"verdicts": Demand(cpus=4, mem_mb=8000',
        '"verdicts": Demand(cpus=4, mem_mb=900',
    )
    driver = slow.start()
    driver.succeed()
    first, second = driver.jobs()
    memory = [int(field(job, "MinMemoryNode").rstrip("M")) for job in (first, second)]
    return {"driver": driver, "memory": memory, "state": state(first)}


def preemption(slow):
    driver = slow.start("--config", "qos=scavenge", f"exclude_nodes={all_but('lrdn0003')}")
    job = driver.first_job()
    seen = slow.wait_for_rows(ENOUGH)
    words = ["-A", ACCOUNT, "-p", "boost_usr_prod", "--qos=normal", "-w", "lrdn0003", "--exclusive", "-t", "1"]
    run("sbatch", *words, "-o", "/dev/null", "--wrap", "sleep 3")
    wait_for("preemption", lambda: state(job) == "PENDING")
    driver.succeed()
    return {"driver": driver, "seen": seen, "restarts": field(job, "Restarts")}


def node_loss(slow, cluster):
    slow.workspace.edit("scripts/thoughtline/common/lease.py", "DEAD = 120.0", "DEAD = 10.0")
    driver = slow.start("--config", f"exclude_nodes={all_but('lrdn0002')}")
    job = driver.first_job()
    seen = slow.wait_for_rows(ENOUGH)
    node = field(job, "BatchHost")
    nodes.cut(cluster, node)
    run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")
    wait_for("a requeued job", lambda: state(job) == "PENDING")
    run("scontrol", "update", f"JobId={job}", "ExcNodeList=lrdn0001,lrdn0003")
    driver.succeed()
    return {
        "driver": driver,
        "seen": seen,
        "restarts": field(job, "Restarts"),
        "nodes": {node, field(job, "BatchHost")},
    }


def out_of_time(slow):
    slow.workspace.edit("rules/verdicts.smk", "--minutes {resources.runtime}", "--minutes 0.3")
    driver = slow.start()
    driver.succeed()
    return {"driver": driver, "restarts": field(driver.first_job(), "Restarts")}


def killed_driver(slow):
    first = slow.start()
    job = first.first_job()
    seen = slow.wait_for_rows(ENOUGH)
    first.signal(signal.SIGKILL)
    second = slow.start()
    other = second.first_job()
    waiting = field(other, "Dependency")
    second.succeed()
    ended, started = field(job, "EndTime"), field(other, "StartTime")
    return {
        "seen": seen, "second": second, "jobs": (job, other), "waiting": waiting, "ended": ended, "started": started,
        "states": (state(job), state(other)),
    }  # fmt: skip


def killed_before_start(slow):
    """The driver dies while its job waits in the queue."""
    first = slow.start("--set-resources", "verify_traces:slurm_extra='--begin=now+600'")
    job = first.first_job()
    wait_for("a waiting job", lambda: state(job) == "PENDING")
    first.signal(signal.SIGKILL)
    second = slow.start()
    second.succeed()
    return {"second": second, "state": state(job)}


def cancelled(slow):
    first = slow.start()
    job = first.first_job()
    seen = slow.wait_for_rows(ENOUGH)
    first.signal(signal.SIGINT)
    code = first.wait()
    wait_for("the job's end", lambda: state(job) not in ("RUNNING", "COMPLETING"))
    after = state(job)
    left = list(slow.out.parent.glob("*")) if slow.out.parent.is_dir() else []
    slow.start().succeed()
    return {"seen": seen, "code": code, "state": after, "left": left}


def purged(slow):
    """The work folder vanishes while the driver is away."""
    first = slow.start()
    slow.wait_for_rows(ENOUGH)
    first.signal(signal.SIGINT)
    first.wait()
    wait_for("the job's end", lambda: not queue_of(slow))
    shutil.rmtree(slow.journal.parent)
    slow.start().succeed()
    return {}


def full(slow, cluster):
    """The work folder is on a file system with no room; later there is some."""
    work = slow.journal.parent
    work.parent.mkdir(parents=True)
    work.symlink_to(cluster.folder / "small")
    filler = cluster.folder / "small/filler"
    with open(filler, "wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(b"x" * 4096)
    driver = slow.start("--retries", "0")
    code = driver.wait()
    told, left = slow.told(), slow.out.exists()
    filler.unlink()
    slow.start().succeed()
    return {"code": code, "told": told, "left": left}


def two_writers(slow):
    """Two jobs for one artifact that nobody has put in order: the lease does."""
    first = slow.start()
    job = first.first_job()
    slow.wait_for_rows(1)
    other = run(
        "env", *(f"{key}={value}" for key, value in slow.workspace.environment.items()),
        "sbatch", "--parsable", "-A", ACCOUNT, "-p", "boost_usr_prod", "-t", "5", "--mem=8000", "--cpus-per-task=4",
        "-D", str(slow.workspace.folder), "-o", str(slow.workspace.folder / "second.out"), "--wrap", shlex.join(slow.command()),
    )  # fmt: skip
    first.succeed()
    wait_for("the second job", lambda: state(other) not in ("RUNNING", "COMPLETING", "PENDING"))
    return {"states": (state(job), state(other)), "told": (slow.workspace.folder / "second.out").read_text()}


def array(slow):
    """Shards as tasks of one job array, each of which runs out of time."""
    slow.workspace.edit("rules/verdicts.smk", "--minutes {resources.runtime}", "--minutes 0.3")
    names = [f"results/tiny/{name}" for name in slow.copy_shard(SHARDS)]
    few = slow.workspace.start(*names, "--slurm-array-jobs", "verify_traces", "--jobs", "2")
    few.wait()
    driver = slow.workspace.start(*names, "--slurm-array-jobs", "verify_traces", "--jobs", str(SHARDS))
    driver.succeed()
    return {"few": few, "driver": driver, "outputs": [slow.workspace.folder / name for name in names]}


def queue_of(slow):
    """Jobs of this workspace in the queue."""
    return [line for line in run("squeue", "-h", "-o", "%i %Z").splitlines() if str(slow.workspace.folder) in line]


HUNGRY = "```python\ndef f(x):\n    kept = b'x' * (1000 << 20)\n    return x + 1\n```"
SCENARIOS = [
    timeout, out_of_memory, preemption, node_loss, out_of_time, killed_driver, killed_before_start, cancelled, purged, full, two_writers, array,
]  # fmt: skip
AT_ONCE = 6


@long_run()
def ran(runs):
    """Scenario -> what it saw, as a future; beside it the verdicts."""
    found, cluster = {}, runs.cluster
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def go(scenario):
            image = None if scenario is two_writers else runs.verify_image  # which repeats a job's command outside
            slow = SlowVerdicts(ClusterWorkspace(runs.folder(scenario.__name__), runs.model, image), HUNGRY)
            away = {"exclude_nodes": list(FRAGILE), "execution": {"workers": 1}}
            slow.workspace.site(machine="testcluster", account=ACCOUNT, **away)
            seen = scenario(slow, cluster) if scenario in (node_loss, full) else scenario(slow)
            return {**seen, "slow": slow}

        for scenario in SCENARIOS:
            found[scenario] = pool.submit(go, scenario)
            time.sleep(1)  # not all at the same moment
        pool.shutdown(wait=True)
    return {scenario: future.result for scenario, future in found.items()}


@long_run(after=("ran",))
def undisturbed(runs):
    """The bytes that one undisturbed run without Slurm gives, by whether it is in the image: another Python has another fingerprint."""
    made = {}
    for scenario in (timeout, two_writers):
        slow = runs["ran"][scenario]()["slow"]
        if slow.in_image not in made:
            made[slow.in_image] = slow.bytes_without_slurm(runs.folder("undisturbed"))
    return made


def test_jobs_run_in_the_image_where_there_is_one(ran, verify_image):
    known = verify_image and sha256_file(verify_image / "verify.sif")
    assert ran[timeout]()["slow"].workspace.sidecar(VERDICTS)["container_sha256"] == known


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_end_is_the_same_bytes(ran, undisturbed, scenario):
    slow = ran[scenario]()["slow"]
    assert slow.out.read_bytes() == undisturbed[slow.in_image]
    counts = slow.workspace.sidecar(VERDICTS)["counts"]
    assert counts["in"] == counts["out"] == ROWS


def test_a_job_that_hit_its_limit_is_retried_and_goes_on(ran):
    seen = ran[timeout]()
    assert len(seen["driver"].jobs()) == 2
    assert seen["slow"].reused()[-1] >= seen["seen"]


def test_a_job_out_of_memory_gets_more_and_judges_nobody_by_it(ran):
    seen = ran[out_of_memory]()
    first, second = seen["memory"]
    assert second == 2 * first
    assert seen["state"] == "FAILED" and "the job reached its limit" in seen["slow"].told()
    assert seen["slow"].reused()[1] >= ROWS // 2


@pytest.mark.parametrize("scenario", [preemption, node_loss], ids=["preemption", "node_loss"])
def test_slurm_requeues_what_it_took_away(ran, scenario):
    seen = ran[scenario]()
    assert seen["restarts"] == "1" and len(seen["driver"].jobs()) == 1
    assert seen["slow"].reused()[-1] >= seen["seen"]


def test_a_lost_node_is_not_used_again(ran):
    assert len(ran[node_loss]()["nodes"]) == 2


def test_work_longer_than_a_limit_is_a_chain_in_one_job(ran):
    seen = ran[out_of_time]()
    assert int(seen["restarts"]) >= 1 and len(seen["driver"].jobs()) == 1
    reused = seen["slow"].reused()
    assert len(reused) == int(seen["restarts"]) + 1
    assert "goes back to the queue" in seen["slow"].told()
    assert reused == sorted(set(reused)) and reused[0] == 0


def test_a_new_driver_waits_for_the_job_that_still_runs(ran):
    seen = ran[killed_driver]()
    first, second = seen["jobs"]
    assert "an earlier driver left 1 jobs" in seen["second"].text
    assert seen["waiting"].startswith(f"afterany:{first}")
    assert seen["states"] == ("COMPLETED", "COMPLETED") and first != second
    assert seen["ended"] <= seen["started"]
    assert seen["slow"].reused() == [0, ROWS]


def test_a_new_driver_cancels_what_has_not_started(ran):
    seen = ran[killed_before_start]()
    assert seen["state"] == "CANCELLED"
    assert seen["slow"].reused() == [0]


def test_ctrl_c_cancels_the_jobs(ran):
    seen = ran[cancelled]()
    assert seen["code"] != 0 and seen["state"] in ("CANCELLED", "FAILED") and seen["left"] == []
    assert seen["slow"].reused()[-1] >= seen["seen"]


def test_a_purged_work_folder_starts_anew(ran):
    assert ran[purged]()["slow"].reused()[-1] == 0


def test_no_room_is_said_clearly(ran):
    seen = ran[full]()
    assert seen["code"] != 0 and not seen["left"]
    assert "No space left on device" in seen["told"] and "make room" in seen["told"]
    assert "MissingOutputException" not in seen["told"]  # the command's own exit code counts


def test_a_second_writer_waits_and_finds_it_done(ran):
    seen = ran[two_writers]()
    assert seen["states"] == ("COMPLETED", "COMPLETED")
    assert "waiting for another writer" in seen["told"] and f"{ROWS} from an earlier run" in seen["told"]


def test_tasks_of_an_array_go_on_each_by_itself(ran, undisturbed):
    seen = ran[array]()
    assert f"this run has {SHARDS} jobs and room for 2 at a time" in seen["few"].text and seen["few"].jobs() == []
    (number,) = re.findall(rf"SLURM job ID (\d+)\. The individual task IDs are 1-{SHARDS}", seen["driver"].text)
    logs = list((seen["slow"].workspace.folder / "results/slurm_logs/rule_verify_traces").glob(f"{number}_*.log"))
    assert len(logs) == SHARDS and all("goes back to the queue" in log.read_text() for log in logs)
    expected = undisturbed[seen["slow"].in_image]
    assert all(path.read_bytes() == expected for path in seen["outputs"])


def test_a_rejected_submission_stops_the_run_and_leaves_nothing(cluster, tiny_model, tmp_path):
    slow = SlowVerdicts(ClusterWorkspace(tmp_path, tiny_model))
    slow.workspace.site(machine="testcluster", account="not_ours")
    driver = slow.start()
    assert driver.wait() != 0
    assert "not_ours" in driver.text
    slow.workspace.site(machine="testcluster", account=ACCOUNT)
    slow.workspace.edit("machines/testcluster.yaml", "- name: normal", "- name: gone")
    driver = slow.start()
    assert driver.wait() != 0
    assert re.search(r"sbatch: error: .*Invalid qos", driver.text)
    assert queue_of(slow) == [] and not slow.out.exists()
