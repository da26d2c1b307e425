"""`thoughtline questions ...`: curate and show question sets."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from ..common.command import add_common, add_files, deadline_of, recorded, settings_of, work_of
from ..common.errors import UserError
from ..common.files import read_json, write_json
from ..common.lease import Lease
from ..provenance.sidecar import sidecar_path
from ..stage.cli import add_stage

CURATE = """\
Load the sources of a question set, keep the rows that its recipe asks for, and write them as
OUT/0000.parquet, 0001.parquet, ... (the row format of docs/architecture.md, one file a shard, sorted by
question_id) with a sidecar each. OUT/dropped.parquet lists every row that was left out, and why.

Steps, in this order: load, where, take, normalise, filters, deduplicate, partition, limit.

Sources on the Hugging Face hub are read from their staged copies, at their pinned commits and without network:
`thoughtline stage fetch RECIPE.yaml` puts them there.
"""
EXAMPLE = """\
example:
  thoughtline questions curate --settings @settings.json --out results/demo/questions/math
"""


def register(verbs: Any) -> None:
    """Add `curate`, `select` and `show`."""
    raw = argparse.RawDescriptionHelpFormatter
    curate = verbs.add_parser(
        "curate", help="make a question set from its sources", description=CURATE, epilog=EXAMPLE, formatter_class=raw
    )
    add_common(curate)
    add_stage(curate)
    curate.add_argument(
        "--out", required=True, type=Path, metavar="FOLDER", help="the set's folder, one Parquet file a shard"
    )
    curate.set_defaults(run=run_curate)
    select = verbs.add_parser(
        "select", help="choose questions of a set by what a model said of them",
        description="Choose questions of a set by the numbers that a trace run gives them (`rated` in the recipe): ratings that its "
        "replies state, or the tokens that they took. OUT/dropped.parquet lists the others, and why.",
    )  # fmt: skip
    add_common(select)
    add_files(select, "--questions", "Q", "all shards of the set to choose from")
    add_files(select, "--traces", "T", "all shards of the run that was asked about it")
    select.add_argument(
        "--out", required=True, type=Path, metavar="FOLDER", help="the new set's folder, one Parquet file a shard"
    )
    select.set_defaults(run=run_select)
    show = verbs.add_parser(
        "show", help="print questions of a shard", description="Print questions of a shard for people."
    )
    show.add_argument("file", type=Path, metavar="FILE", help="a shard, say results/demo/questions/math/0000.parquet")
    show.add_argument(
        "--limit", type=int, default=10, metavar="N", help="print at most N questions (default 10; 0: all)"
    )
    show.set_defaults(run=run_show)


def run_curate(args: argparse.Namespace) -> None:
    """Run `curate`."""
    from .curate import curate, shard_paths, write

    settings, deadline = settings_of(args), deadline_of(args)
    for key in ("set", "domain", "shards", "sources"):
        if key not in settings:
            raise UserError(
                "--settings", f"lacks {key!r}", "`thoughtline recipe settings` prints the settings of a set"
            )
    work = work_of(args)
    shards = shard_paths(args.out, settings["shards"])
    outputs: list[Path | str] = [*shards, args.out / "dropped.parquet"]
    inputs: list[Path | str] = []
    with Lease(work):
        try:
            with recorded(outputs, inputs, settings) as record:
                pool = curate(settings, args.stage, work, deadline)
                record.counts = pool.counts()
                record.details = {"sources": pool.facts}
                inputs.extend(pool.files)
                sizes = write(pool, settings["shards"], args.out)
        finally:
            shutil.rmtree(work / "datasets", ignore_errors=True)
        for path, size in zip(shards, sizes, strict=True):
            sidecar = read_json(sidecar_path(path))
            write_json(sidecar_path(path), {**sidecar, "counts": {**sidecar["counts"], "shard_rows": size}})
    print(f"{args.out}: {summary(record.counts)}")


def run_select(args: argparse.Namespace) -> None:
    """Run `select`."""
    from .curate import shard_paths
    from .rated import select

    settings = settings_of(args)
    if not settings.get("rated"):
        raise UserError("--settings", "lacks 'rated'", "`thoughtline recipe settings` prints the settings of a set")
    shards = shard_paths(args.out, settings["shards"])
    with (
        Lease(work_of(args)),
        recorded([*shards, args.out / "dropped.parquet"], [*args.questions, *args.traces], settings) as record,
    ):
        record.counts = select(settings, args.questions, args.traces, args.out)
    print(f"{args.out}: {summary(record.counts)}")


def summary(counts: dict[str, Any]) -> str:
    """`120 of 200 rows kept; dropped: where 72, duplicate 8`."""
    dropped = ", ".join(f"{reason} {n}" for reason, n in counts["dropped"].items())
    return f"{counts['out']} of {counts['in']} rows kept" + (f"; dropped: {dropped}" if dropped else "")


def run_show(args: argparse.Namespace) -> None:
    """Run `show`."""
    from ..common.rows import QUESTIONS, read_rows
    from .show import shown

    if not args.file.is_file():
        raise UserError(str(args.file), "is no file", "give a shard of a question set")
    rows = read_rows(args.file, QUESTIONS)
    chosen = rows[: args.limit] if args.limit > 0 else rows
    for row in chosen:
        print(shown(row))
    print(f"{len(chosen)} of {len(rows)} questions")
