"""One image: base and wheels in, NAME.sif with its sha256 and its bill of materials out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..common.canonical import digest
from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.files import atomic_path, read_json, sha256_file, write_json, write_text
from . import base, clean, overlaps, sbom, wheels
from .isolation import PLACE, isolated
from .sif import write_sif
from .table import Image, Table, Variant

FORMAT = 1
"""Raise it where a change of this package changes what an image holds."""
TEMPLATE = ROOT / "containers/image.def"
ENTRY = ROOT / "containers/thoughtline"
UV = ROOT / ".venv/uv/bin/uv"
COMPRESSION = ["-comp", "zstd", "-Xcompression-level", "3"]
UNDATED = "org.label-schema.build-date"
NOTE = "uv_cache.json"


@dataclass(frozen=True)
class Plan:
    """What one image is made of."""

    name: str
    image: Image
    variant_name: str
    variant: Variant
    table: Table

    @property
    def key(self) -> str:
        """Digest of all that the image follows from: two plans with one key need one build."""
        locks = {
            each: self.table.lock(each, self.variant_name).read_text(encoding="utf-8")
            for each in self.image.environments
        }
        files = [path.read_text(encoding="utf-8") for path in (TEMPLATE, ENTRY)]
        made_of = [self.image.model_dump(), self.variant.model_dump(), locks, files, self.table.epoch, COMPRESSION]
        return digest([FORMAT, self.name, self.variant_name, *made_of], 32)


def is_current(plan: Plan, folder: Path) -> bool:
    """Whether `folder` holds the image of this plan, whole, with its sha256 and its bill."""
    image = folder / f"{plan.name}.sif"
    known, document = Path(f"{image}.sha256"), folder / f"{plan.name}.cdx.json"
    if not (image.is_file() and known.is_file() and document.is_file()):
        return False
    bill = read_json(document)
    hashes = bill.get("metadata", {}).get("component", {}).get("hashes", [{}])
    if sbom.facts_of(bill).get("key") != plan.key or known.stat().st_mtime < image.stat().st_mtime:
        return False
    return hashes[0].get("content") == known.read_text(encoding="utf-8").split()[0]


def _run(words: list[str], log: Path, env: dict[str, str], what: str, right: str) -> None:
    with open(log, "ab") as stream:
        stream.write(f"$ {' '.join(words)}\n".encode())
        stream.flush()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=env)
    if done.returncode:
        tail = "\n  ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
        raise UserError(what, f"failed with exit code {done.returncode} (log: {log}):\n  {tail}\n ", right)


def _link(source: Path, target: Path) -> None:
    """A large file `source` of the cache as `target`, by a hard link where both lie on one file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _inputs(
    plan: Plan, folder: Path, cache: Path, log: Path, find_links: str | None, say: Callable[[str], None]
) -> None:
    """Put into `folder` what %post reads: uv, the entry script, each environment's wheels."""
    shutil.copy2(UV, folder / "uv")
    shutil.copy2(ENTRY, folder / "thoughtline")
    shutil.copy2(TEMPLATE, folder / "image.def")
    for environment in plan.image.environments:
        lock = plan.table.lock(environment, plan.variant_name)
        say(f"wheels of {lock.name}")
        fetched = wheels.fetch(lock, cache, log, find_links)
        overlaps.check(fetched.glob("*.whl"), lock)
        for path in fetched.iterdir():
            _link(path, folder / "wheels" / environment / path.name)


def _undate(root: Path) -> None:
    """Take out what tells the time of the build: a label of Apptainer's, and uv's note of when it met each wheel."""
    path = root / ".singularity.d/labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    labels.pop(UNDATED, None)
    path.write_text(json.dumps(labels, indent=1, sort_keys=True), encoding="utf-8")
    for note in root.glob(f"opt/thoughtline/*/lib/python3*/site-packages/*.dist-info/{NOTE}"):
        note.unlink()
        record = note.with_name("RECORD")
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        own = f"{note.parent.name}/{NOTE},"
        record.write_text("".join(line for line in lines if not line.startswith(own)), encoding="utf-8")


def _untagged(reference: str) -> str:
    """A registry's reference without its tag: Apptainer takes a tag or a digest, not both."""
    name, _, sha256 = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{sha256}"


