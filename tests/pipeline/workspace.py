"""A copy of the repository in which a test may change anything, and Snakemake runs in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / ".venv/driver/bin"

CODE = [
    {
        "problem": f"Write a function f{n}(x) that returns x plus {n}.",
        "starter_code": f"def f{n}(x):\n",
        "tests": {"inputs": [[k] for k in range(5)], "outputs": [k + n for k in range(5)], "fn_name": f"f{n}"},
        "solution": f"def f{n}(x):\n    return x + {n}\n",
    }
    for n in (1, 2, 3)
]
PUZZLES = [
    {"problem": "A ship carries three red boxes and two blue ones. Which colour is rarer?", "answer": "blue"},
    {"problem": "Anna is older than Bo, Bo is older than Cy. Who is youngest of them?", "answer": "Cy"},
]
QUIZ = [
    {"problem": "Which planet do we live on?", "choices": ["Mars", "Earth", "Venus", "Saturn"], "answer": "Earth"},
    {"problem": "What do bees make?", "choices": ["milk", "silk", "honey", "wool"], "answer": "honey"},
]


def as_lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


HUB_REVISION = "0123456789abcdef0123456789abcdef01234567"
FROM_THE_HUB = {
    "local: {path: TINY_MODEL}": f"hub: {{id: owner/noise, revision: '{HUB_REVISION}'}}",
    "local: {path: own/code.jsonl}": f"hub: {{id: owner/code, revision: '{HUB_REVISION}', data_files: '*.jsonl'}}",
}
"""What the recipe says instead where the tiny model and the code questions come from a hub."""

NO_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a command with no network but its own loopback."""


def can_cut_off() -> bool:
    """Whether this machine lets us run something without network."""
    try:
        return subprocess.run([*NO_NETWORK, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


class Workspace:
    """`folder` with the tracked parts of the pipeline, tiny inputs, a tiny model and a recipe.

    With a `stage` the model and one question set come from a hub and are read from there; else both are local.
    Python code runs from this copy: it comes before the installed package on PYTHONPATH.
    """

    profile = "profiles/local"

    def __init__(self, folder: Path, model: Path, stage: Path | None = None) -> None:
        self.folder = folder
        for name in ("Snakefile", "config.yaml", "rules", "scripts", "profiles", "envs", "machines"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, folder / name)
        (folder / "own").mkdir()
        (folder / "own/code.jsonl").write_text(as_lines(CODE))
        (folder / "own/puzzles.jsonl").write_text(as_lines(PUZZLES))
        (folder / "own/quiz.jsonl").write_text(as_lines(QUIZ))
        (folder / "recipes").mkdir()
        text = (ROOT / "tests/pipeline/tiny.yaml").read_text()
        for old, new in FROM_THE_HUB.items() if stage else ():
            text = text.replace(old, new)
        (folder / "recipes/tiny.yaml").write_text(text.replace("TINY_MODEL", os.path.relpath(model, folder)))
        self.edit("config.yaml", "recipe: recipes/demo.yaml", "recipe: recipes/tiny.yaml")
        if stage:
            self.edit("config.yaml", "stage: stage", f"stage: {stage}")
        self.environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("SNAKEMAKE", "PYTEST", "THOUGHTLINE"))
            },
            "PYTHONPATH": str(folder / "scripts"),
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; an engine writes to all of it when it starts
            "THOUGHTLINE_ENVS": str(ROOT / ".venv"),
            "PATH": f"{DRIVER}:{os.environ['PATH']}",
        }

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must be there once, by `new`."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    def snakemake(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess:
        """Run Snakemake with this workspace's profile; output is captured as one text."""
        return subprocess.run(
            [*prefix, str(DRIVER / "snakemake"), "--profile", self.profile, *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def planned(self) -> set[str]:
        """What a dry run would run, as short labels: "traces teacher/math-train/0000", "train student-seed1", ..."""
        run = self.snakemake("-n")
        assert run.returncode == 0, run.stdout
        jobs = re.findall(r"^(?:local)?rule (\S+):\n(?:    .*\n)*?    output: (\S+?)(?:,|\n)", run.stdout, re.M)
        return {_label(rule, output) for rule, output in jobs}


def _label(rule: str, output: str) -> str:
    if rule in ("all", "stage"):
        return rule
    if rule == "stage_repository":
        return f"stage {'/'.join(Path(output).parts[-3:-1])}"
    parts = Path(output).with_suffix("").parts[2:]  # without results/tiny
    noun = {"fetch_model": "fetch", "train_model": "train"}.get(rule, parts[0])
    if noun in ("fetch", "train", "datasets"):
        return f"{noun} {parts[1]}"
    if noun == "questions":
        return f"questions {parts[1]}"
    return "report" if noun == "report" else f"{noun} {'/'.join(parts[1:])}"
