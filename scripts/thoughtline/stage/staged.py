"""The reading side of the stage: whoever uses a staged copy finds it here, checked against its manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.files import read_json, sha256_file
from .needs import Need

HOW = "on a machine with internet run `snakemake --profile PROFILE stage`, or `thoughtline stage fetch RECIPE.yaml --stage {}`"


def stage_folder() -> Path:
    """The stage of a command that is run by hand: THOUGHTLINE_STAGE, else stage/."""
    return Path(os.environ.get("THOUGHTLINE_STAGE") or "stage")


def lost_files(manifest: dict[str, Any], folder: Path) -> list[str]:
    """Paths of a manifest that are missing in `folder` or have another size."""
    lost = []
    for file in manifest["files"]:
        path = folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            lost.append(file["path"])
    return lost


@dataclass(frozen=True)
class Staged:
    """A staged copy: its folder, and path -> sha256 of the files that the hub published."""

    folder: Path
    manifest: Path
    files: dict[str, str]

    @classmethod
    def read(cls, need: Need, stage: Path) -> Staged:
        """As the manifest says; nothing is checked."""
        path = need.manifest(stage)
        return cls(need.folder(stage), path, {file["path"]: file["sha256"] for file in read_json(path)["files"]})

    def compare(self, path: str, sha256: str) -> None:
        """Refuse a file whose sha256 is not the one that was staged.

        Raises:
            UserError: its content is another, or the manifest does not know it.
        """
        if self.files.get(path) != sha256:
            raise UserError(
                str(self.folder / path),
                "was changed since it was staged" if path in self.files else "is not in the manifest",
                f"delete it and {self.manifest}, then stage again",
            )

    def check(self, path: str) -> None:
        """Read a file and compare() it."""
        self.compare(path, sha256_file(self.folder / path))


def staged(need: Need, stage: Path, where: str) -> Staged:
    """The staged copy of what is needed; presence and sizes are checked, contents by Staged.check.

    Raises:
        UserError: it was not staged, or a file has gone since.
    """
    need.must_be_pinned(where)
    path = need.manifest(stage)
    if not path.is_file():
        raise UserError(where, f"{need} is not staged in {stage}/", HOW.format(stage))
    if lost := lost_files(read_json(path), need.folder(stage)):
        raise UserError(
            where,
            f"the staged copy of {need} has lost {', '.join(lost[:5])}{', ...' if len(lost) > 5 else ''}",
            f"delete {path}, then {HOW.format(stage)}",
        )
    return Staged.read(need, stage)
