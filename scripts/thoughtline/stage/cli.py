"""`thoughtline stage fetch | list | check`: the one command that asks the hub."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..common.command import add_common, add_minutes, deadline_of, settings_of
from ..common.deadline import Deadline
from ..common.errors import UserError
from ..common.files import read_json
from .hub import endpoint
from .needs import Need, all_must_be_pinned, of_recipe
from .staged import Staged, lost_files, stage_folder

FETCH = """\
Fetch what a recipe needs of the Hugging Face hub, at its pinned commits, into

  STAGE/OWNER/NAME/REVISION/                the files
  STAGE/OWNER/NAME/REVISION.SELECTION.json  their manifest: sizes and hashes; it appears when all are there and right

where every other command reads it without network. Every file is compared with the hash that the hub publishes.
Interrupted, the same command goes on at the byte where it stopped. HF_TOKEN opens gated repositories,
HF_ENDPOINT names another hub, HTTPS_PROXY a proxy.
"""


def register(verbs: Any) -> None:
    """Add the verbs of `stage`."""
    raw = argparse.RawDescriptionHelpFormatter
    fetch = verbs.add_parser(
        "fetch", help="fetch a recipe's models and data sets from the hub", description=FETCH, formatter_class=raw
    )
    fetch.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE.yaml", help="fetch all that it needs")
    add_common(fetch, settings=False)
    add_stage(fetch)
    fetch.add_argument(
        "--connections", type=int, default=8, metavar="N", help="files that are loaded at once (default 8)"
    )
    fetch.set_defaults(run=run_fetch)

    show = verbs.add_parser("list", help="show what a recipe needs of the hub, and what of it is staged")
    show.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    add_stage(show)
    show.set_defaults(run=run_list)

    check = verbs.add_parser(
        "check",
        help="read every staged file and compare it with its manifest",
        description="Read staged files and compare sizes and sha256 with their manifests; exit 2 if one is missing or wrong.",
    )
    check.add_argument(
        "recipe", nargs="?", type=Path, metavar="RECIPE.yaml", help="check what it needs (default: all of the stage)"
    )
    add_stage(check)
    check.set_defaults(run=run_check)

    images = verbs.add_parser(
        "images",
        help="check the container images of a machine, download those that its file names",
        description="Compare each image with its sha256; what is missing is downloaded if the machine's file names it under containers.images.",
    )
    images.add_argument("machine", metavar="MACHINE", help="a name in machines/, or the path of such a file")
    images.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="folder of the images (default: THOUGHTLINE_CONTAINERS, else containers/images)",
    )
    add_minutes(images)
    images.set_defaults(run=run_images)


def add_stage(parser: argparse.ArgumentParser) -> None:
    """--stage, the option of all commands that read or fill it."""
    parser.add_argument(
        "--stage",
        type=Path,
        default=stage_folder(),
        metavar="FOLDER",
        help="the staged copies of hub repositories (default: THOUGHTLINE_STAGE, else stage/)",
    )


def _of_recipe(path: Path) -> list[Need]:
    from ..recipe.load import load

    return of_recipe(load(path))


def _needs(args: argparse.Namespace) -> list[Need]:
    if (args.recipe is None) == (args.settings is None):
        raise UserError("stage fetch", "needs a recipe or --settings", "thoughtline stage fetch RECIPE.yaml")
    return _of_recipe(args.recipe) if args.recipe else [Need.read(settings_of(args))]


def run_fetch(args: argparse.Namespace) -> None:
    """Fetch each need in turn; one that fails does not keep the others from being fetched."""
    needs, deadline = _needs(args), deadline_of(args)
    if not endpoint().startswith(("http://", "https://")):
        raise UserError("HF_ENDPOINT", f"is {endpoint()!r}", "the hub's address, https://...")
    if args.connections < 1:
        raise UserError("--connections", f"is {args.connections}", "give 1 or more")
    if not needs:
        print(f"{args.recipe} needs nothing of the hub")
    all_must_be_pinned(needs, str(args.recipe or "--settings"))
    failed: list[UserError] = []
    for need in needs:
        try:
            _fetch(need, args, deadline)
        except UserError as error:
            failed.append(error)
            print(f"{need}: not staged", flush=True)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise UserError("stage fetch", "\n  ".join([f"{len(failed)} of {len(needs)} failed", *map(str, failed)]))


def _fetch(need: Need, args: argparse.Namespace, deadline: Deadline) -> None:
    from .fetch import fetch

    need.must_be_pinned(need.id)
    work = args.work / need.id / need.revision if args.work else need.work(args.stage)
    found = fetch(need, args.stage, work, args.connections, deadline)
    licence = found["licence"] or "not named in its card"
    licence = licence if isinstance(licence, str) else ", ".join(licence)
    print(f"{need}: {len(found['files'])} files, {_size(found['bytes'])}, licence {licence}", flush=True)


def _size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def _state(need: Need, stage: Path) -> tuple[bool, str]:
    """Whether a need is there by name and size, and in words."""
    path = need.manifest(stage)
    if not path.is_file():
        return False, "not staged"
    manifest = read_json(path)
    lost = lost_files(manifest, need.folder(stage))
    whole = f"{len(manifest['files'])} files, {_size(manifest['bytes'])}"
    return not lost, f"lost {len(lost)} of {whole}" if lost else f"staged, {whole}"


def run_list(args: argparse.Namespace) -> None:
    """A line for each need."""
    for need in _of_recipe(args.recipe):
        print(f"{need.kind}\t{need.id}\t{need.revision}\t{_state(need, args.stage)[1]}")


def run_check(args: argparse.Namespace) -> None:
    """A line for each manifest; an error if a file is missing or wrong."""
    if args.recipe:
        needs = _of_recipe(args.recipe)
    else:
        manifests = [path for path in sorted(args.stage.glob("*/*/*.json")) if not path.name.endswith(".prov.json")]
        needs = [_need_of(path) for path in manifests]
    wrong = []
    for need in needs:
        there, state = _state(need, args.stage)
        if there:
            copy = Staged.read(need, args.stage)
            try:
                for name in copy.files:
                    copy.check(name)
            except UserError as error:
                there, state = False, str(error)
        if there:
            print(f"{need}: good, {state}", flush=True)
        else:
            wrong.append(f"{need}: {state}")
    if wrong:
        raise UserError(str(args.stage), "\n  ".join([f"{len(wrong)} of {len(needs)} are not good", *wrong]))
    print(f"{args.stage}: {len(needs)} good")


def run_images(args: argparse.Namespace) -> None:
    """A line for each image."""
    from ..machines.images import image_folder
    from ..machines.load import load_machine
    from .images import stage_images

    folder = args.images or image_folder(os.environ)
    print("\n".join(stage_images(load_machine(args.machine), folder, deadline_of(args))))


def _need_of(path: Path) -> Need:
    manifest = read_json(path)
    try:
        return Need.read({key: manifest[key] for key in ("kind", "id", "revision", "patterns")})
    except (KeyError, TypeError):
        raise UserError(str(path), "is no manifest", "a stage holds nothing but staged repositories") from None
