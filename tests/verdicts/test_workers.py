"""Worker processes: limits in CPU time and memory, replacement, errors."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from thoughtline.verdicts import workers
from thoughtline.verdicts.workers import Worker, WorkerLost

_kept = []


# Functions for the worker of the tests below (it imports this module).
def warm_up():
    pass


def behave(how):
    if how == "hang":
        while True:
            pass
    if how == "sleep":
        time.sleep(100)
    if how == "work":
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass
        return "worked"
    if how == "power":
        return 7 ** (10**9)
    if how == "memory":
        return len(bytearray(10**10))
    if how == "keep":
        _kept.append(bytearray(80 << 20))
    if how == "need":
        return len(bytearray(80 << 20))
    if how == "environment":
        return os.environ.get("THOUGHTLINE_TEST")
    if how == "die":
        os.abort()
    if how == "raise":
        raise ValueError("so it is")
    return how


@pytest.fixture(scope="module")
def worker():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.path.dirname(__file__))
        with Worker("test_workers:behave", 128) as made:
            yield made


@pytest.mark.parametrize(
    ("how", "reason"),
    [("hang", "time_limit"), ("power", "time_limit"), ("memory", "memory_limit"), ("die", "memory_limit")],
)
def test_lost_worker_is_replaced(worker, how, reason):
    with pytest.raises(WorkerLost) as lost:
        worker.ask(how, 0.5)
    assert lost.value.reason == reason
    assert worker.ask("fine", 60) == "fine"


def test_an_exception_is_an_error_and_the_worker_stays(worker):
    with pytest.raises(RuntimeError, match="so it is"):
        worker.ask("raise", 60)
    process = worker.pid
    assert worker.ask(["x"], 60) == ["x"]
    assert worker.pid == process


def test_a_replacement_needs_no_new_start(worker):
    worker.ask("fine", 60)
    keeper, first = worker._keeper.pid, worker.pid
    with pytest.raises(WorkerLost):
        worker.ask("hang", 0.1)
    assert worker.ask("fine", 60) == "fine"
    assert worker._keeper.pid == keeper
    assert worker.pid != first


def test_a_worker_is_replaced_after_so_many_questions(worker, monkeypatch):
    with pytest.raises(WorkerLost):
        worker.ask("hang", 0.1)
    monkeypatch.setattr(workers, "QUESTIONS", 3)
    processes = []
    for _ in range(7):
        assert worker.ask("fine", 60) == "fine"
        processes.append(worker.pid)
    assert [processes.count(each) for each in dict.fromkeys(processes)] == [3, 3, 1]


def test_nothing_is_left(worker):
    worker.ask("fine", 60)
    processes = [worker._keeper.pid, worker.pid]
    worker.close()
    for _ in range(100):  # the worker is init's child now, or is being reaped
        left = [pid for pid in processes if _runs(pid)]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    assert worker.ask("fine", 60) == "fine"


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_ends_with_who_asked(tmp_path):
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1:]; from thoughtline.verdicts.workers import Worker;"
        "worker = Worker('test_workers:behave', 128); worker.ask('fine', 60);"
        "print(worker._keeper.pid, worker.pid, flush=True); os._exit(0)"
    )
    folders = [str(Path(workers.__file__).parents[2]), os.path.dirname(__file__)]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    found = subprocess.run(
        [sys.executable, "-c", program, *folders], env=environment, capture_output=True, text=True, check=True
    )
    processes = list(map(int, found.stdout.split()))
    assert len(processes) == 2
    end = time.monotonic() + 30
    while any(map(_runs, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(_runs, processes))


def test_a_worker_that_cannot_start_says_why(worker):
    with pytest.raises(RuntimeError, match="no_such_module"), Worker("no_such_module:f", 128) as made:
        made.ask(1, 1)
    with pytest.raises(RuntimeError, match="no_such_function"), Worker("test_workers:no_such_function", 128) as made:
        made.ask(1, 1)


@pytest.fixture
def crowded(worker):
    """The worker on one core that it shares with six processes that only compute."""
    worker.ask("fine", 60)
    core = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(worker.pid, core)
    # A session each: where the kernel shares cores out by session, six processes of one are the load of one.
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(6)]
    try:
        for each in busy:
            os.sched_setaffinity(each.pid, core)
        yield worker
    finally:
        for each in busy:
            each.kill()
            each.wait()


def test_load_flips_no_verdict(crowded):
    start = time.monotonic()
    assert crowded.ask("work", 1) == "worked"  # half a second of CPU time
    assert time.monotonic() - start > 1  # a limit in wall-clock time would have ended it


def test_the_limit_holds_under_load(crowded):
    start = time.monotonic()
    with pytest.raises(WorkerLost, match="time_limit"):
        crowded.ask("hang", 0.3)
    taken = time.monotonic() - start
    assert 0.3 < taken < 20


def test_a_worker_that_waits_without_computing_is_ended(worker, monkeypatch):
    monkeypatch.setattr(workers, "WALL_FACTOR", 1)
    monkeypatch.setattr(workers, "WALL_EXTRA", 0.1)
    with pytest.raises(WorkerLost, match="time_limit"):
        worker.ask("sleep", 0.2)


def test_memory_of_earlier_questions_decides_nothing(worker):
    assert worker.ask("keep", 60) == "keep"
    assert worker.ask("need", 60) == 80 << 20  # asked again in a new process


def test_environment(worker):
    with Worker("test_workers:behave", 128, {"THOUGHTLINE_TEST": "set"}) as made:
        assert made.ask("environment", 60) == "set"
    assert worker.ask("environment", 60) is None


def test_room_changes_no_result():
    def deep(depth):
        return 1 + deep(depth - 1) if depth else 0

    def count(depth):
        return deep(depth)

    assert workers.with_room(count)(900) == 900
