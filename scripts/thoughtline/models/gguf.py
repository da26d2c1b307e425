"""A GGUF file inside an installed Python distribution, converted to float32 safetensors."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.files import read_json, sha256_file, write_json

MACHINE_KEYS = {
    "config.json": ("_model_name_or_path", "_name_or_path"),
    "tokenizer_config.json": ("is_local", "local_files_only", "name_or_path", "gguf_file"),
    "generation_config.json": ("_from_model_config",),
}
"""Keys that say where and how the conversion ran; they are no part of the model."""


def find_file(package: dict[str, str]) -> Path:
    """The file that `package` (package, version, file, sha256) names.

    `file` is a path as the distribution lists it, or the end of one.

    Raises:
        UserError: not installed, in another version, without the file, or the file is another.
    """
    name, version = package["package"], package["version"]
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "package.package", f"{name} is not installed", f"install {name}=={version} without its dependencies"
        ) from None
    if distribution.version != version:
        raise UserError(
            "package.version",
            f"{name} {distribution.version} is installed, not {version}",
            f"install {name}=={version}",
        )
    wanted = f"/{package['file']}"
    found = [each for each in distribution.files or [] if f"/{each.as_posix()}".endswith(wanted)]
    if len(found) != 1:
        known = ", ".join(each.as_posix() for each in distribution.files or [] if each.suffix == ".gguf") or "none"
        raise UserError(
            "package.file", f"{len(found)} files of {name} are called {package['file']}", f"its GGUF files: {known}"
        )
    path = Path(os.fspath(found[0].locate()))
    digest = sha256_file(path)
    if digest != package["sha256"]:
        raise UserError(
            "package.sha256",
            f"{path.name} has sha256 {digest}",
            f"expected {package['sha256']}: install the right package",
        )
    return path


def _without(path: Path, keys: tuple[str, ...], **more: Any) -> None:
    if path.is_file():
        write_json(path, {key: value for key, value in {**read_json(path), **more}.items() if key not in keys})


def convert(source: Path, folder: Path, context_length: int) -> None:
    """Write `source` (GGUF, any quantisation) to `folder` as config, tokenizer and float32 safetensors; the same bytes each time."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # saving imports DeepSpeed, which else warns that it finds no GPU
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of three libraries for half a minute of work
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # They say "GGUF", which save_pretrained refuses, though the weights are plain float32 by now.
    for owner, name in ((model, "hf_quantizer"), (model.config, "quantization_config")):
        if hasattr(owner, name):
            delattr(owner, name)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
    for name, keys in MACHINE_KEYS.items():
        more = {"model_max_length": context_length} if name == "tokenizer_config.json" else {}
        _without(folder / name, keys, **more)
