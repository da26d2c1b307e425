"""The supervisor, with small real processes in the ranks' place."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.files import write_json
from thoughtline.models import launch
from thoughtline.models.launch import node_words, rank_variables, supervise
from thoughtline.models.sft import die_with_parent


def watch_over(folder, code, minutes=None, reserve=15.0, deadline=None):
    supervise(
        [sys.executable, "-c", code, str(folder)],
        dict(os.environ),
        die_with_parent,
        deadline or Deadline(minutes),
        *(folder / name for name in ("stop", "error.json", "crash.txt", "log.txt")),
        lambda: None,
        lambda: reserve,
    )


IMPORTS = "import os, sys, time, pathlib; work = pathlib.Path(sys.argv[1])\n"


def test_a_ranks_user_error_comes_through(tmp_path):
    write_json(tmp_path / "kept.json", {"where": "row 3", "what": "is odd", "right": "mend it"})
    with pytest.raises(UserError, match="row 3: is odd; mend it"):
        watch_over(tmp_path, IMPORTS + "(work / 'kept.json').rename(work / 'error.json'); sys.exit(2)")


def test_a_crash_shows_the_traceback_or_the_log(tmp_path):
    with pytest.raises(RuntimeError, match=r"exit code 1.*\n(.*\n)*.*ZeroDivisionError"):
        watch_over(tmp_path, "1 / 0")
    with pytest.raises(RuntimeError, match="first traceback"):
        watch_over(tmp_path, IMPORTS + "(work / 'crash.txt').write_text('first traceback'); 1 / 0")


def test_an_old_error_is_not_taken_for_a_new_one(tmp_path):
    write_json(tmp_path / "error.json", {"where": "old", "what": "gone", "right": ""})
    watch_over(tmp_path, "pass")


def test_at_the_deadline_the_ranks_are_asked_to_stop(tmp_path):
    watch_over(tmp_path, IMPORTS + "\nwhile not (work / 'stop').exists(): time.sleep(0.05)", minutes=0.2, reserve=11.5)


def test_who_does_not_stop_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "KILL", 0.3)
    code = IMPORTS + "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
    code += "(work / 'pid').write_text(str(child.pid)); time.sleep(60)"
    with pytest.raises(OutOfTime):
        watch_over(tmp_path, code, minutes=0.04)
    child = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            state = open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            break
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child lives on")


def test_after_sigterm_the_ranks_have_a_while_whatever_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 0.5)
    before = signal.getsignal(signal.SIGTERM)
    deadline = Deadline(60).catch_sigterm()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    started = time.monotonic()
    try:
        with pytest.raises(OutOfTime):
            watch_over(tmp_path, IMPORTS + "time.sleep(60)", deadline=deadline)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (tmp_path / "stop").exists() and 0.7 < time.monotonic() - started < 20


def test_the_ranks_see_no_hub_and_their_share_of_threads(tmp_path):
    env = rank_variables("cpu", 2, 3, tmp_path)
    found = tuple(env[name] for name in ("OMP_NUM_THREADS", "LOCAL_SIZE", "HF_HUB_OFFLINE", "DS_ACCELERATOR"))
    assert found == ("3", "2", "1", "cpu")
    assert env["TORCH_EXTENSIONS_DIR"].startswith(str(tmp_path))
    assert "DS_ACCELERATOR" not in rank_variables("cuda", 2, 3, tmp_path)


def test_only_ranks_of_one_machine_are_sent_to_the_loopback_interface(tmp_path, monkeypatch):
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert rank_variables("cpu", 2, 1, tmp_path)["GLOO_SOCKET_IFNAME"] == "lo"
    assert "GLOO_SOCKET_IFNAME" not in rank_variables("cpu", 2, 1, tmp_path, nodes=2)


def test_what_torchrun_gets_on_each_node(tmp_path):
    words = node_words("some.module", 96, 4, 29400, tmp_path)
    assert words == [
        *("-m", "torch.distributed.run", "--nnodes", "96", "--nproc-per-node", "4", "--node-rank", "{node_rank}"),
        *("--master-addr", "{first_node}", "--master-port", "29400", "-m", "some.module", str(tmp_path)),
    ]
