"""A model on disk: `model.json`, which names it, and the folder of its weights beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..common.canonical import digest
from ..common.errors import UserError
from ..common.files import read_json, sha256_file

WEIGHTS = "weights"
"""Name of the folder of config, tokenizer and safetensors beside model.json."""


def file_hashes(folder: Path) -> dict[str, str]:
    """Path in `folder` -> sha256, for all its files, in the order of names."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}


def content_revision(files: dict[str, str]) -> str:
    """The revision of weights that no hub has numbered: their content decides."""
    return f"sha256:{digest(files)}"


def read_model(path: Path) -> dict[str, Any]:
    """The model.json at `path`, with `folder` (where its weights are).

    Raises:
        UserError: it is missing, is no model.json, or its weights are gone.
    """
    if not path.is_file():
        raise UserError(str(path), "no such model", "make it first with `thoughtline models fetch` or `train`")
    model = read_json(path)
    missing = [key for key in ("name", "revision", "weights", "files", "context_length") if key not in model]
    if missing:
        raise UserError(str(path), f"lacks {missing}", "give a model.json that this program wrote")
    folder = path.parent / model["weights"]
    lost = [name for name in model["files"] if not (folder / name).is_file()]
    if lost:
        raise UserError(str(folder), f"lacks {', '.join(lost)}", f"delete {path} and make the model again")
    return {**model, "folder": folder}
