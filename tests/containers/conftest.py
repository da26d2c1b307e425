"""The images of this repository, where they have been built."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/pipeline"))
IMAGES = ROOT / "containers/images"


@pytest.fixture(scope="session")
def images():
    """The folder with all four images, each of which runs here."""
    if not shutil.which("apptainer"):
        pytest.skip("wants apptainer")
    if missing := [name for name in ("data", "verify", "generate", "train") if not (IMAGES / f"{name}.sif").is_file()]:
        pytest.skip(f"wants `make containers`: no {', '.join(missing)} in containers/images")
    done = subprocess.run(["apptainer", "exec", str(IMAGES / "data.sif"), "true"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"images do not run on this machine: {done.stderr[-300:]}")
    return IMAGES
