"""`thoughtline drafts measure`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.command import add_common, add_files, deadline_of, recorded, settings_of, work_of
from ..common.files import write_json
from ..common.lease import Lease


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of `drafts`."""
    parser = verbs.add_parser(
        "measure", help="acceptance rate and speed-up of speculative decoding with a draft model",
        description="Have a model answer questions greedily, alone and by speculation with a smaller one, and measure how many of the "
        "draft's tokens it takes over and how much faster it writes. An interrupted run starts again from the beginning.",
    )  # fmt: skip
    add_common(parser)
    parser.add_argument("--target", type=Path, required=True, metavar="MODEL.json", help="the model that is sped up")
    parser.add_argument(
        "--draft", type=Path, required=True, metavar="MODEL.json", help="the model that proposes tokens"
    )
    add_files(parser, "--questions", "Q", "question files, .../SET/SHARD.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="DRAFT.json", help="what was measured")
    parser.set_defaults(run=run_measure)


def run_measure(args: argparse.Namespace) -> None:
    """Write DRAFT.json, then its sidecar."""
    from .measure import measure

    settings, deadline = settings_of(args), deadline_of(args)
    inputs = [args.target, args.draft, *args.questions]
    with Lease(work_of(args)), recorded([args.out], inputs, settings) as record:
        found = measure(settings, args.target, args.draft, args.questions, deadline.check)
        write_json(args.out, {"target": settings["target"], "draft": settings["draft"], **found})
        record.counts = {"in": found["questions"], "out": found["questions"], "dropped": {}}
    accepted = (
        f"{100 * found['acceptance']['mean']:.1f} % of its tokens accepted"
        if found["acceptance"]
        else "nothing proposed"
    )
    print(f"{settings['draft']} for {settings['target']}: {accepted}, {found['speed_up']['mean']:.2f} times as fast")
