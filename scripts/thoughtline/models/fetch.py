"""Published weights at a pinned revision, brought into the results folder."""

from __future__ import annotations

import json
import os
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..common.command import deadline_of, recorded, settings_of
from ..common.deadline import Deadline
from ..common.errors import UserError
from ..common.files import atomic_directory, read_json, write_json, write_text
from ..common.lease import Lease
from ..stage.needs import MODEL_FILES, of_model
from ..stage.staged import Staged, staged
from .artifact import WEIGHTS, content_revision, file_hashes
from .gguf import convert, find_file


def chosen_files(folder: Path) -> list[Path]:
    """The files of a Hugging Face model folder that belong to a model, sorted by name."""
    return sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern) if path.is_file()})


def from_hub(copy: Staged, into: Path) -> None:
    """Take the files of a staged copy that belong to a model, by hard link: a staged copy never changes."""
    for path in chosen_files(copy.folder):
        if path.name not in copy.files:
            continue  # another selection of the same revision
        try:
            os.link(path, into / path.name)
        except OSError:  # another file system
            shutil.copyfile(path, into / path.name)


def from_local(local: dict[str, str], into: Path) -> None:
    """Take a model folder on this machine, by copy: whoever owns it may change it."""
    folder = Path(local["path"])
    if not folder.is_dir():
        raise UserError(
            "local.path", f"{folder} is no folder", "give a Hugging Face model folder, relative to the repository"
        )
    for path in chosen_files(folder):
        shutil.copyfile(path.resolve(), into / path.name)


def change(folder: Path, changes: dict[str, Any]) -> None:
    """Write other values into config.json, and another chat template, as the recipe's `changes` say.

    Files of `folder` may be links into the stage, so they are replaced, never written to.
    """
    if changes["config"] and (folder / "config.json").is_file():
        content = json.dumps(read_json(folder / "config.json") | changes["config"], indent=2) + "\n"
        write_text(folder / "config.json", content)
    if changes["chat_template"] is not None:
        for path in folder.glob("chat_template*"):
            path.unlink()
        write_text(folder / "chat_template.jinja", changes["chat_template"])


def check_weights(folder: Path, where: str, context_length: int) -> None:
    """Refuse a folder that could not be served and trained.

    Raises:
        UserError: config, weights, tokenizer or chat template are missing, or the context is shorter than promised.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(where, "has no config.json", "it is no Hugging Face model")
    index = folder / "model.safetensors.index.json"
    shards = set(read_json(index)["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    lost = sorted(name for name in shards if not (folder / name).is_file())
    if lost:
        raise UserError(where, f"lacks the weights {', '.join(lost)}", "only safetensors are taken")
    tokenizer = folder / "tokenizer_config.json"
    if not tokenizer.is_file():
        raise UserError(where, "has no tokenizer_config.json", "take the tokenizer's files too")
    templates = [path for path in folder.glob("chat_template*") if path.is_file()]
    if not templates and not read_json(tokenizer).get("chat_template"):
        raise UserError(where, "has no chat template", "use an instruction-tuned model, or add chat_template.jinja")
    longest = read_json(config).get("max_position_embeddings")
    if longest is not None and context_length > longest:
        raise UserError(
            "context_length",
            f"{context_length} is more than the model's own {longest} tokens",
            f"use at most {longest}",
        )


def fetch(settings: dict[str, Any], out: Path, stage: Path, deadline: Deadline) -> dict[str, Any]:
    """Write out/weights/ and, last, out/model.json; returns the latter's content.

    Args:
        settings: {"model", one of "hub", "package", "local", "licence", "credit", "context_length"}, and "changes" where the
            recipe has some.
        out: the model's folder.
        stage: where hub models are staged.
        deadline: looked at before each step; nothing of a step that was not finished is kept.

    Raises:
        UserError: not exactly one of hub, package, local; or what these find wrong.
        OutOfTime: the deadline came.
    """
    given = [name for name in ("hub", "package", "local") if settings.get(name)]
    if len(given) != 1:
        raise UserError(
            f"models.{settings['model']}",
            f"has {' and '.join(given) or 'no'} source",
            "give one of hub, package, local",
        )
    source = settings[given[0]]
    where = {"hub": "id", "package": "package", "local": "path"}[given[0]]
    copy = staged(of_model(source), stage, f"models.{settings['model']}.hub") if given[0] == "hub" else None
    (out / "model.json").unlink(missing_ok=True)
    deadline.check()
    with atomic_directory(out / WEIGHTS) as folder:
        if copy:
            from_hub(copy, folder)
        elif given[0] == "package":
            convert(find_file(source), folder, settings["context_length"])
        else:
            from_local(source, folder)
        files = file_hashes(folder)
        for name, sha256 in files.items():
            if copy:
                copy.compare(name, sha256)
        changes = settings.get("changes")
        if changes:
            change(folder, changes)
            files = file_hashes(folder)
        check_weights(folder, f"{given[0]} {source[where]}", settings["context_length"])
        deadline.check()
        for path in folder.iterdir():
            if path.stat().st_nlink == 1:
                path.chmod(0o644)
    model = {
        "name": settings["model"],
        "revision": source["revision"] if given[0] == "hub" and not changes else content_revision(files),
        "kind": "published",
        "weights": WEIGHTS,
        "files": files,
        "licence": settings["licence"],
        "credit": settings["credit"],
        "context_length": settings["context_length"],
        "base": None,
    }
    write_json(out / "model.json", model)
    return model


def run(args: Namespace) -> None:
    """`thoughtline models fetch`."""
    settings, deadline = settings_of(args), deadline_of(args)
    local = settings.get("local")
    inputs = sorted(path for path in Path(local["path"]).iterdir() if path.is_file()) if local else []
    if settings.get("hub"):
        inputs = [of_model(settings["hub"]).manifest(args.stage)]
    with (
        Lease(args.work or Path(f"{args.out}.work")),
        recorded([args.out / "model.json"], inputs, settings) as record,
    ):
        model = fetch(settings, args.out, args.stage, deadline)
        record.counts = {"in": len(model["files"]), "out": len(model["files"]), "dropped": {}}
        record.details = {"revision": model["revision"]}
    print(f"{model['name']}: {len(model['files'])} files, {model['revision']}")
