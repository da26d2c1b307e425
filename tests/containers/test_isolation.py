"""What a build removes in /tmp is its own /tmp, never the machine's."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from thoughtline.containers.isolation import isolated

works = subprocess.run(isolated(["true"], {}), capture_output=True).returncode == 0
pytestmark = pytest.mark.skipif(not works, reason="wants root or user namespaces")


@pytest.fixture
def precious():
    """A file in the machine's real /tmp."""
    handle, name = tempfile.mkstemp(prefix="thoughtline-precious-", dir="/tmp")
    os.close(handle)
    yield Path(name)
    Path(name).unlink(missing_ok=True)


def test_the_machines_tmp_cannot_be_seen(precious):
    done = subprocess.run(isolated(["sh", "-c", "ls -A /tmp /var/tmp"], {}), capture_output=True, text=True)
    assert done.returncode == 0 and precious.name not in done.stdout
    done = subprocess.run(isolated(["rm", str(precious)], {}), capture_output=True)
    assert done.returncode != 0 and precious.exists()


def test_folders_are_given_by_name_also_from_tmp(tmp_path):
    (tmp_path / "asked").write_text("for")
    script = "cat /mnt/own/asked && echo new > /mnt/own/made && ls -A /tmp"
    done = subprocess.run(isolated(["sh", "-c", script], {"own": tmp_path}), capture_output=True, text=True)
    assert done.stdout == "for" and (tmp_path / "made").read_text() == "new\n"


def test_nothing_stays_mounted():
    before = Path("/proc/self/mountinfo").read_text()
    subprocess.run(isolated(["true"], {"own": Path("/usr")}), check=True)
    assert Path("/proc/self/mountinfo").read_text() == before
