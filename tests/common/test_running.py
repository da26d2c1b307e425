"""Deadlines, leases, progress and exit codes."""

import io
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from thoughtline.common.command import guarded, reconcile
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.lease import Lease
from thoughtline.common.progress import Progress


def test_a_deadline_comes_before_the_limit():
    assert Deadline(None).seconds_left == float("inf")
    assert 50 < Deadline(1).seconds_left <= 54
    assert 55 * 60 - 1 < Deadline(60).seconds_left <= 55 * 60
    late = Deadline(0)
    assert late.passed
    with pytest.raises(OutOfTime):
        late.check()


def test_sigterm_is_a_deadline():
    deadline = Deadline(60)
    before = signal.getsignal(signal.SIGTERM)
    try:
        deadline.catch_sigterm()
        os.kill(os.getpid(), signal.SIGTERM)
        assert deadline.passed
    finally:
        signal.signal(signal.SIGTERM, before)


HOLDER = "import sys, time; from thoughtline.common.lease import Lease; l = Lease(sys.argv[1]); print('held', flush=True); time.sleep(60)"


def test_one_writer_at_a_time_and_a_dead_one_does_not_count(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf'another writer works on this artifact .*"pid": {holder.pid}'):
            Lease(tmp_path)
        holder.kill()
        holder.wait()
    with Lease(tmp_path):
        pass


def test_progress_in_a_log_is_a_line_now_and_then():
    stream = io.StringIO()
    with Progress(10, "traces", done=4, stream=stream, every=0.05) as progress:
        progress.advance(2)
        time.sleep(0.06)
        progress.advance(2, note="9 tokens/s")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("traces: 0 new, 4 from an earlier run, 10 rows in all")
    assert "8/10 rows" in lines[1] and "9 tokens/s" in lines[1]
    assert "8/10 rows in" in lines[2]


def test_exit_codes(capsys):
    def bad(_):
        raise UserError("recipe.yaml: seed", "is no number", "give a number")

    def late(_):
        raise OutOfTime

    assert guarded(bad, None) == 2
    assert capsys.readouterr().err == "error: recipe.yaml: seed: is no number; give a number\n"
    assert guarded(late, None) == 75
    assert "run the same command again" in capsys.readouterr().err
    assert guarded(lambda _: None, None) == 0


def test_a_full_disk_is_one_clear_line(tmp_path, capsys):
    def full(_):
        with open(tmp_path / "rows", "w") as stream:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
            try:
                stream.write("x" * 5000)
                stream.flush()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                os.truncate(stream.fileno(), 0)

    assert guarded(full, None) == 2
    assert "cannot be written (File too large); make room and run again" in capsys.readouterr().err


def test_rows_that_are_lost_are_no_result():
    reconcile({"in": 3, "out": 2, "dropped": {"too_long": 1}})
    with pytest.raises(AssertionError, match="3 rows came in, but 2 went out and 0 were dropped"):
        reconcile({"in": 3, "out": 2, "dropped": {}})
