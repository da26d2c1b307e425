"""What a job has finished stays finished, whatever becomes of its driver.

Snakemake removes the outputs of a job that it starts again, also when the job had ended well but its driver did not live
to see it. Hours of training would be lost. So a finished job keeps further links to its outputs in its work folder (hard
links: no further space while the outputs are there), and the same job, started again, puts them back. Slurm jobs only:
elsewhere a job that is started again is meant to do its work again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..provenance.sidecar import sidecar_path
from .canonical import canonical_json
from .files import read_json, sha256_file, sync_directory

FOLDER = "finished"


def _in_slurm() -> bool:
    return "SLURM_JOB_ID" in os.environ


def _link(old: Path, new: Path) -> None:
    """Hard link, or a copy on a file system without; whole or not there."""
    new.parent.mkdir(parents=True, exist_ok=True)
    part = new.with_name(f".{new.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(old, part)
    except OSError:
        shutil.copy2(old, part)
    os.replace(part, new)


def _top(outputs: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([Path(output).absolute().parent for output in outputs]))


def keep(work: Path, outputs: Sequence[Path], folders: Sequence[Path] = ()) -> bool:
    """Link a finished job's files into WORK/finished/ (in a Slurm job; False elsewhere); call it while the lease is held.

    Args:
        work: the job's work folder.
        outputs: files with sidecars.
        folders: folders that belong to them, below the folder that all outputs lie in (weights, say).
    """
    if not _in_slurm():
        return False
    top, fresh = _top(outputs), work / f".{FOLDER}.part"
    shutil.rmtree(fresh, ignore_errors=True)
    files = {each.absolute() for output in map(Path, outputs) for each in (output, sidecar_path(output))}
    files |= {path.absolute() for folder in folders for path in Path(folder).rglob("*") if path.is_file()}
    for path in sorted(files):
        _link(path, fresh / path.relative_to(top))
    shutil.rmtree(work / FOLDER, ignore_errors=True)
    os.replace(fresh, work / FOLDER)
    sync_directory(work)
    return True


def restore(work: Path, outputs: Sequence[Path], settings: dict[str, Any]) -> bool:
    """Put the files of an earlier run of the same job in their place; False if there are none, or another job made them.

    The same job: equal settings (code and environment are among them), and inputs that have the content that they had. Outputs
    count if their bytes are those that their sidecars vouch for.
    """
    top, kept = _top(outputs), work / FOLDER
    if not _in_slurm():
        return False
    for output in outputs:
        file = kept / Path(output).absolute().relative_to(top)
        if not (file.is_file() and sidecar_path(file).is_file()):
            return False
        record = read_json(sidecar_path(file))
        if canonical_json(record["settings"]) != canonical_json(settings):
            return False
        if record["artifact"]["sha256"] != sha256_file(file):
            return False
        if any(_sha256(each["path"]) != each["sha256"] for each in record["inputs"]):
            return False
    for file in sorted(path for path in kept.rglob("*") if path.is_file()):
        _link(file, top / file.relative_to(kept))
    print(f"{outputs[0]}: an earlier run of this job has finished it", flush=True)
    return True


def _sha256(path: str) -> str | None:
    return sha256_file(path) if Path(path).is_file() else None
