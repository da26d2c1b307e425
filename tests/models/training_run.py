"""Real trainings, started as commands, watched and disturbed; what the tests of training share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import as_option, train_settings


def start(base: Path, dataset: Path, out: Path, work: Path, *options: str, **more) -> subprocess.Popen:
    """`thoughtline models train` of the tests' settings with `more` changed."""
    words = [sys.executable, "-m", "thoughtline", "models", "train", "--settings", as_option(train_settings(**more))]
    words += ["--base", base, "--dataset", dataset, "--out", out, "--work", work, "--threads", "1", *options]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Exit code and output."""
    output = process.communicate(timeout=300)[0]
    return process.returncode, output


def train(*args, **more) -> str:
    """Train to the end; returns what the command said."""
    code, output = finish(start(*args, **more))
    assert code == 0, output
    return output


def step_rows(work: Path) -> list[dict]:
    """The steps that the current run has noted."""
    path = work / "steps.jsonl"
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return [row for row in map(json.loads, lines) if "step" in row]


def steps_done(work: Path) -> int:
    """How many that are."""
    return len(step_rows(work))


def wait_for(condition, process: subprocess.Popen, seconds: float = 200) -> None:
    """Wait until `condition()`; the process must live on."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.02)


def stop_after(steps: int, base: Path, dataset: Path, folder: Path, soon: bool = True, **more) -> int:
    """Train in `folder` and send it SIGTERM once so many steps are done; returns the checkpoint's step.

    Args:
        soon: also do at once what SIGTERM leads to a little later.
    """
    process = start(base, dataset, folder / "student", folder / "work", **more)
    wait_for(lambda: steps_done(folder / "work") >= steps, process)
    if soon:
        (folder / "work" / "stop").touch()
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 75, output
    return checkpoint_steps(folder / "work")[-1]


def checkpoint_steps(work: Path) -> list[int]:
    """Steps of the checkpoints that are there."""
    return sorted(int(path.name.split("-")[1]) for path in (work / "run").glob("checkpoint-*"))


def log_of(out: Path) -> list[dict]:
    """The rows of training.jsonl."""
    return [json.loads(line) for line in (out / "training.jsonl").read_text().splitlines()]


def weights_of(out: Path):
    """The trained weights, by name."""
    from safetensors.torch import load_file

    (path,) = (out / "weights").glob("*.safetensors")
    return load_file(path)
