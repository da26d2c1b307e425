"""Which Python environment runs which command.

Heavy dependencies conflict (the Slurm plugin and vLLM want different numpy), so each environment has a
lock in envs/ and, on a machine without containers, a folder in .venv/. One command line serves all: it
starts itself again in the environment that a command needs. Inside a container there is nothing to change.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ENVIRONMENTS = {
    "recipe": "driver",
    "machines": "driver",
    "stage": "data",
    "questions": "data",
    "traces": "generate",
    "verdicts": "verify",
    "datasets": "data",
    "models": "train",
    "scores": "data",
    "drafts": "train",
    "report": "data",
    "containers": "driver",
    "plan": "driver",
}
"""Noun of the command line -> name of its environment."""

ROOT = Path(__file__).resolve().parents[3]
"""The repository's root."""


def environments_folder() -> Path:
    """Where the environments of this checkout are (`THOUGHTLINE_ENVS`, default .venv/ in the repository)."""
    return Path(os.environ.get("THOUGHTLINE_ENVS") or ROOT / ".venv")


def python_of(environment: str) -> str:
    """The interpreter of an environment; this one where there is no such folder (a container)."""
    python = environments_folder() / environment / "bin" / "python"
    return str(python) if python.exists() else sys.executable


def enter(environment: str, arguments: list[str]) -> None:
    """Go on in `environment` with the same arguments, unless we are in it already."""
    python = python_of(environment)
    if python != sys.executable and Path(sys.prefix).resolve() != Path(python).parents[1].resolve():
        os.execv(python, [python, "-m", "thoughtline", *arguments])