def _sandbox(plan: Plan, work: Path, cache: Path, log: Path, say: Callable[[str], None]) -> Path:
    """The image's root as a folder, built by Apptainer from the definition in a namespace of its own."""
    folders = {"in": work / "in", "out": work / "out", "tmp": work / "tmp"}
    for each in folders.values():
        each.mkdir(exist_ok=True)
    if plan.variant.docker:
        bootstrap, source = "docker", _untagged(plan.variant.docker)
    else:
        say("Debian root")
        archive = base.build(plan.variant.debian, plan.image.packages, plan.table.epoch, cache, log)
        _link(archive, work / "in/base.tar")
        bootstrap, source = "docker-archive", str(PLACE / "in/base.tar")
    arguments = {
        "bootstrap": bootstrap,
        "base": source,
        "image": plan.name,
        "environments": " ".join(plan.image.environments),
        "variant": plan.variant_name,
    }
    words = ["apptainer", "build", "--sandbox", "--disable-cache", "--bind", f"{PLACE}/in:/mnt"]
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    words += [str(PLACE / "out/root"), str(PLACE / "in/image.def")]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("APPTAINER", "SINGULARITY"))}
    env |= {
        "APPTAINER_TMPDIR": str(PLACE / "tmp"),
        "APPTAINER_CACHEDIR": str(PLACE / "tmp"),
        "SOURCE_DATE_EPOCH": str(plan.table.epoch),
    }
    say("installing")
    right = (
        "see the log"
        if plan.variant.debian
        else f"can {source.partition('/')[0]} be reached? if not, build elsewhere and copy the image"
    )
    try:
        _run(isolated(words, folders), log, env, "apptainer build", right)
    finally:
        if os.geteuid() != 0:  # what belongs to a subordinate id could be neither packed nor removed
            own = ["chown", "--recursive", "--no-dereference", "0:0", str(PLACE / "out"), str(PLACE / "tmp")]
            subprocess.run(isolated(own, folders), capture_output=True)
    return work / "out/root"


def _squash(root: Path, target: Path, epoch: int, log: Path) -> None:
    """`root` as a squashfs whose bytes say neither when nor by whom it was made."""
    env = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    fixed = ["-noappend", "-all-root", "-no-xattrs", "-reproducible", "-mkfs-time", str(epoch), "-all-time", str(epoch)]
    words = ["mksquashfs", str(root), str(target), *COMPRESSION, *fixed, "-no-progress"]
    _run(words, log, env, "mksquashfs", "is the disk full?")


def build(plan: Plan, folder: Path, cache: Path, find_links: str | None, say: Callable[[str], None]) -> float:
    """Make NAME.sif, NAME.sif.sha256 and NAME.cdx.json in `folder`; seconds that it took.

    Each file is whole or absent, and the image appears before its sha256: whoever finds an older sha256 beside a newer image
    computes it anew.

    Args:
        cache: folder for wheels and roots, used again by the next build.
        find_links: folder of wheels to prefer (a CPU build of torch).
        say: called with what is being done.

    Raises:
        UserError: a part failed; the message names the log.
    """
    started, key = time.monotonic(), plan.key
    log = cache / "logs" / f"{plan.name}-{plan.variant_name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    work = Path(tempfile.mkdtemp(prefix=f"build-{plan.name}-", dir=cache))
    try:
        (work / "in").mkdir()
        _inputs(plan, work / "in", cache, log, find_links, say)
        root = _sandbox(plan, work, cache, log, say)
        clean.empty(root)
        _undate(root)
        say("packing")
        _squash(root, work / "root.squashfs", plan.table.epoch, log)
        components = sbom.debian_packages(root)
        for environment in plan.image.environments:
            components += [
                each for each in sbom.python_packages(root / "opt/thoughtline" / environment) if each not in components
            ]
        image = folder / f"{plan.name}.sif"
        with atomic_path(image) as part:
            write_sif(work / "root.squashfs", part, plan.table.epoch)
        image.chmod(0o755)
        write_text(f"{image}.sha256", f"{sha256_file(image)}  {image.name}\n")
        facts = {
            "key": key,
            "variant": plan.variant_name,
            "base": plan.variant.docker or f"Debian {plan.variant.debian.suite}",
        }
        write_json(folder / f"{plan.name}.cdx.json", sbom.bill(image, plan.name, plan.table.epoch, components, facts))
    finally:
        clean.remove(work)
    return time.monotonic() - started
