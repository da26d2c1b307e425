"""`thoughtline machines ...`: show a machine, compare it with its cluster, write the reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..common.errors import UserError
from ..common.files import write_text
from ..recipe.load import load
from ..recipe.paths import Paths
from ..recipe.where import lines_of
from .check import differences
from .demands import Demands
from .load import file_of, load_machine
from .place import Place, Placer
from .reference import count, reference_page, summary
from .slurm import ask, partitions_of, qos_of


def _words(place: Place) -> str:
    """A place as one line for people."""
    if place.partition is None:
        return "this machine"
    whole = ", alone" if place.whole else ""
    gpus = f", {count(place.gpus, 'GPU')}" if place.gpus else ""
    shape = f"{count(place.nodes, 'node')}{whole}, each {count(place.cpus, 'core')}{gpus}, {place.mem_mb} MB"
    return f"{place.partition}/{place.qos}: {shape}; {place.minutes} minutes"


def _show(args: argparse.Namespace) -> None:
    machine = load_machine(args.machine)
    print("\n".join(summary(machine)))
    if args.recipe:
        from ..plan.cli import config_of
        from ..plan.layout import Layout

        recipe, config = load(args.recipe), config_of(args)
        placer = Placer(machine, config.qos, config.account, config.exclude_nodes)
        layout = Layout(recipe, machine, placer, config.execution.concurrency)
        needed = Demands(recipe, machine, layout.gpus).needed(Paths(recipe, "results"))
        with lines_of(args.recipe):
            placer.check(needed)
        print("\n".join(dict.fromkeys(f"{key}: {_words(placer.place(demand))}" for key, demand in needed)))


def _check(args: argparse.Namespace) -> None:
    machine = load_machine(args.machine)
    if not machine.is_slurm:
        raise UserError(f"machine {machine.name}", "is not under Slurm, so there is nothing to compare", "name another")
    answers = {name: ask(name) for name in ("sinfo", "scontrol", "sacctmgr")}
    missing = [name for name, answer in answers.items() if answer is None]
    if "sinfo" in missing or "scontrol" in missing:
        raise UserError(
            ", ".join(missing), "no such command here, nothing was compared", "run this on a login node of the cluster"
        )
    if missing:
        print("sacctmgr: no such command here; QoS and their limits were not compared", file=sys.stderr)
    partitions = partitions_of(answers["sinfo"] or "", answers["scontrol"] or "")
    found = differences(machine, partitions, None if missing else qos_of(answers["sacctmgr"] or ""))
    print("\n".join(found) or f"{file_of(args.machine)}: as Slurm says")
    if found:
        raise SystemExit(1)


def _reference(args: argparse.Namespace) -> None:
    write_text(args.docs / "machines-reference.md", reference_page())
    print(f"{args.docs}/machines-reference.md")


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of `machines`."""
    machine = "a name in machines/, or the path of such a file"
    show = verbs.add_parser("show", help="what a machine offers, and where the jobs of a recipe go")
    show.add_argument("machine", metavar="MACHINE", help=machine)
    show.add_argument("recipe", metavar="RECIPE.yaml", nargs="?", help="also show where its jobs go")
    show.set_defaults(run=_show)

    check = verbs.add_parser(
        "check", help="compare a machine's file with sinfo, scontrol and sacctmgr; exit 1 on differences"
    )
    check.add_argument("machine", metavar="MACHINE", help=machine)
    check.set_defaults(run=_check)

    reference = verbs.add_parser("reference", help="write docs/machines-reference.md from machines/ and the schema")
    reference.add_argument("--docs", type=Path, default=Path("docs"))
    reference.set_defaults(run=_reference)
