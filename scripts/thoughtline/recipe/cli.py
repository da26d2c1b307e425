"""`thoughtline recipe ...`: check a recipe, show its graph and settings, write the reference."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import yaml

from ..common.errors import UserError
from ..common.files import write_text
from ..common.revisions import UNPINNED
from . import settings
from .load import load
from .paths import Paths
from .reference import reference_page, schema_text
from .scale import DEFAULT as OVERLAY
from .scale import check_out, scaled_text
from .schema.recipe import Recipe


def unpinned(recipe: Recipe) -> list[str]:
    """Key paths of what the recipe takes from the hub without having a revision yet."""
    found = [f"models.{name}.hub" for name, each in recipe.models.items() if each.hub and each.hub.revision == UNPINNED]
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            for key, source in chosen.sources.items():
                if source.hub and source.hub.revision == UNPINNED:
                    found.append(f"{kind}.{name}.sources.{key}.hub")
    return found


def _check(args: argparse.Namespace) -> None:
    for path in args.recipes:
        recipe = load(path)
        paths = Paths(recipe, "results")
        print(
            f"{path}: good. {len(recipe.questions)} question sets, {len(recipe.benchmarks)} benchmarks, "
            f"{len(recipe.traces)} trace runs, {len(recipe.datasets)} datasets, {len(recipe.models)} models "
            f"({len(paths.trained())} trained), {len(paths.scores())} scores"
        )
        for key in unpinned(recipe):
            print(f"{path}: {key}.revision is still to be pinned: it can be planned, not fetched")


def _show(args: argparse.Namespace) -> None:
    recipe = load(args.recipe)
    print(
        f"# {recipe.name}, for reading: seeds and stages are written out as models of their own (NAME-seed1, NAME.stage1), which no recipe may name\n"
        "# so. To change something, start from the recipe's file, or write one that `extends` it."
    )
    print(
        yaml.safe_dump(recipe.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True),
        end="",
    )


STAGES = {
    "questions": ("set",),
    "traces": ("answerer", "set"),
    "verdicts": ("set",),
    "agreement": ("set",),
    "datasets": ("dataset",),
    "fetch": ("model",),
    "train": ("model",),
    "scores": ("benchmark",),
    "drafts": ("draft",),
    "report": (),
}
"""Stage -> the names that choose a job of it, as `recipe settings` takes them."""


def settings_for(recipe: Recipe, stage: str, names: list[str]) -> dict:
    """Settings of one job.

    Raises:
        UserError: a wrong number of names, or one that the recipe lacks.
    """
    if len(names) != len(STAGES[stage]):
        raise UserError(
            "recipe settings",
            f"{stage} takes {len(STAGES[stage])} names",
            f"{stage} {' '.join(STAGES[stage]).upper()}".strip(),
        )
    try:
        return getattr(settings, stage)(recipe, *names)
    except KeyError as error:
        raise UserError(
            "recipe settings", f"the recipe has no {error.args[0]!r}", "see `thoughtline recipe show`"
        ) from None


def _settings(args: argparse.Namespace) -> None:
    value = settings_for(load(args.recipe), args.stage, args.names)
    print(json.dumps(value, indent=2, ensure_ascii=False) if args.indent else settings.text(value))


def _paths(args: argparse.Namespace) -> None:
    config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")) if Path("config.yaml").exists() else {}
    paths = Paths(load(args.recipe), args.results or config.get("results", "results"))
    print("\n".join(paths.scores() if args.kind == "scores" else paths.targets()))


def _scale(args: argparse.Namespace) -> None:
    if args.out is not None:
        check_out(args.out, args.recipe, args.overlay)
    text = scaled_text(args.recipe, args.overlay)
    if args.out is None:
        print(text, end="")
        return
    write_text(args.out, text)
    print(f"{args.out}: run it with snakemake --profile profiles/local --config {shlex.quote(f'recipe={args.out}')}")


def _reference(args: argparse.Namespace) -> None:
    write_text(args.docs / "recipe.schema.json", schema_text())
    write_text(args.docs / "reference.md", reference_page())
    print(f"{args.docs}/recipe.schema.json\n{args.docs}/reference.md")


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of `recipe`."""
    check = verbs.add_parser("check", help="validate recipes; exit 2 and one clear message at the first mistake")
    check.add_argument("recipes", nargs="+", metavar="RECIPE.yaml")
    check.set_defaults(run=_check)

    show = verbs.add_parser(
        "show", help="print a recipe with seeds and stages written out: for reading, not to be loaded again"
    )
    show.add_argument("recipe", metavar="RECIPE.yaml")
    show.set_defaults(run=_show)

    one = verbs.add_parser(
        "settings", help="print the settings of one job, as its command's --settings takes them",
        description="Stages and the names they take: " + "; ".join(f"{k} {' '.join(v).upper()}".strip() for k, v in STAGES.items()),
    )  # fmt: skip
    one.add_argument("recipe", metavar="RECIPE.yaml")
    one.add_argument("stage", choices=STAGES)
    one.add_argument("names", nargs="*", metavar="NAME")
    one.add_argument("--indent", action="store_true", help="print it for people")
    one.set_defaults(run=_settings)

    paths = verbs.add_parser("paths", help="print the files of a recipe's targets: its scores, or its report")
    paths.add_argument("recipe", metavar="RECIPE.yaml")
    paths.add_argument("kind", choices=("scores", "report"))
    paths.add_argument("--results", help="folder of all results (default: that of config.yaml)")
    paths.set_defaults(run=_paths)

    scale = verbs.add_parser(
        "scale", help="turn a recipe into a small one that runs here in minutes",
        description="Write a recipe with the same graph of jobs and the same targets, on a small model and stand-in rows, as "
        "an overlay says (docs/recipes.md). It needs no network and no accelerator.",
    )  # fmt: skip
    scale.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    scale.add_argument("--overlay", type=Path, default=OVERLAY, help="default: recipes/scale/small.yaml")
    scale.add_argument("--out", type=Path, metavar="SMALL.yaml", help="where to write it (default: print it)")
    scale.set_defaults(run=_scale)

    reference = verbs.add_parser(
        "reference", help="write docs/recipe.schema.json and docs/reference.md from the schema"
    )
    reference.add_argument("--docs", type=Path, default=Path("docs"))
    reference.set_defaults(run=_reference)
