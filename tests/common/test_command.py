"""What all commands share."""

import subprocess
import sys

WRITES = """
import sys
from thoughtline.common.command import guarded
sys.exit(guarded(lambda args: print("line\\n" * 1_000_000), None))
"""


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    (tmp_path / "writes.py").write_text(WRITES)
    command = f"{sys.executable} {tmp_path}/writes.py | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (141, "line\n", "")


def test_an_unknown_option_is_told_with_its_command():
    words = [sys.executable, "-m", "thoughtline", "plan", "calibration", "--recipe", "x"]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr == (
        "error: thoughtline plan calibration: knows no --recipe x; `thoughtline plan calibration --help` lists its options\n"
    )
