"""`thoughtline containers ...`: build the images that rules run in."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.files import read_json
from . import host
from .build import Plan, build, is_current
from .table import Table, read


def plans(table: Table, variant: str, names: list[str], base: str | None = None) -> list[Plan]:
    """What to build, on the variant's preferred base unless another is asked for.

    Raises:
        UserError: an unknown variant or image, or a base that the variant has not got.
    """
    if variant not in table.variants:
        raise UserError("--variant", f"there is no variant {variant!r}", f"one of {', '.join(table.variants)}")
    for name in names:
        if name not in table.images:
            raise UserError("IMAGE", f"there is no image {name!r}", f"some of {', '.join(table.images)}")
    found = table.variants[variant]
    if base is not None and base not in found.bases:
        raise UserError("--base", f"variant {variant} cannot stand on {base!r}", f"one of {', '.join(found.bases)}")
    chosen = found.on(base or found.bases[0])
    return [Plan(name, table.images[name], variant, chosen, table) for name in names or table.images]


def _build(args: argparse.Namespace) -> None:
    table = read()
    wanted = plans(table, args.variant, args.images, args.base)
    needed = [plan for plan in wanted if args.force or not is_current(plan, args.out)]
    if needed:
        host.check(debian=needed[0].variant.debian is not None)
    args.cache.mkdir(parents=True, exist_ok=True)
    took = {}
    for number, plan in enumerate(needed, 1):
        label = f"image {plan.name} ({plan.variant_name}, {number} of {len(needed)})"

        def say(text: str, label: str = label) -> None:
            print(f"{time.strftime('%H:%M:%S')} {label}: {text}", file=sys.stderr, flush=True)

        took[plan.name] = build(plan, args.out, args.cache, args.find_links, say)
    _table(wanted, args.out, took)


def _table(wanted: list[Plan], folder: Path, took: dict[str, float]) -> None:
    print(f"{'image':<10} {'MB':>6} {'packages':>8}  {'sha256':<16} built")
    for plan in wanted:
        image = folder / f"{plan.name}.sif"
        sha256 = Path(f"{image}.sha256").read_text(encoding="utf-8").split()[0]
        packages = len(read_json(folder / f"{plan.name}.cdx.json")["components"])
        when = f"in {took[plan.name]:.0f} s" if plan.name in took else "unchanged"
        print(f"{plan.name:<10} {image.stat().st_size / 1e6:>6.0f} {packages:>8}  {sha256[:16]:<16} {when}")
    print(f"in {folder}")


def register(verbs: argparse._SubParsersAction) -> None:
    """Add this noun's verbs."""
    verb = verbs.add_parser("build", help="build images that are missing or no longer what their locks say")
    verb.add_argument("images", nargs="*", metavar="IMAGE", help="names in containers/images.yaml (default: all)")
    verb.add_argument("--variant", default="cpu", help="cpu (runs anywhere) or cuda (NVIDIA GPUs)")
    verb.add_argument(
        "--base",
        help="docker (an image of a registry, by digest) or debian (made here from Debian's packages), where the variant has both",
    )
    verb.add_argument("--out", type=Path, default=ROOT / "containers/images", help="folder of the images")
    verb.add_argument(
        "--cache", type=Path, default=ROOT / "containers/cache", help="folder for wheels and Debian roots"
    )
    verb.add_argument(
        "--find-links",
        default=os.environ.get("UV_FIND_LINKS") or None,
        help="folder that may hold a CPU wheel of torch",
    )
    verb.add_argument("--force", action="store_true", help="build also what has not changed")
    verb.set_defaults(run=_build)
