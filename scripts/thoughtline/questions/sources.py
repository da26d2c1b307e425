"""Where rows come from: a staged copy of a hub data set, a local file, reasoning-gym."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json
from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.files import sha256_file
from ..stage.needs import of_source
from ..stage.staged import staged
from . import gym
from .table import ArrowTable, RowTable, Table


@dataclass
class Loaded:
    """A source's rows, the files that they were read from, and what else identifies them."""

    table: Table
    files: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def load(source: dict[str, Any], stage: Path, cache: Path) -> Loaded:
    """Load a source of the settings (exactly one of hub, local, reasoning_gym).

    Args:
        source: its settings, with its `name`.
        stage: where hub data sets are staged.
        cache: folder for what `datasets` unpacks from a staged copy; may be deleted afterwards.

    Raises:
        UserError: it is missing, is not what its sha256 says, or cannot be read.
    """
    where = f"sources.{source.get('name')}"
    if source.get("hub"):
        return _hub(source["hub"], stage, cache, f"{where}.hub")
    if source.get("local"):
        return _local(source["local"], f"{where}.local")
    if source.get("reasoning_gym"):
        return _reasoning_gym(source["reasoning_gym"], f"{where}.reasoning_gym")
    raise UserError(where, "has no place to load from", "give one of hub, local, reasoning_gym")


def _hub(hub: dict[str, Any], stage: Path, cache: Path, where: str) -> Loaded:
    import datasets

    datasets.disable_progress_bars()
    copy = staged(of_source(hub), stage, where)
    split = hub.get("split") or "train"
    arguments: dict[str, Any] = {"name": hub.get("config"), "cache_dir": str(cache)}
    if hub.get("data_files"):
        # Files given as a plain glob would all become the split `train`; recorded split sizes are those of all files.
        arguments["data_files"] = {split.split("[")[0]: hub["data_files"]}
        arguments["verification_mode"] = "no_checks"
    path = str(copy.folder.resolve())
    try:
        files = _files_of(path, split, arguments)
        for file in files:
            copy.check(file.relative_to(path).as_posix())
        data = datasets.load_dataset(path, split=split, **arguments)
    except (
        ValueError,
        OSError,
        datasets.exceptions.DatasetsError,
        datasets.exceptions.DatasetGenerationError,
    ) as error:
        cause = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
        raise UserError(
            where,
            f"{hub['id']} at {hub['revision']} cannot be loaded from {copy.folder}: {cause}",
            "check id, revision, config, split and data_files",
        ) from None
    return Loaded(ArrowTable(data), files, {"id": hub["id"], "revision": hub["revision"]})


def _files_of(path: str, split: str, arguments: dict[str, Any]) -> list[Path]:
    """The files of a staged copy that a split is read from, with the README that says so."""
    import datasets

    wanted = {key: value for key, value in arguments.items() if key != "verification_mode"}
    config = datasets.load_dataset_builder(path, **wanted).config
    found = [Path(file) for file in (config.data_files or {}).get(split.split("[")[0], [])]
    return [file for file in [*found, Path(path) / "README.md"] if file.is_file()]


def _local(local: dict[str, Any], where: str) -> Loaded:
    path = ROOT / local["path"]
    if not path.is_file():
        raise UserError(f"{where}.path", f"there is no file {path}", "give a path relative to the repository's root")
    if local.get("sha256"):
        found = sha256_file(path)
        if found != local["sha256"]:
            raise UserError(
                f"{where}.sha256",
                f"{path} has sha256 {found}, not {local['sha256']}",
                "get the right file, or pin the new hash once you have looked at what changed",
            )
    return Loaded(read_file(path), [path])


def read_file(path: Path) -> Table:
    """Rows of a .parquet, .jsonl (.ndjson) or .json file; the latter two also as .gz.

    A .json file is one list of objects, or one object a line.
    """
    name = path.name.removesuffix(".gz")
    if path.name.endswith(".parquet"):
        import datasets
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return ArrowTable(datasets.Dataset(pq.read_table(path, memory_map=True)))
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(str(path), f"cannot be read as Parquet ({error})", "get the file again") from None
    if not name.endswith((".jsonl", ".ndjson", ".json")):
        raise UserError(str(path), "is of no known format", "give .jsonl, .json (also .gz) or .parquet")
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(str(path), f"cannot be read as text ({error})", "give UTF-8, whole") from None
    if name.endswith(".json") and text.lstrip().startswith("["):
        return RowTable(_objects(path, [(None, text)]))
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    return RowTable(_objects(path, [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]))


def _objects(path: Path, texts: list[tuple[int | None, str]]) -> list[dict[str, Any]]:
    rows: list[Any] = []
    for number, text in texts:
        place = f"{path}:{number}" if number else str(path)
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UserError(place, f"is not JSON ({error})", "mend or delete it") from None
        for row in [value] if number else value:
            if not isinstance(row, dict):
                raise UserError(place, f"holds a row that is no object: {str(row)[:80]}", "each row is {column: value}")
            rows.append(row)
    return rows


def _reasoning_gym(settings: dict[str, Any], where: str) -> Loaded:
    """Generate in a process of its own: some tasks iterate over sets, so their entries depend on the hash seed,
    which is fixed at a process's start; and others draw from global random state.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", gym.__name__],
        input=canonical_json(settings),
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode == gym.EXIT_REFUSED:
        raise UserError(
            where,
            f"task {settings['task']}: {done.stdout.strip()}",
            "see the task's page in reasoning-gym's GALLERY.md",
        )
    if done.returncode != 0:
        raise RuntimeError(f"{where}: the generator ended with code {done.returncode}:\n{done.stderr[-4000:]}")
    rows = [json.loads(line) for line in done.stdout.split("\n") if line]
    return Loaded(RowTable(rows), [], {"task": settings["task"], "seed": settings["seed"]})
