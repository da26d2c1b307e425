"""`thoughtline plan`: what a recipe will take on a machine; `thoughtline plan calibration`: how well such plans have done."""

from __future__ import annotations

import argparse
import functools
import subprocess
import sys
from pathlib import Path

from ..common.command import add_files, settings_of
from ..common.errors import UserError
from ..common.files import write_json, write_text
from ..machines.load import load_machine
from ..machines.place import Placer
from ..machines.schema import Machine
from ..recipe.execution import Execution, site_settings, with_site
from ..recipe.load import load
from ..recipe.paths import Paths
from ..recipe.schema.recipe import Recipe
from ..recipe.where import lines_of
from ..recipe.yaml_text import read_yaml
from . import probe
from .advice import on_concurrency
from .calibration import calibrate
from .done import Done
from .page import page
from .planner import Planner
from .show import calibration_text, text


def config_of(args: argparse.Namespace) -> Execution:
    """config.yaml and site.yaml of this folder, with what the command line says in their place."""
    path = Path("config.yaml")
    config = (read_yaml(path) or {}) if path.is_file() else {"recipe": "recipes/demo.yaml"}
    given = {
        key: getattr(args, key) for key in ("recipe", "machine", "results", "stage", "qos") if getattr(args, key, None)
    }
    return Execution.read(with_site({**config, **given}, given, site_settings()))


def check_out(option: str, path: Path | None) -> None:
    """Refuse a file that cannot be written since its folder is not there: a misspelt path makes no folders.

    Raises:
        UserError: says so, before anything is planned.
    """
    if path is not None and not path.parent.is_dir():
        raise UserError(option, f"there is no folder {str(path.parent)!r}", "make it, or name a file elsewhere")
    if path is not None and path.is_dir():
        raise UserError(option, f"{str(path)!r} is a folder", "name a file")


def _plan(args: argparse.Namespace) -> None:
    check_out("--json", args.json)
    check_out("--out", args.out)
    config = config_of(args)
    if args.probe:
        run_probe(config)
    with lines_of(config.recipe):
        planner = planner_of(config, args.fresh)
        plan = planner.plan()
        if not planner.probed:
            now = config.execution.concurrency
            plan.advice = on_concurrency(plan, now, lambda count: planner_of(config, args.fresh, count).plan())
    if args.json:
        write_json(args.json, plan.as_json())
    if args.keep:
        write_json(Path(planner.root, "plan.json"), plan.as_json())
    if args.out:
        write_text(args.out, page(plan, planner.recipe, planner.machine))
    print(text(plan, args.every))


def planner_of(config: Execution, fresh: bool = False, concurrency: int | None = None) -> Planner:
    """The planner of a recipe on a machine; `concurrency` instead of `execution.concurrency`."""
    recipe, machine = _loaded(config.recipe, config.machine)
    paths = Paths(recipe, config.results, config.stage)
    placer = Placer(machine, config.qos, config.account, config.exclude_nodes)
    return Planner(recipe, machine, paths, placer, Done(paths, fresh), concurrency or config.execution.concurrency)


@functools.cache
def _loaded(recipe: str, machine: str) -> tuple[Recipe, Machine]:
    return load(recipe), load_machine(machine)


def run_probe(config: Execution) -> None:
    """Have Snakemake probe the machine.

    Raises:
        UserError: it could not.
    """
    profile = Path("profiles") / Path(config.machine).stem
    if not profile.is_dir():
        profile = Path("profiles/slurm")
    given = [
        f"{key}={getattr(config, key)}"
        for key in ("recipe", "machine", "results", "stage", "account", "qos")
        if getattr(config, key)
    ]
    snakemake = Path(sys.executable).with_name("snakemake")
    words = [str(snakemake), "--profile", str(profile), "--config", *given, "--", "probe"]
    if subprocess.run(words).returncode != 0:
        raise UserError("--probe", f"`{' '.join(words)}` failed", "its last lines say why")


def _sample(args: argparse.Namespace) -> None:
    print(f"{args.out}: {probe.sample(args.questions, args.rows, args.out)} questions")


def _rows(args: argparse.Namespace) -> None:
    probe.rows(settings_of(args), args.questions, args.traces, args.rows, args.out)
    print(f"{args.out}: {args.rows} rows")


def _collect(args: argparse.Namespace) -> None:
    found = planner_of(config_of(args)).collect()
    write_json(args.json, found)
    for kind in ("generation", "training"):
        print(f"{args.json}: {kind} of {', '.join(found[kind]) or 'nobody'}")


def _calibration(args: argparse.Namespace) -> None:
    print(calibration_text(*calibrate()))


def register_noun(parser: argparse.ArgumentParser) -> None:
    """Add options and verbs of `plan`; without a verb it plans."""
    parser.add_argument("--recipe", metavar="R", help="a name in recipes/, or a file (default: that of config.yaml)")
    parser.add_argument("--machine", metavar="M", help="a name in machines/, or a file (default: that of config.yaml)")
    parser.add_argument("--results", help="folder of all results (default: that of config.yaml)")
    parser.add_argument("--qos", help="the only QoS to use")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the plan as JSON")
    parser.add_argument(
        "--out", type=Path, metavar="PAGE.html", help="also write the plan as a page that opens offline"
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="also leave the plan in the results, for the report to hold against what the run takes",
    )
    parser.add_argument("--every", action="store_true", help="a line for each question set")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="first measure this machine: a few rows and a few steps, as jobs of `snakemake ... probe`",
    )
    parser.add_argument("--fresh", action="store_true", help="plan from the beginning, whatever is done already")
    parser.set_defaults(run=_plan)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    _probe_parts(verbs)
    calibration = verbs.add_parser(
        "calibration", help="predicted against published cost of each run that published one"
    )
    calibration.set_defaults(run=_calibration)


def _probe_parts(verbs: argparse._SubParsersAction) -> None:
    sample = verbs.add_parser("sample", help="part of a probe: a few questions of a shard")
    sample.add_argument("--questions", type=Path, required=True, metavar="SHARD.parquet")
    sample.add_argument("--rows", type=int, required=True, metavar="N", help="at most so many, and half of the shard")
    sample.add_argument("--out", type=Path, required=True, metavar="SHARD.parquet")
    sample.set_defaults(run=_sample)

    rows = verbs.add_parser("rows", help="part of a probe: training rows made from its traces")
    rows.add_argument("--settings", required=True, metavar="JSON", help="of the dataset, or @file")
    add_files(rows, "--questions", "SHARD.parquet", "shards of the questions")
    add_files(rows, "--traces", "SHARD.parquet", "shards of their traces")
    rows.add_argument("--rows", type=int, required=True, metavar="N")
    rows.add_argument("--out", type=Path, required=True, metavar="train.parquet")
    rows.set_defaults(run=_rows)

    collect = verbs.add_parser("collect", help="part of a probe: the rates that its jobs tell")
    for name in ("--recipe", "--machine", "--results", "--stage"):
        collect.add_argument(name, required=True)
    collect.add_argument("--json", type=Path, required=True, metavar="probe.json")
    collect.set_defaults(run=_collect)
