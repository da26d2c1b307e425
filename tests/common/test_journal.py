"""Rows survive kill -9, torn tails, duplicates and full disks."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.journal import Journal

HEADER = {"format": 1, "code": "abc"}


def row(number, text="x"):
    return {"id": f"{number:04d}", "text": text}


def test_rows_are_there_after_reopening(tmp_path):
    with Journal(tmp_path / "j", "id", HEADER) as journal:
        journal.append(row(1), row(2))
    with Journal(tmp_path / "j", "id", HEADER) as journal:
        assert journal.rows == {"0001": row(1), "0002": row(2)}


@pytest.mark.parametrize("tail", [b'{"id":"0002","te', b"\0\0\0", b'{"id":"0002","text":"x"}'])
def test_a_torn_tail_is_cut_off(tmp_path, tail):
    path = tmp_path / "j"
    with Journal(path, "id", HEADER) as journal:
        journal.append(row(1))
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    with Journal(path, "id", HEADER) as journal:
        assert journal.torn_bytes == len(tail)
        assert set(journal.rows) == {"0001"}
        journal.append(row(2))
    assert path.read_bytes() == whole + b'{"id":"0002","text":"x"}\n'


def test_a_repeated_row_counts_once(tmp_path):
    path = tmp_path / "j"
    with Journal(path, "id", HEADER) as journal:
        journal.append(row(1))
    path.write_bytes(path.read_bytes() + json.dumps(row(1)).encode() + b"\n")
    with Journal(path, "id", HEADER) as journal:
        assert journal.duplicates == 1
        assert len(journal.rows) == 1
        journal.append(row(1))
    assert path.read_text().count('"0001"') == 2


def test_two_different_rows_with_one_identity_are_an_error(tmp_path):
    path = tmp_path / "j"
    with Journal(path, "id", HEADER) as journal:
        journal.append(row(1))
        with pytest.raises(UserError, match="different row 0001"):
            journal.append(row(1, "y"))
    path.write_bytes(path.read_bytes() + json.dumps(row(1, "y")).encode() + b"\n")
    with pytest.raises(UserError, match=r"j:3: two different rows with id 0001"):
        Journal(path, "id", HEADER)


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "j"
    with Journal(path, "id", HEADER) as journal:
        journal.append(row(1))
    path.write_bytes(path.read_bytes() + b"{broken\n")
    with pytest.raises(UserError, match=r"j:3: damaged journal line"):
        Journal(path, "id", HEADER)


def test_another_header_sets_the_old_journal_aside(tmp_path):
    path = tmp_path / "j"
    with Journal(path, "id", HEADER) as journal:
        journal.append(row(1))
    old = path.read_bytes()
    with Journal(path, "id", {**HEADER, "code": "other"}) as journal:
        assert journal.rows == {}
        journal.append(row(2))
    assert (tmp_path / "j.1").read_bytes() == old


WRITER = """
import sys
from thoughtline.common.journal import Journal
with Journal(sys.argv[1], "id", {"format": 1, "code": "abc"}) as journal:
    for number in range(len(journal.rows), 100000):
        journal.append({"id": f"{number:06d}", "text": "x" * 100})
        print(number, flush=True)
"""


def test_kill_9_loses_no_row_that_was_acknowledged(tmp_path):
    path = tmp_path / "j"
    acknowledged = -1
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(20):
                acknowledged = int(writer.stdout.readline())
            time.sleep(0.01)
            os.kill(writer.pid, signal.SIGKILL)
        with Journal(path, "id", HEADER) as journal:
            assert len(journal.rows) > acknowledged
            assert sorted(journal.rows) == [f"{number:06d}" for number in range(len(journal.rows))]


def _limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))


def test_a_full_disk_keeps_what_was_written(tmp_path):
    path = tmp_path / "j"
    writer = subprocess.run(
        [sys.executable, "-c", WRITER, str(path)], capture_output=True, text=True, preexec_fn=_limit_files
    )
    assert writer.returncode != 0
    assert "File too large" in writer.stderr
    last = int(writer.stdout.split()[-1])
    with Journal(path, "id", HEADER) as journal:
        assert len(journal.rows) == last + 1
        journal.append({"id": f"{last + 1:06d}", "text": "room again"})
