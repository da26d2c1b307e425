"""A lock's wheels, fetched on the host and checked by hash: builds need no network, which many sites do not give them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..common.canonical import digest
from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.files import atomic_directory, sha256_file

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where CPU builds of torch are published."""


@dataclass(frozen=True)
class Pin:
    """One line of a lock; `hashes` ("sha256:…") is empty for the CPU build of torch, which is another file on each machine."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def line(self) -> str:
        """As pip reads it."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={value}" for value in self.hashes)])


def pins(lock: str) -> list[Pin]:
    """The packages of a lock's text, in its order."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", lock).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        head, *rest = line.split()
        name, _, version = head.partition("==")
        hashes = tuple(word.removeprefix("--hash=") for word in rest if word.startswith("--hash="))
        found.append(Pin(name, version, hashes))
    return found


def parts(wheel: str) -> tuple[str, str]:
    """(normalised name, version) of a wheel's file name."""
    name, version = wheel.split("-")[:2]
    return re.sub(r"[-_.]+", "-", name).lower(), version


def _pip(arguments: list[str], log: Path) -> None:
    # pip of one environment works for the interpreter of another: the images' Python is of the driver's version
    words = [str(ROOT / ".venv/uv/bin/pip"), "--python", str(ROOT / ".venv/driver/bin/python"), *arguments]
    with open(log, "ab") as stream:
        done = subprocess.run(words, stdout=stream, stderr=stream)
    if done.returncode:
        raise UserError("pip", f"could not fetch the wheels (log: {log})", "see the log's last lines")


def _torch_source(pin: Pin, find_links: str | None) -> list[str]:
    version = f"{pin.version.removesuffix('+cpu')}+cpu"
    wanted = f"{pin.name}=={version}"
    if find_links and any(Path(find_links).glob(f"{pin.name}-{version}-*.whl")):
        return ["--no-index", "--find-links", find_links, wanted]
    return ["--index-url", CPU_INDEX, wanted]


def fetch(lock: Path, cache: Path, log: Path, find_links: str | None) -> Path:
    """A folder with the wheels of `lock` and `requirements.txt`, their versions and hashes; from `cache` or made now.

    Args:
        find_links: folder that may hold a CPU build of torch; else PyTorch's own index is asked.

    Raises:
        UserError: a package cannot be fetched, or has another hash than its lock says.
    """
    text = lock.read_text(encoding="utf-8")
    target = cache / "wheels" / f"{lock.stem}-{digest(text, 12)}"
    if target.exists():
        return target
    pinned = pins(text)
    with atomic_directory(target) as part:
        hashed = part / "pins.txt"
        hashed.write_text("".join(f"{pin.line()}\n" for pin in pinned if pin.hashes), encoding="utf-8")
        common = ["wheel", "--no-deps", "--no-cache-dir", "--wheel-dir", str(part), "--progress-bar", "off"]
        _pip([*common, "--require-hashes", "-r", str(hashed)], log)
        hashed.unlink()
        for pin in pinned:
            if not pin.hashes:
                _pip([*common, "--only-binary", ":all:", *_torch_source(pin, find_links)], log)
        wheels = sorted((*parts(path.name), sha256_file(path)) for path in part.glob("*.whl"))
        lines = [f"{name}=={version} --hash=sha256:{sha256}\n" for name, version, sha256 in wheels]
        (part / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    return target
