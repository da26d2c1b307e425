"""The life of a server, with a small one in vLLM's place: what starts, shares and ends it does not know the difference."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from dummy_service import until
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.traces import keeper
from thoughtline.traces.sharing import log_end, running, stop_servers

SERVER = """
import http.server, os, signal, sys, time
mark, port, wait = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
if wait < 0:
    print("no such weights", flush=True)
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words): pass
    def do_GET(self):
        if self.path == "/die": os._exit(1)
        self.send_response(200); self.end_headers()
if os.fork() == 0:
    # A worker that does not listen to SIGTERM and leaves its parent's process group.
    signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setpgid(0, 0)
    time.sleep(600)
time.sleep(wait)
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

JOB = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_traces_sharing import served
with served(sys.argv[2], sys.argv[3], linger=float(sys.argv[4])) as server:
    print("ready", flush=True)
    time.sleep(600)
"""


def served(folder, mark, wait=0.0, linger=0.0, **options):
    """A context with a small server; `mark` is in the command line of all its processes."""
    command = [sys.executable, "-c", SERVER, f"mark-{mark}", "{port}", str(wait)]
    return running(command, {}, "v1", model="m", folder=Path(folder), linger=linger, **options)


def processes(mark):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"mark-{mark}".encode() in words:
            found.append(int(entry.name))
    return found


@pytest.fixture
def mark(tmp_path):
    """Distinguishes this test's processes."""
    name = f"{tmp_path.name}-{os.getpid()}-{time.time_ns()}"
    yield name
    stop_servers(tmp_path, in_use=True)
    assert processes(name) == []


def test_a_private_server_ends_with_its_block(tmp_path, mark):
    with served(tmp_path, mark) as server:
        assert server.alive() and server.base_url.endswith("/v1") and server.model == "m"
        assert len(processes(mark)) == 2
    assert processes(mark) == [] and not server.alive()


def test_and_with_an_exception(tmp_path, mark):
    with pytest.raises(RuntimeError), served(tmp_path, mark):
        raise RuntimeError
    assert processes(mark) == []


def start_job(tmp_path, mark, linger):
    words = [sys.executable, "-c", JOB, str(Path(__file__).parent), str(tmp_path), mark, str(linger)]
    job = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert job.stdout.readline() == "ready\n"
    return job


def test_kill_9_of_the_job_leaves_no_process(tmp_path, mark):
    job = start_job(tmp_path, mark, 0)
    assert len(processes(mark)) == 2
    job.kill()
    job.wait()
    job.stdout.close()
    until(lambda: not processes(mark))


def test_kill_9_of_the_keeper_ends_the_server(tmp_path, mark):
    with served(tmp_path, mark) as server:
        main = [pid for pid in processes(mark) if os.getpgid(pid) == pid and os.getsid(pid) == pid]
        (parent,) = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in main}
        os.kill(parent, signal.SIGKILL)
        until(lambda: not set(main) & set(processes(mark)))
        assert not server.alive()
    for pid in processes(mark):  # only vLLM's own launcher ties its children to itself
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes(mark))


def test_two_jobs_that_start_at_once_share_one_server(tmp_path, mark):
    found, errors = [], []
    both_in = threading.Barrier(2)

    def job():
        try:
            with served(tmp_path, mark, wait=0.5, linger=0) as server:
                found.append(server.base_url)
                both_in.wait(30)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(found) == 2 and len(set(found)) == 1
    until(lambda: not processes(mark))


def test_a_lingering_server_serves_the_next_job_then_ends(tmp_path, mark):
    with served(tmp_path, mark, linger=1.5) as first:
        pass
    assert first.alive()
    with served(tmp_path, mark, linger=1.5) as second:
        assert second.base_url == first.base_url
        time.sleep(2)
        assert second.alive()
    assert second.alive()
    until(lambda: not second.alive() and processes(mark) == [], 20)


def test_another_model_replaces_an_idle_server_but_not_a_used_one(tmp_path, mark):
    with ExitStack() as stack:
        used = stack.enter_context(served(tmp_path, mark, wait=0.1, linger=60))
        with served(tmp_path, mark, wait=0.2, linger=60) as idle:
            assert used.alive()
        assert idle.alive()
        with served(tmp_path, mark, wait=0.3):
            assert used.alive() and not idle.alive()


def test_stop_servers(tmp_path, mark):
    with served(tmp_path, mark, linger=60) as server:
        assert stop_servers(tmp_path) == (0, 1)
        assert server.alive()
    assert stop_servers(tmp_path) == (1, 0)
    assert not server.alive() and processes(mark) == []
    assert stop_servers(tmp_path) == (0, 0) == stop_servers(tmp_path / "nothing")


def test_a_server_that_does_not_start_says_why(tmp_path, mark):
    with pytest.raises(UserError, match=r"(?s)ended with code 3.*no such weights"), served(tmp_path, mark, wait=-1):
        pass


def test_a_server_that_is_never_ready(tmp_path, mark):
    with pytest.raises(UserError, match=r"not ready within 0\.6 s"), served(tmp_path, mark, wait=60, start_seconds=0.6):
        pass
    assert processes(mark) == []


def test_the_deadline_counts_while_it_starts(tmp_path, mark):
    with pytest.raises(OutOfTime), served(tmp_path, mark, wait=60, deadline=Deadline(0.01)):
        pass
    assert processes(mark) == []


def test_a_server_that_dies_is_noticed_and_started_anew_by_the_next_job(tmp_path, mark):
    with served(tmp_path, mark, linger=60) as server:
        keeper.healthy(server.base_url.removesuffix("/v1") + "/die")
        until(lambda: not server.alive())
        assert "serving" in server.diagnose()
    with served(tmp_path, mark, linger=60) as again:
        assert again.alive()


def test_the_first_errors_of_a_log_are_told_apart_from_its_end(tmp_path):
    """As vLLM writes it: the engine's process fails first, and the server ends with a traceback that does not say why."""
    engine = "(EngineCore pid=12) ERROR 11-23 03:42:10 [core.py:1234] "
    lines = [f"{engine}Traceback (most recent call last):", f'{engine}  File "x", line 1']
    lines += [f"{engine}ModuleNotFoundError: No module named 'flashinfer'"] * 2
    lines += ["  frame"] * 100 + ["RuntimeError: Engine core initialization failed. See root cause above."]
    (tmp_path / "server.log").write_text("\n".join(lines))
    message = log_end(tmp_path)
    first, last = "ModuleNotFoundError: No module named 'flashinfer'", "RuntimeError: Engine core initialization failed"
    assert message.count(first) == 1 and message.index(first) < message.index(last)
    assert keeper.errors(tmp_path / "none.log") == []


HALF_DEAD = """
import ctypes, os, threading, time
if (pid := os.fork()) == 0:
    time.sleep(600)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(pid, flush=True)
ctypes.CDLL(None).syscall(60, 0)  # this thread ends, the process does not
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of a system call is x86-64's")
def test_who_is_below_a_process_of_which_threads_are_left_is_found():
    with subprocess.Popen([sys.executable, "-c", HALF_DEAD], stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z", 20)
            assert child in keeper.descendants(os.getpid()) and process.pid not in keeper.descendants(os.getpid())
        finally:
            os.kill(child, signal.SIGKILL)
            process.kill()
