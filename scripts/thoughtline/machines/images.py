"""Running jobs in images: where they are, what containers see of the machine, and what must be there before a job starts."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

from ..common.canonical import canonical_json
from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.files import read_json
from .schema import Machine
from .variables import carried, container_environment

DEFAULT_FOLDER = ROOT / "containers" / "images"

CGROUPS = "/sys/fs/cgroup"
"""Where control groups are; Apptainer's own /sys is without. A verifier asks there whether its job ran out of memory."""


def image_folder(environ: Mapping[str, str]) -> Path:
    """The folder of images: THOUGHTLINE_CONTAINERS, or containers/images/ in the repository."""
    return Path(environ.get("THOUGHTLINE_CONTAINERS") or DEFAULT_FOLDER).resolve()


def visible_folders(machine: Machine, environ: Mapping[str, str], folders: Iterable[str]) -> list[str]:
    """What containers see of the host beside the working directory: `path` or `path:inside`, only what exists.

    These are the repository, the staged models and `folders` (also behind links), control groups, and the machine's `binds`.
    The stage is seen in any case: a plan leaves it to the run to make it.
    """
    stage = [environ["THOUGHTLINE_STAGE"]] if environ.get("THOUGHTLINE_STAGE") else []
    made = {each for folder in stage for each in (os.path.abspath(folder), str(Path(folder).resolve()))}
    own = [str(ROOT)]
    for folder in [*folders, *stage]:
        for path in (Path(os.path.abspath(folder)), Path(folder).resolve()):
            if not any(path.is_relative_to(other) for other in [*own, Path.cwd()]):
                own.append(str(path))
    binds = [*own, CGROUPS, *(machine.containers.binds if machine.containers else [])]
    return [bind for bind in dict.fromkeys(binds) if bind in made or Path(bind.partition(":")[0]).exists()]


def arguments(machine: Machine, environ: Mapping[str, str], folders: Iterable[str]) -> list[str]:
    """Options of `apptainer exec` for jobs on this machine; the working directory is given by Snakemake (--home).

    Args:
        folders: the results, and folders that the recipe reads from.
    """
    binds = [word for bind in visible_folders(machine, environ, folders) for word in ("--bind", bind)]
    return ["--cleanenv", *binds, *(machine.containers.arguments if machine.containers else [])]


def added(given: str, words: list[str]) -> str:
    """Snakemake's apptainer_args with `words` at their end, once: jobs on a cluster get them from the driver and add them again."""
    text = shlex.join(words)
    return given if given.endswith(text) else f"{given} {text}".strip()


def variant_of(image: Path) -> str | None:
    """The variant that an image was built as, by the bill of materials beside it; None without one."""
    path = image.with_suffix(".cdx.json")
    if not path.is_file():
        return None
    properties = read_json(path)["metadata"]["component"].get("properties", [])
    return next((each["value"] for each in properties if each["name"] == "thoughtline:variant"), None)


def must_be(variant: str | None, images: Iterable[Path]) -> None:
    """Refuse images that were built as another variant than the machine's; None takes any.

    Raises:
        UserError: names them, and the command that builds the right ones.
    """
    wrong = [path for path in images if variant and variant_of(path) not in (None, variant)]
    if wrong:
        raise UserError(
            ", ".join(map(str, wrong)),
            f"was built as the variant {variant_of(wrong[0])}, and this machine needs {variant}",
            f"make containers VARIANT={variant} IMAGES={shlex.quote(' '.join(path.stem for path in wrong))}",
        )


def check(images: Iterable[Path], variant: str | None = None) -> None:
    """Stop before any job if an image is missing, of another variant or broken, or this machine cannot run one.

    Args:
        images: those that jobs run in.
        variant: the machine's.

    Raises:
        UserError: names the images and how to get them, or what the site must enable.
    """
    images = sorted(set(images))
    if not images:
        return
    if not shutil.which("apptainer"):
        raise UserError(
            "apptainer",
            "is not on the PATH, and jobs run in images",
            "load the site's module (`module avail apptainer`), or run containers/install-apptainer",
        )
    which = f"VARIANT={variant} " if variant else ""
    if missing := [path for path in images if not path.is_file()]:
        raise UserError(
            ", ".join(map(str, missing)),
            "no such image",
            f"build it (make containers {which}IMAGES={shlex.quote(' '.join(path.stem for path in missing))}) or copy it there; "
            "THOUGHTLINE_CONTAINERS names another folder",
        )
    must_be(variant, images)
    for image in images:
        done = subprocess.run(["apptainer", "exec", "--cleanenv", str(image), "true"], capture_output=True, text=True)
        if done.returncode:
            told = " ".join(line.strip() for line in done.stderr.splitlines()[-3:])
            raise UserError(f"apptainer exec {image}", f"does not work on this machine: {told}", advice(done.stderr))


def advice(message: str) -> str:
    """What a site must enable, by what Apptainer said."""
    text = message.lower()
    if "fuse" in text:
        return "the site must let users read and write /dev/fuse (chmod 666) and install squashfuse, or install apptainer-suid"
    if "namespace" in text or "operation not permitted" in text or "clone" in text:
        return (
            "the site must allow user namespaces (sysctl user.max_user_namespaces=15000; on Debian and Ubuntu "
            "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0) or install apptainer-suid"
        )
    if "no space" in text or "session dir" in text:
        return (
            "the site must make room in /var/lib/apptainer/mnt/session, or set APPTAINER_TMPDIR to a folder with room"
        )
    return "does `apptainer exec IMAGE true` work by hand? docs/containers.md lists what Apptainer wants"


def uses_containers(methods: Iterable[object]) -> bool:
    """Whether jobs run in images, by Snakemake's deployment methods (--software-deployment-method)."""
    return any(getattr(method, "name", str(method)).upper() == "APPTAINER" for method in methods)


def prepare(
    environ: MutableMapping[str, str], machine: Machine, keys: Iterable[str], git: Mapping[str, object]
) -> None:
    """Make `environ`, a Snakemake process's own, that of one whose jobs run in images.

    Args:
        keys: further variables that enter (`variables.key_variables`).
        git: the repository's state, which jobs cannot ask for themselves.
    """
    environ["THOUGHTLINE_CONTAINERS"] = str(image_folder(environ))
    environ["THOUGHTLINE_GIT"] = canonical_json(git)
    wanted = carried(environ, container_environment(environ, machine, keys))
    for name in set(environ) - set(wanted):
        del environ[name]
    environ.update(wanted)
