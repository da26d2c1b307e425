"""What this machine can train on, found without importing torch (which takes seconds)."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common.errors import UserError
from ..common.files import read_json, write_json

CPU_BFLOAT16 = {"avx512bw", "avx512_bf16", "amx_bf16", "bf16"}
"""Flags in /proc/cpuinfo of which one is needed for bfloat16 matrix products at a useful speed (oneDNN)."""

AMPERE = 8.0
"""The first CUDA compute capability with bfloat16."""


@dataclass(frozen=True)
class Node:
    """What a node has for training."""

    name: str
    gpus: list[float]
    """CUDA compute capability of each GPU that may be used."""
    flags: list[str]
    """Features of the CPU."""
    cpus: int
    """CPUs that may be used."""


def gpu_capabilities() -> list[float]:
    """CUDA compute capability of each GPU that may be used; none where torch is a CPU build."""
    if importlib.metadata.version("torch").endswith("+cpu") or not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    found = [float(line) for line in answer.stdout.split()] if answer.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else found[: len([each for each in visible.split(",") if each.strip()])]


def cpu_flags() -> set[str]:
    """Features of the CPU as Linux names them; empty where that cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {
        word for line in lines if line.lower().startswith(("flags", "features")) for word in line.split(":")[1].split()
    }


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


def this_node() -> Node:
    """What this node has."""
    return Node(os.uname().nodename, gpu_capabilities(), sorted(cpu_flags()), usable_cpus())


def choose_device(precision: str, ranks: int, nodes: list[Node]) -> str:
    """ "cuda" where there are GPUs, else "cpu".

    Args:
        precision: float32 or bfloat16.
        ranks: how many a node gets.
        nodes: all of them.

    Raises:
        UserError: fewer GPUs than ranks on a node, or no hardware for the precision that is asked for.
    """
    gpus = [capability for node in nodes for capability in node.gpus]
    least = min(nodes, key=lambda node: len(node.gpus))
    if gpus and len(least.gpus) < ranks:
        on = f" on node {least.name}" if len(nodes) > 1 else ""
        raise UserError(
            "ranks",
            f"{ranks} ranks need as many GPUs, {len(least.gpus)}{on} can be used",
            "lower it, or set --processes",
        )
    if precision == "bfloat16":
        if gpus and min(gpus) < AMPERE:
            raise UserError(
                "precision",
                f"a GPU of compute capability {min(gpus)} has no bfloat16",
                "use float32, or an A100 or newer",
            )
        if not gpus and not all(CPU_BFLOAT16 & set(node.flags) for node in nodes):
            raise UserError("precision", "this CPU has no bfloat16 instructions (AVX-512 or AMX)", "use float32 here")
    return "cuda" if gpus else "cpu"


def read_nodes(folder: Path) -> list[Node]:
    """The nodes that said what they have, by `python -m thoughtline.models.hardware FOLDER/RANK.json` on each."""
    return [Node(**read_json(path)) for path in sorted(folder.glob("*.json"))]


if __name__ == "__main__":
    write_json(sys.argv[1], asdict(this_node()))
