"""`thoughtline NOUN VERB ...`: every step of the pipeline by hand."""

from __future__ import annotations

import argparse
import importlib
import sys

from . import __version__
from .common.command import guarded
from .common.environments import ENVIRONMENTS, enter
from .common.offline import go_offline, go_online

NOUNS = {
    "recipe": "validate a recipe, show its graph and settings",
    "stage": "fetch what a recipe needs of the model hub: the one command that uses the network",
    "questions": "curate question sets",
    "traces": "generate traces with a model",
    "verdicts": "verify traces",
    "datasets": "assemble training sets",
    "models": "fetch published weights, train students",
    "scores": "score models on benchmarks",
    "drafts": "measure draft models",
    "report": "write the report",
    "containers": "build the images that rules run in",
    "machines": "show what a site offers, compare it with what Slurm says",
    "plan": "what a recipe will take on a machine: tokens, GPU-hours, jobs, storage, money, and whether it fits",
}


def parser_of(noun: str | None) -> argparse.ArgumentParser:
    """The parser; only the sub-package of `noun` is imported (the others' dependencies may be missing)."""
    parser = argparse.ArgumentParser(
        prog="thoughtline", description="Reproduce open reasoning-model releases, step by step.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"thoughtline {__version__}")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="NOUN")
    for name, text in NOUNS.items():
        sub = nouns.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == noun:
            commands = importlib.import_module(f".{name}.cli", __package__)
            if hasattr(commands, "register_noun"):  # its verbs may be left out
                commands.register_noun(sub)
            else:
                commands.register(sub.add_subparsers(dest="verb", required=True, metavar="VERB"))
    return parser


def main() -> None:
    """Entry point: choose the environment, then run the command."""
    arguments = sys.argv[1:]
    noun = arguments[0] if arguments and arguments[0] in NOUNS else None
    (go_online if noun == "stage" else go_offline)()
    if noun:
        enter(ENVIRONMENTS[noun], arguments)
    args, unknown = parser_of(noun).parse_known_args(arguments)
    if unknown:
        command = " ".join(filter(None, ("thoughtline", noun, getattr(args, "verb", None))))
        print(f"error: {command}: knows no {' '.join(unknown)}; `{command} --help` lists its options", file=sys.stderr)
        sys.exit(2)
    sys.exit(guarded(args.run, args))
