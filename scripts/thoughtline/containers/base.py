"""The Debian root that CPU images stand on, as an archive that Apptainer reads without a registry."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from ..common.canonical import digest
from ..common.errors import UserError
from ..common.files import atomic_path, sha256_file
from .isolation import PLACE, isolated
from .table import Debian

LEFT_OUT = ("doc", "info", "locale", "man")
"""Folders of /usr/share that no job reads; copyright files stay, for the bill of materials."""
FORMAT = 1
"""Raise it where the options below change what a root holds."""


def command(debian: Debian, packages: list[str], target: str) -> list[str]:
    """mmdebstrap's command line for a root of `packages` as the archive `target`."""
    options = [f"path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    options.append("path-include=/usr/share/doc/*/copyright")
    sources = [f"deb {debian.mirror} {suite} main" for suite in (debian.suite, f"{debian.suite}-updates")]
    if debian.security:
        sources.append(f"deb {debian.security} {debian.suite}-security main")
    return [
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(sorted(packages))}", "--skip=output/dev"),
        *(f"--dpkgopt={option}" for option in options),
        *('--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Check-Valid-Until "false"'),
        # both are copies of the building machine's
        '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
        *(debian.suite, target, *sources),
    ]


def archive(layer: Path, target: Path) -> None:
    """Write `layer`, a root as a tar file, as a docker-archive of one layer; the same layer gives the same bytes."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256_file(layer)}"]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["thoughtline:base"], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as out, open(layer, "rb") as stream:
        for member, data in ((name, text), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
        entry = tarfile.TarInfo("layer.tar")
        entry.size = layer.stat().st_size
        out.addfile(entry, stream)


def build(debian: Debian, packages: list[str], epoch: int, cache: Path, log: Path) -> Path:
    """The docker-archive of a root with `packages`, from `cache` or made now.

    Raises:
        UserError: mmdebstrap failed; `log` says why.
    """
    packages = sorted({*debian.packages, *packages})
    key = digest([FORMAT, debian.model_dump(), packages, epoch], 12)
    target = cache / "base" / f"{debian.suite}-{key}.tar"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="base-", dir=cache) as folder, open(log, "ab") as stream:
        layer = Path(folder) / "layer.tar"
        words = isolated(command(debian, packages, str(PLACE / "out/layer.tar")), {"out": Path(folder)})
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=env)
        if done.returncode:
            raise UserError(
                "mmdebstrap",
                f"failed with exit code {done.returncode} (log: {log})",
                f"is {debian.mirror} reachable? set the mirror in containers/images.yaml",
            )
        with atomic_path(target) as part:
            archive(layer, part)
    return target
