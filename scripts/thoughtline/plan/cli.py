"""`thoughtline plan`: what a recipe will take on a machine; `thoughtline plan calibration`: how well such plans have done."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.files import write_json, write_text
from ..machines.load import load_machine
from ..machines.place import Placer
from ..recipe.execution import Execution, site_settings, with_site
from ..recipe.load import load
from ..recipe.paths import Paths
from ..recipe.yaml_text import read_yaml
from .calibration import calibrate
from .done import Done
from .page import page
from .planner import Planner
from .show import calibration_text, text


def config_of(args: argparse.Namespace) -> Execution:
    """config.yaml and site.yaml of this folder, with what the command line says in their place."""
    path = Path("config.yaml")
    config = (read_yaml(path) or {}) if path.is_file() else {"recipe": "recipes/demo.yaml"}
    given = {key: getattr(args, key) for key in ("recipe", "machine", "results", "qos") if getattr(args, key)}
    return Execution.read(with_site({**config, **given}, given, site_settings(Path.cwd())))


def recipe_file(name: str) -> str:
    """The file of a recipe: recipes/NAME.yaml for a name, the file itself for a path."""
    return name if name.endswith((".yaml", ".yml")) else f"recipes/{name}.yaml"


def _plan(args: argparse.Namespace) -> None:
    args.recipe = recipe_file(args.recipe) if args.recipe else None
    config = config_of(args)
    recipe, machine = load(config.recipe), load_machine(config.machine)
    paths = Paths(recipe, config.results, config.stage)
    placer = Placer(machine, config.qos, config.account, config.exclude_nodes)
    done = Done(paths, fresh=args.fresh)
    plan = Planner(recipe, machine, paths, placer, done, config.execution.concurrency).plan()
    if args.json:
        write_json(args.json, plan.as_json())
    if args.out:
        write_text(args.out, page(plan, recipe, machine))
    print(text(plan, args.every))


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
    parser.add_argument("--every", action="store_true", help="a line for each question set")
    parser.add_argument("--fresh", action="store_true", help="plan from the beginning, whatever is done already")
    parser.set_defaults(run=_plan)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    calibration = verbs.add_parser(
        "calibration", help="predicted against published cost of each run that published one"
    )
    calibration.set_defaults(run=_calibration)
