"""Container images: whether those that a machine needs are there and whole; downloaded where its file says from where."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from ..common.deadline import Deadline
from ..common.environments import ENVIRONMENTS
from ..common.errors import UserError
from ..common.files import sha256_file, write_text
from ..common.lease import Lease
from ..common.progress import Progress
from ..machines.images import variant_of
from ..machines.schema import Machine, PublishedImage
from .hub import SECONDS, passing, pause
from .transfer import PATIENCE

BLOCK = 1 << 20
NAMES = sorted(set(ENVIRONMENTS.values()) - {"driver"})
"""The driver runs outside containers."""


def fault(image: Path) -> str | None:
    """What is wrong with an image, or None. The file NAME.sif.sha256 beside it says what it must be."""
    known = Path(f"{image}.sha256")
    if not image.is_file():
        return "is not there"
    if not known.is_file():
        return f"has no {known.name} beside it"
    return (
        None if sha256_file(image) == known.read_text(encoding="utf-8").split()[0] else f"is not what {known.name} says"
    )


def download(name: str, published: PublishedImage, image: Path, deadline: Deadline) -> None:
    """Bring one image to its final name; an interrupted download goes on at its byte.

    Raises:
        UserError: it cannot be had, or its sha256 is another.
        OutOfTime: the deadline came; what has come is kept.
    """
    part = image.with_name(f".{image.name}.{published.sha256[:16]}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with Lease(image.parent / ".work" / name), open(part, "ab") as stream:
        vain = 0
        while True:
            before, wait = stream.tell(), pause({}, vain)
            try:
                _add(published.url, stream, f"image {name}", deadline)
                break
            except urllib.error.HTTPError as error:
                problem = f"{published.url} answers {error.code}"
                if not passing(error.code):
                    raise UserError(f"image {name}", problem, "check containers.images of the machine's file") from None
                wait = pause(error.headers, vain)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{published.url} cannot be loaded ({error})"
            vain = 0 if stream.tell() > before else vain + 1
            if vain >= PATIENCE:
                raise UserError(
                    f"image {name}", problem, "try later, or on a node with internet; what has come is kept"
                )
            time.sleep(wait if vain else 0)
            deadline.check()
    if (found := sha256_file(part)) != published.sha256:
        part.unlink()
        raise UserError(
            f"image {name}", f"{published.url} has sha256 {found}", f"the machine's file says {published.sha256}"
        )
    os.replace(part, image)
    write_text(f"{image}.sha256", f"{published.sha256}  {image.name}\n")


def _add(url: str, stream, label: str, deadline: Deadline) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={stream.tell()}-"} if stream.tell() else {})
    try:
        answer = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # all of it is there
            return
        raise
    with answer:
        if answer.status != 206:
            stream.truncate(0)
            stream.seek(0)
        length = int(answer.headers.get("Content-Length", 0))
        with Progress(-(-length // BLOCK), label, "MiB") as progress:
            loaded = 0
            while data := answer.read(BLOCK):
                stream.write(data)
                loaded += len(data)
                progress.advance(loaded // BLOCK - progress.done)
                deadline.check()
        if loaded < length:
            raise ConnectionError("the connection closes too early")


def stage_images(machine: Machine, folder: Path, deadline: Deadline) -> list[str]:
    """A line for each image of a machine: good, or downloaded.

    Raises:
        UserError: one is missing or wrong, and the machine's file does not say from where to load it.
    """
    if machine.containers is None:
        return [f"{machine.name} runs without containers"]
    lines, wrong = [], []
    for name in NAMES:
        image = folder / f"{name}.sif"
        problem = fault(image)
        published = machine.containers.images.get(name)
        if problem and published and not image.is_file():
            download(name, published, image, deadline)
            lines.append(f"{image}: downloaded")
        elif problem:
            wrong.append(f"{image} {problem}")
        elif variant_of(image) not in (None, machine.containers.variant):
            wrong.append(f"{image} was built as the variant {variant_of(image)}")
        else:
            lines.append(f"{image}: good")
    if wrong:
        variant = machine.containers.variant
        raise UserError(
            "\n  ".join([f"{len(wrong)} of {len(NAMES)} images are not good", *wrong]),
            f"{machine.name} needs the variant {variant}",
            f"build them (`thoughtline containers build --variant {variant}`), or name them under containers.images of machines/{machine.name}.yaml",
        )
    return lines
