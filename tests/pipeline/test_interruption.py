"""Driver and jobs are killed with SIGKILL in the middle of generation, verification and training; the end is the same bytes."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from thoughtline.common.files import sha256_file
from workspace import DRIVER, Workspace

MOMENTS = {
    "generation": ("work/traces/teacher/*/*/traces.jsonl", 2),
    "verification": ("work/verdicts/teacher/*/*/journal.jsonl", 2),
    "training": ("work/models/student-seed1/run/checkpoint-*", 0),
}
"""When to kill: a file that a stage makes in its middle, and its lines (a journal's header and its first row)."""


def artifacts(folder: Path) -> dict[str, str]:
    """sha256 of everything below questions, traces, verdicts, agreement, datasets, models and scores that holds no times."""
    root = folder / "results/tiny"
    return {
        str(path.relative_to(root)): sha256_file(path)
        for noun in ("questions", "traces", "verdicts", "agreement", "datasets", "models", "scores")
        for path in sorted((root / noun).rglob("*"))
        if path.is_file()
        and path.name != "training.json"
        and not path.name.endswith(".prov.json")
        and path.name != "lease"
    }


def reached(root: Path, pattern: str, lines: int) -> bool:
    """A file matches, and has as many lines."""
    return any(not lines or path.read_bytes().count(b"\n") >= lines for path in root.glob(pattern))


def kill_at(workspace: Workspace, pattern: str, lines: int) -> None:
    """Run until a file that matches `pattern` has `lines` lines, then kill the driver and all jobs."""
    driver = subprocess.Popen(
        [DRIVER / "snakemake", "--profile", "profiles/local"],
        cwd=workspace.folder, env=workspace.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not reached(workspace.folder / "results/tiny", pattern, lines):
        assert driver.poll() is None, f"the run ended before {pattern} was there"
        assert time.monotonic() < end, f"{pattern} did not appear"
        time.sleep(0.02)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, tiny_model, staged):
    workspace = Workspace(tmp_path_factory.mktemp("interrupted"), tiny_model, staged)
    for pattern, lines in MOMENTS.values():
        kill_at(workspace, pattern, lines)
        assert workspace.snakemake("--unlock").returncode == 0
    run = workspace.snakemake()
    assert run.returncode == 0, run.stdout[-8000:]
    return workspace


def test_the_same_artifacts(finished, interrupted):
    whole, mended = artifacts(finished.folder), artifacts(interrupted.folder)
    assert set(whole) == set(mended)
    assert {name for name in whole if whole[name] != mended[name]} == set()
    assert any(name.endswith("model.safetensors") for name in whole)


def test_no_half_written_file_is_left(interrupted):
    root = interrupted.folder / "results/tiny"
    assert [path for path in root.rglob("*.part") if "work" not in path.relative_to(root).parts[0]] == []


def test_nothing_is_left_to_do(interrupted):
    assert interrupted.planned() == set()
