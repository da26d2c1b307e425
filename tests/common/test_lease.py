"""Leases between jobs and machines; files of a finished job that come back."""

import json
import os
import subprocess
import sys
import time

import pytest
from thoughtline.common import finished, lease
from thoughtline.common.command import Record, guarded, recorded
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.lease import Lease

HOLDER = (
    "import sys, time; from thoughtline.common.lease import Lease; l = Lease(sys.argv[1]); print('held', flush=True);"
    " time.sleep(float(sys.argv[2])); l.release()"
)


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch, tmp_path):
    """A machine without Slurm's commands."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(lease.shutil, "which", lambda name: None)


def hold(folder, seconds):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, folder, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    return holder


def elsewhere(folder, age, job=None):
    """A lease that a holder on another machine has written down, whose last sign of life is `age` seconds old."""
    path = folder / "lease"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "slurm_job_id": job}))
    os.utime(path, (time.time() - age,) * 2)


def test_a_job_waits_for_its_turn(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(lease, "POLL", 0.05)
    with hold(tmp_path, 0.5), Lease(tmp_path):
        assert json.loads((tmp_path / "lease").read_text())["slurm_job_id"] == "7"
    assert "waiting for another writer" in capsys.readouterr().err
    assert (tmp_path / "lease").read_text() == ""


def test_a_job_without_patience_runs_again_later(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with hold(tmp_path, 30) as holder:
        with pytest.raises(OutOfTime):
            Lease(tmp_path, patience=0.1)
        holder.kill()
    assert f'"pid": {holder.pid}' in capsys.readouterr().err


def test_where_locks_end_at_the_machine_signs_of_life_count(tmp_path):
    elsewhere(tmp_path, age=lease.DEAD / 2)
    with pytest.raises(UserError, match="elsewhere"):
        Lease(tmp_path)
    elsewhere(tmp_path, age=lease.DEAD + 5)
    with Lease(tmp_path):
        assert "elsewhere" not in (tmp_path / "lease").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["lease"]


def test_a_requeued_job_does_not_trust_its_own_number(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    elsewhere(tmp_path, age=1, job="7")
    with pytest.raises(OutOfTime):
        Lease(tmp_path, patience=0)


def test_a_holder_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.02)
    with Lease(tmp_path):
        os.utime(tmp_path / "lease", (0, 0))
        end = time.monotonic() + 10
        while (tmp_path / "lease").stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.02)
        assert (tmp_path / "lease").stat().st_mtime > 0


def test_a_torn_lease_is_nobodys(tmp_path):
    (tmp_path / "lease").write_text('{"host": "else')
    with Lease(tmp_path):
        pass


class Job:
    """A job that writes out.txt from in.txt, and a folder of further files."""

    def __init__(self, folder):
        self.folder, self.out, self.times = folder, folder / "out/out.txt", 0
        (folder / "in.txt").write_text("question")

    def run(self, settings):
        """True if it was done by an earlier run."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        if finished.restore(work, [self.out], settings):
            return True
        (self.out.parent / "weights").mkdir(parents=True, exist_ok=True)
        with recorded([self.out], [self.folder / "in.txt"], settings) as record:
            self.out.write_text("answer")
            (self.out.parent / "weights/w").write_text("numbers")
            record.counts = Record().counts
        finished.keep(work, [self.out], [self.out.parent / "weights"])
        return False

    def forget(self):
        """What Snakemake does before it starts a job again."""
        for path in (self.out, self.out.parent / "weights/w", self.out.with_name("out.txt.prov.json")):
            path.unlink()


def test_a_finished_job_puts_its_files_back(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    job = Job(tmp_path)
    assert not job.run({"seed": 1})
    sidecar = job.out.with_name("out.txt.prov.json").read_bytes()
    job.forget()
    assert job.run({"seed": 1})
    assert job.out.read_text() == "answer" and (job.out.parent / "weights/w").read_text() == "numbers"
    assert job.out.with_name("out.txt.prov.json").read_bytes() == sidecar
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("change", ["settings", "input", "output", "no Slurm"])
def test_another_job_starts_anew(tmp_path, monkeypatch, change):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    job = Job(tmp_path)
    job.run({"seed": 1})
    job.forget()
    if change == "input":
        (tmp_path / "in.txt").write_text("another question")
    if change == "output":
        (tmp_path / "work/finished/out.txt").write_text("tampered")
    if change == "no Slurm":
        monkeypatch.delenv("SLURM_JOB_ID")
    assert not job.run({"seed": 2 if change == "settings" else 1})


def test_who_is_out_of_time_asks_to_run_again(tmp_path, monkeypatch):
    def late(_):
        raise OutOfTime

    mark = tmp_path / "again"
    monkeypatch.setenv("THOUGHTLINE_AGAIN", str(mark))
    assert guarded(late, None) == 75 and mark.is_file()


def test_who_was_told_to_end_does_not(tmp_path):
    program = (
        "import os, signal; from thoughtline.common.command import guarded; from thoughtline.common.deadline import Deadline\n"
        "def late(_):\n    deadline = Deadline().catch_sigterm()\n    os.kill(os.getpid(), signal.SIGTERM)\n    deadline.check()\n"
        "raise SystemExit(guarded(late, None))"
    )
    mark = tmp_path / "again"
    run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "THOUGHTLINE_AGAIN": str(mark)})
    assert run.returncode == 75 and not mark.exists()
