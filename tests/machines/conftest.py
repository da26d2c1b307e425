"""A copy of the repository's tracked parts, and Snakemake run in it as a user types it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / ".venv/driver/bin"
NEEDED = ("bash", "sh", "env", "which")
"""All that the PATH holds: no Slurm, no container runtime."""


class Copy:
    """The repository at `folder`, without results, environments and site file."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("Snakefile", "config.yaml", "rules", "scripts", "profiles", "envs", "machines", "recipes", "data"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        for name in ("local", "slurm", "leonardo", "p5"):
            (folder / name).symlink_to(os.readlink(ROOT / name))
        programs.mkdir()
        for name in NEEDED:
            (programs / name).symlink_to(shutil.which(name))
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("SNAKEMAKE", "PYTEST", "THOUGHTLINE", "SLURM"))
        }
        self.environment = {
            **kept,
            "PYTHONPATH": str(folder / "scripts"),
            "THOUGHTLINE_ENVS": str(ROOT / ".venv"),
            "PATH": str(programs),
        }

    def snakemake(self, *arguments: str) -> tuple[int, str]:
        """`snakemake ARGUMENTS` in the copy: exit status, and everything it wrote."""
        run = subprocess.run(
            [str(DRIVER / "snakemake"), *arguments],
            cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return run.returncode, run.stdout


def jobs_of(text: str) -> list[tuple[str, dict[str, str]]]:
    """(rule, resources) of each job that a dry run shows."""
    found = re.findall(r"^(?:local)?rule (\S+):\n(?:    .*\n)*?    resources: (.*)$", text, re.M)
    return [(rule, dict(pair.split("=", 1) for pair in line.split(", "))) for rule, line in found]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    return Copy(folder / "repository", folder / "programs")
