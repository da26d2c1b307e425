"""`thoughtline report write`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..common.command import add_common, recorded, settings_of, work_of
from ..common.lease import Lease
from .write import write_report


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add the verbs of this noun."""
    write = subparsers.add_parser(
        "write",
        help="write the report of a run",
        description="Write one self-contained HTML page about a run (scores with intervals, differences between models, "
        "the funnel of rows, yields, lengths, loss curves, examples, settings, times, provenance), and its tables as CSV "
        "in tables/ beside it. What has not been made yet is named in the page and left out.",
    )
    add_common(write)
    write.add_argument(
        "--results", type=Path, required=True, metavar="FOLDER", help="the run's folder, results/{recipe}"
    )
    write.add_argument("--out", type=Path, required=True, metavar="HTML", help="the page, say FOLDER/report/index.html")
    write.set_defaults(run=run_write)


def run_write(args: argparse.Namespace) -> None:
    """Write the page, the tables and the sidecar."""
    settings = settings_of(args)
    inputs: list[Path] = []
    with Lease(work_of(args)), recorded([args.out], inputs, settings) as record:
        results, record.counts = write_report(settings, args.results, args.out)
        inputs += results.files
    print(f"{args.out}: {record.counts['steps']} steps of the funnel, {len(results.scores)} scores")
    for key, text in (("problems", "steps do not add up"), ("missing", "files of the recipe are not there")):
        if record.counts[key]:
            print(f"{args.out}: {record.counts[key]} {text}, see the page", file=sys.stderr)
