"""Weights in folders of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.environments import ROOT
from ..schema.recipe import Recipe
from .shared import Problem


def check_weights(recipe: Recipe) -> Iterator[Problem]:
    """A local model must be a folder with what makes a Hugging Face model; its content is looked into when it is fetched."""
    for name, model in recipe.models.items():
        if model.local is None:
            continue
        at, given = ("models", name, "local", "path"), model.local.path
        folder = ROOT / given
        if not folder.is_dir():
            there = f"{given!r} is no folder" if folder.exists() else f"there is no folder {given!r}"
            yield at, there, "a path from the repository's root, or an absolute one"
        elif not (folder / "config.json").is_file():
            yield at, f"{given!r} has no config.json", "name the folder of a Hugging Face model"
        elif not any(folder.glob("*.safetensors")):
            yield at, f"{given!r} has no weights (*.safetensors)", "only safetensors are taken; convert other formats"
