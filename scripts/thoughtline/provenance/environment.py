"""The digest of the environment that a stage runs in: its lock, or its container image."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from ..common.environments import ROOT
from ..common.files import sha256_file


@functools.cache
def environment_digest(name: str) -> dict[str, str]:
    """{"container": sha256} where THOUGHTLINE_CONTAINERS names the folder of images in use, else {"lock": sha256}.

    An image that is not there is "absent". The hash of an image is taken from `{name}.sif.sha256` beside it where that file is at least as new as the image.
    """
    folder = os.environ.get("THOUGHTLINE_CONTAINERS")
    if folder:
        image = Path(folder) / f"{name}.sif"
        if not image.exists():  # a dry run plans without it; others stop before any job (machines/images.py)
            return {"container": "absent"}
        known = Path(f"{image}.sha256")
        if known.exists() and known.stat().st_mtime >= image.stat().st_mtime:
            return {"container": known.read_text(encoding="utf-8").split()[0]}
        return {"container": sha256_file(image)}
    return {"lock": sha256_file(ROOT / "envs" / f"{name}.txt")}
