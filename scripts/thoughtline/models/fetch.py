"""Published weights at a pinned revision, brought into the results folder."""

from __future__ import annotations

import os
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..common.command import recorded, settings_of
from ..common.errors import UserError
from ..common.files import atomic_directory, read_json, write_json
from ..common.revisions import must_be_pinned
from .artifact import WEIGHTS, content_revision, file_hashes
from .gguf import convert, find_file

PATTERNS = (
    "config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "chat_template*",
    "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.tiktoken", "*.model",
)  # fmt: skip
"""Files of a model folder that are taken: no code, no second copy of the weights in another format."""


def chosen_files(folder: Path) -> list[Path]:
    """The files of a Hugging Face model folder that match PATTERNS, sorted by name."""
    return sorted({path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()})


def take(folder: Path, into: Path, link: bool) -> None:
    """Copy a model folder's files, or hard-link them where `link` allows it (a staged copy never changes)."""
    for path in chosen_files(folder):
        real = path.resolve()
        if link:
            try:
                os.link(real, into / path.name)
                continue
            except OSError:
                pass
        shutil.copyfile(real, into / path.name)


def stage_of(hub: dict[str, str]) -> Path | None:
    """Where a staged copy of a hub model would be: THOUGHTLINE_STAGE/OWNER/NAME/REVISION/; None without that variable."""
    stage = os.environ.get("THOUGHTLINE_STAGE")
    return Path(stage).joinpath(*hub["id"].split("/"), hub["revision"]) if stage else None


def from_hub(hub: dict[str, str], into: Path) -> None:
    """Take a hub model from its staged copy, else download it."""
    must_be_pinned(hub, f"hub {hub['id']}")
    staged = stage_of(hub)
    if staged is not None and staged.is_dir():
        take(staged, into, link=True)
        return
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(hub["id"], revision=hub["revision"], local_dir=into, allow_patterns=list(PATTERNS))
    except Exception as error:
        where = staged or Path("$THOUGHTLINE_STAGE").joinpath(*hub["id"].split("/"), hub["revision"])
        raise UserError(
            f"hub {hub['id']}",
            f"revision {hub['revision']} cannot be downloaded ({type(error).__name__}: {str(error).splitlines()[0]})",
            f"check id and revision; without internet, stage it: put the repository's files at that revision into {where}/",
        ) from None
    shutil.rmtree(into / ".cache", ignore_errors=True)


def from_local(local: dict[str, str], into: Path) -> None:
    """Take a model folder on this machine, by copy: whoever owns it may change it."""
    folder = Path(local["path"])
    if not folder.is_dir():
        raise UserError(
            "local.path", f"{folder} is no folder", "give a Hugging Face model folder, relative to the repository"
        )
    take(folder, into, link=False)


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


def fetch(settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write out/weights/ and, last, out/model.json; returns the latter's content.

    Raises:
        UserError: not exactly one of hub, package, local; or what these find wrong.
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
    (out / "model.json").unlink(missing_ok=True)
    with atomic_directory(out / WEIGHTS) as folder:
        if given[0] == "hub":
            from_hub(source, folder)
        elif given[0] == "package":
            convert(find_file(source), folder, settings["context_length"])
        else:
            from_local(source, folder)
        check_weights(folder, f"{given[0]} {source[where]}", settings["context_length"])
        for path in folder.iterdir():
            if path.stat().st_nlink == 1:
                path.chmod(0o644)
    files = file_hashes(out / WEIGHTS)
    model = {
        "name": settings["model"],
        "revision": source["revision"] if given[0] == "hub" else content_revision(files),
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
    settings = settings_of(args)
    local = settings.get("local")
    inputs = sorted(path for path in Path(local["path"]).iterdir() if path.is_file()) if local else []
    with recorded([args.out / "model.json"], inputs, settings) as record:
        model = fetch(settings, args.out)
        record.counts = {"in": len(model["files"]), "out": len(model["files"]), "dropped": {}}
        record.details = {"revision": model["revision"]}
    print(f"{model['name']}: {len(model['files'])} files, {model['revision']}")
