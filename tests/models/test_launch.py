"""The supervisor, with small real processes in the ranks' place."""

from __future__ import annotations

import os
import sys
import time

import pytest
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.files import write_json
from thoughtline.models import launch
from thoughtline.models.launch import environment, supervise
from thoughtline.models.sft import die_with_parent


def watch_over(folder, code, minutes=None):
    supervise(
        [sys.executable, "-c", code, str(folder)],
        dict(os.environ),
        die_with_parent,
        Deadline(minutes),
        *(folder / name for name in ("stop", "error.json", "crash.txt", "log.txt")),
        lambda: None,
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
    watch_over(tmp_path, IMPORTS + "\nwhile not (work / 'stop').exists(): time.sleep(0.05)", minutes=0.01)


def test_who_does_not_stop_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 0.3)
    code = IMPORTS + "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
    code += "(work / 'pid').write_text(str(child.pid)); time.sleep(60)"
    with pytest.raises(OutOfTime):
        watch_over(tmp_path, code, minutes=0.02)
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


def test_the_ranks_see_no_hub_and_their_share_of_threads(tmp_path):
    env = environment("cpu", 2, 3, tmp_path)
    assert (env["OMP_NUM_THREADS"], env["LOCAL_SIZE"], env["HF_HUB_OFFLINE"], env["DS_ACCELERATOR"]) == (
        "3",
        "2",
        "1",
        "cpu",
    )
    assert env["TORCH_EXTENSIONS_DIR"].startswith(str(tmp_path))
    assert "DS_ACCELERATOR" not in set(environment("cuda", 2, 3, tmp_path)) - set(os.environ)
