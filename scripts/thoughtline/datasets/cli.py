"""`thoughtline datasets assemble`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from ..common.command import add_common, add_files, deadline_of, recorded, settings_of, work_of
from ..common.deadline import Deadline
from ..common.files import atomic_directory, sha256_file
from ..common.finished import keep, restore
from ..common.lease import Lease
from .assemble import Inputs, assemble


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add the verbs of `datasets`."""
    parser = subparsers.add_parser(
        "assemble", help="make a training set of traces and verdicts",
        description="Make a training set: keep rules, deduplication, decontamination, length limit and mixture, as the settings "
        "say. Writes a folder with a card (README.md) that datasets.load_dataset loads; it appears whole or not at all. "
        "An interrupted run starts again from the beginning.",
    )  # fmt: skip
    add_common(parser)
    add_files(parser, "--questions", "Q", "question files of the traces")
    add_files(parser, "--traces", "T", "trace files, .../RUN/SET/SHARD.parquet")
    add_files(parser, "--verdicts", "V", "verdict files, one for each of --traces, same order")
    benchmarks = "question files of the benchmarks to decontaminate against, .../BENCHMARK/SHARD.parquet"
    add_files(parser, "--benchmarks", "B", benchmarks, needed=False)
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="model.json",
        help="model whose tokenizer counts tokens (with a max_tokens setting)",
    )
    parser.add_argument(
        "--same-questions-as", type=Path, metavar="rows.parquet",
        help="rows of the dataset whose questions to take (with a same_questions_as setting)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="the dataset's folder; an existing one is replaced")
    parser.set_defaults(run=run_assemble)


def run_assemble(args: argparse.Namespace) -> None:
    """Write the folder, then the sidecar of its card."""
    settings, deadline = settings_of(args), deadline_of(args)
    inputs = Inputs(args.questions, args.traces, args.verdicts, args.benchmarks, args.tokenizer, args.same_questions_as)
    work = work_of(args)
    with Lease(work):
        if not restore(work, [args.out / "README.md"], settings):
            _assemble(inputs, settings, args.out, deadline)
            keep(work, [args.out / "README.md"], [args.out])


def _assemble(inputs: Inputs, settings: dict[str, Any], out: Path, deadline: Deadline) -> None:
    with recorded([out / "README.md"], inputs.all(), settings) as record:
        for remains in (each for end in ("part", "old") for each in out.parent.glob(f".{out.name}.*.{end}")):
            shutil.rmtree(remains)  # of a run that was killed
        with atomic_directory(out) as folder:
            record.counts = assemble(inputs, settings, folder, deadline.check)
            deadline.check()
        files = sorted(out.rglob("*.parquet"))
        record.details["files"] = {path.relative_to(out).as_posix(): sha256_file(path) for path in files}
    counts = record.counts
    reasons = ", ".join(f"{reason} {number}" for reason, number in counts["dropped"].items())
    print(f"{out}: {counts['out']} rows of {counts['in']} traces" + (f" (left out: {reasons})" if reasons else ""))
    if counts.get("shortfall", {}).get("rows"):
        print(
            f"note: {counts['shortfall']['rows']} rows of {settings['same_questions_as']} have no usable trace here",
            file=sys.stderr,
        )
