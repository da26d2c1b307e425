"""What a recipe needs of the Hugging Face hub, and where its staged copy lies.

    STAGE/OWNER/NAME/REVISION/                 the repository's files at that commit, each under its own name
    STAGE/OWNER/NAME/REVISION.SELECTION.json   the manifest of one selection of them; it appears when all are there
    STAGE/.work/OWNER/NAME/REVISION/           lease, journal and unfinished downloads

Several recipes may share a stage and need different files of one revision, hence one manifest a selection. Manifests lie
beside the folder, not in it, since a data set's loader would take a JSON file there for rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.canonical import digest
from ..common.errors import UserError
from ..common.revisions import UNPINNED, must_be_pinned

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")

CARD = ("README.md", "LICENSE*", "LICENCE*", "NOTICE*")
"""Files that say what a repository is and what one may do with it; taken where they are."""

MODEL_FILES = (
    "config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "chat_template*",
    "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.tiktoken", "*.model",
)  # fmt: skip
"""Files of a model's top folder that are taken: no code, no second copy of the weights in another format."""

ROW_FORMATS = ("parquet", "arrow", "jsonl", "ndjson", "json", "csv", "tsv", "txt")
DATA_FILES = (
    *(f"**/*.{kind}{packed}" for kind in ROW_FORMATS for packed in ("", ".gz", ".zst", ".xz", ".bz2")),
    "**/*.zip",
)
"""Files of a data set that may hold rows, where the recipe names none."""

DATA_DESCRIPTION = (*CARD, ".huggingface.yaml", "dataset_infos.json")
"""Files of a data set that tell its loader which files are which split."""


@dataclass(frozen=True)
class Need:
    """Files of one hub repository at one commit.

    Args:
        kind: "model" or "dataset".
        id: hub id, owner/name.
        revision: full commit, 40 hex digits.
        patterns: globs of paths in the repository; ** crosses folders.
    """

    kind: str
    id: str
    revision: str
    patterns: tuple[str, ...]

    @property
    def selection(self) -> str:
        """8 hex digits of the patterns."""
        return digest(sorted(self.patterns), 8)

    def folder(self, stage: str | os.PathLike[str]) -> Path:
        """Where the files are."""
        return Path(stage) / self.id / self.revision

    def manifest(self, stage: str | os.PathLike[str]) -> Path:
        """What says that they are all there, and whole."""
        return Path(stage) / self.id / f"{self.revision}.{self.selection}.json"

    def work(self, stage: str | os.PathLike[str]) -> Path:
        """State of an unfinished fetch; on the stage's own file system, so that a finished file is moved by a rename."""
        return Path(stage) / ".work" / self.id / self.revision

    def must_be_pinned(self, where: str) -> None:
        """Refuse a revision that only holds its place in the recipe; `where` is the key, for the message."""
        must_be_pinned({"id": self.id, "revision": self.revision}, where, "datasets/" if self.kind == "dataset" else "")

    def __str__(self) -> str:
        return f"{'data set' if self.kind == 'dataset' else self.kind} {self.id} at {self.revision}"

    def settings(self) -> dict[str, Any]:
        """As the settings of a job: nothing else decides what is fetched, for a commit never changes."""
        return {"kind": self.kind, "id": self.id, "revision": self.revision, "patterns": list(self.patterns)}

    @classmethod
    def read(cls, settings: dict[str, Any]) -> Need:
        """The need of settings().

        Raises:
            UserError: a key is missing or unknown, or the revision is no full commit.
        """
        if settings.keys() != {"kind", "id", "revision", "patterns"} or settings["kind"] not in ("model", "dataset"):
            raise UserError(
                "--settings",
                "is no need of the hub",
                'give {"kind": "model" or "dataset", "id": ..., "revision": ..., "patterns": [...]}',
            )
        if not REPOSITORY.fullmatch(settings["id"]):
            raise UserError("id", f"{settings['id']!r} is no hub id", "give owner/name")
        if not COMMIT.fullmatch(settings["revision"]):
            raise UserError(
                "revision",
                f"{settings['revision']!r} is no full commit hash: a branch or tag can move",
                f"give the 40 hex digits that the hub shows for it (the history of {settings['id']})",
            )
        return cls(settings["kind"], settings["id"], settings["revision"], tuple(settings["patterns"]))


def of_model(hub: dict[str, Any]) -> Need:
    """What a published model needs: `hub` is {"id", "revision"}."""
    return Need("model", hub["id"], hub["revision"], MODEL_FILES)


def of_source(hub: dict[str, Any]) -> Need:
    """What a source of questions needs: `hub` is {"id", "revision", "data_files"}; without data_files every file of rows."""
    files = hub.get("data_files")
    return Need("dataset", hub["id"], hub["revision"], (files,) if files else DATA_FILES)


def of_question_set(chosen: Any) -> list[Need]:
    """What the sources of a question set or benchmark need of the hub, each once."""
    return list(dict.fromkeys(of_source(each.hub.model_dump()) for each in chosen.sources.values() if each.hub))


def of_recipe(recipe: Any) -> list[Need]:
    """Everything that an expanded recipe needs of the hub, each once: models, then question sets, then benchmarks."""
    found = [of_model(model.hub.model_dump()) for model in recipe.models.values() if model.hub]
    for chosen in (*recipe.questions.values(), *recipe.benchmarks.values()):
        found += of_question_set(chosen)
    return list(dict.fromkeys(found))


def matching(paths: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """Those of `paths` that one of `patterns` matches, as the hub's libraries read globs: * stays in a folder, ** does not.

    Raises:
        UserError: ** is not a whole part of a path.
    """
    from fsspec.utils import glob_translate

    found: set[str] = set()
    for pattern in patterns:
        try:
            expression = re.compile(glob_translate(pattern))
        except ValueError as error:
            raise UserError("data_files", f"{pattern!r} is no glob ({error})", "say data/train-*.parquet") from None
        found.update(path for path in paths if expression.match(path))
    return found


def chosen(need: Need, paths: Iterable[str]) -> set[str]:
    """The paths of a repository that a need takes.

    Of a model whose weights are there as `model*.safetensors` no other safetensors are taken: some repositories hold
    them a second time for other programs (consolidated.safetensors).

    Raises:
        UserError: the patterns match nothing, so the recipe names files that the revision lacks.
    """
    paths = set(paths)
    found = matching(paths, need.patterns)
    if need.kind == "model" and (weights := matching(found, ["model*.safetensors"])):
        found -= matching(found, ["*.safetensors"]) - weights
    if not found:
        known = ", ".join(sorted(paths)[:20]) + (", ..." if len(paths) > 20 else "")
        raise UserError(
            str(need), f"has no file that matches {', '.join(need.patterns)}", f"its files: {known or 'none'}"
        )
    return found | matching(paths, CARD if need.kind == "model" else DATA_DESCRIPTION)


def all_must_be_pinned(needs: Iterable[Need], recipe: str) -> None:
    """Refuse to begin while a revision only holds its place: what is fetched before would be of no use yet.

    Raises:
        UserError: names all of them, and how to find what belongs there.
    """
    open_needs = [need for need in needs if need.revision == UNPINNED]
    if not open_needs:
        return
    kinds = {"dataset": "datasets/"}
    names = ", ".join(f"{kinds.get(need.kind, '')}{need.id}" for need in open_needs)
    raise UserError(
        recipe,
        f"{len(open_needs)} revisions only hold their place ({UNPINNED[:8]}...): {names}",
        f"put in the commits to use; `thoughtline recipe check {recipe}` names their keys, and `git ls-remote https://huggingface.co/NAME HEAD` prints today's",
    )
