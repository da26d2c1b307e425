"""What a cluster says about itself: answers of sinfo, scontrol and sacctmgr, parsed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field

from ..common.errors import UserError

COMMANDS = {
    "sinfo": ["sinfo", "--noheader", "--format", "%R|%c|%m|%G"],
    "scontrol": ["scontrol", "--oneliner", "show", "partition"],
    "sacctmgr": [
        "sacctmgr", "--noheader", "--parsable2", "show", "qos",
        "format=Name,MaxWall,MaxTRESPerJob,MinTRESPerJob,MaxTRESPerUser,MaxSubmitJobsPerUser,Flags",
    ],
}  # fmt: skip
"""What each is asked; three calls in all, whatever the number of partitions."""

SECONDS = 60
"""Time for an answer."""

UNLIMITED = ("", "UNLIMITED", "INFINITE", "NONE", "NOT_SET")


@dataclass(frozen=True)
class PartitionAnswer:
    """A partition as Slurm has it; None where it sets no limit."""

    cores: int | None = None
    """Of its smallest node."""
    memory_mb: int | None = None
    """Of its smallest node."""
    gpus: int = 0
    gpu_types: frozenset[str] = frozenset()
    max_minutes: int | None = None
    max_nodes: int | None = None
    max_cores: int | None = None
    """A job's on a node."""
    max_memory_mb: int | None = None
    """A job's on a node."""
    qos: frozenset[str] | None = None
    """Those it allows; None: all."""


@dataclass(frozen=True)
class QosAnswer:
    """A QoS as Slurm has it; None where it sets no limit."""

    max_minutes: int | None = None
    max_tres: dict[str, int] = field(default_factory=dict)
    min_tres: dict[str, int] = field(default_factory=dict)
    user_tres: dict[str, int] = field(default_factory=dict)
    queued: int | None = None
    over_partition: bool = False
    """Whether its time limit counts where the partition's is shorter."""


def minutes(text: str) -> int | None:
    """Minutes of a Slurm time, rounded down; None where there is no limit.

    >>> minutes("4-00:00:00"), minutes("00:30:00"), minutes("30:00"), minutes("90"), minutes("2-12"), minutes("UNLIMITED")
    (5760, 30, 30, 90, 3600, None)
    """
    if text.strip().upper() in UNLIMITED:
        return None
    days, dash, rest = text.strip().rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, mins = (*parts, 0)[:2]
        return int(days) * 1440 + hours * 60 + mins
    if len(parts) == 3:
        return parts[0] * 60 + parts[1]
    return parts[0]


def tres(text: str) -> dict[str, int]:
    """Limits by resource; memory in MB.

    >>> tres("cpu=64,gres/gpu=8,mem=30800M,node=2")
    {'cpu': 64, 'gres/gpu': 8, 'mem': 30800, 'node': 2}
    """
    found = {}
    for pair in text.split(","):
        name, _, value = pair.partition("=")
        if match := re.fullmatch(r"([\d.]+)([KMGT]?)B?", value):
            factor = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}.get(match[2], 1)
            found[name] = int(float(match[1]) * factor)
    return found


def _number(text: str) -> int | None:
    """A number, without the + of mixed nodes; None where there is no limit."""
    match = re.match(r"\d+", text)
    return int(match[0]) if match else None


def partitions_of(sinfo: str, scontrol: str) -> dict[str, PartitionAnswer]:
    """Partitions by name, from the answers of COMMANDS."""
    nodes: dict[str, list[tuple[int | None, int | None, int, frozenset[str]]]] = {}
    for line in sinfo.splitlines():
        name, cores, memory, gres = line.split("|")
        found = re.findall(r"gpu(?::([A-Za-z][\w.-]*))?:(\d+)", gres)
        types = frozenset(kind for kind, _ in found if kind)
        nodes.setdefault(name, []).append(
            (_number(cores), _number(memory), sum(int(count) for _, count in found), types)
        )
    limits = {}
    for line in scontrol.splitlines():
        keys = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in keys:
            limits[keys["PartitionName"]] = keys
    answers = {}
    for name, shapes in nodes.items():
        keys = limits.get(name, {})
        allowed = keys.get("AllowQos", "ALL")
        answers[name] = PartitionAnswer(
            cores=min((each[0] for each in shapes if each[0]), default=None),
            memory_mb=min((each[1] for each in shapes if each[1]), default=None),
            gpus=min(each[2] for each in shapes),
            gpu_types=frozenset().union(*(each[3] for each in shapes)),
            max_minutes=minutes(keys.get("MaxTime", "")),
            max_nodes=_number(keys.get("MaxNodes", "")),
            max_cores=_number(keys.get("MaxCPUsPerNode", "")),
            max_memory_mb=_number(keys.get("MaxMemPerNode", "")),
            qos=None if allowed == "ALL" else frozenset(allowed.split(",")),
        )
    return answers


def qos_of(sacctmgr: str) -> dict[str, QosAnswer]:
    """QoS by name, from the answer of COMMANDS."""
    answers = {}
    for line in sacctmgr.splitlines():
        name, wall, most, least, user, queued, flags = line.split("|")
        answers[name] = QosAnswer(
            minutes(wall), tres(most), tres(least), tres(user), _number(queued), "PartitionTimeLimit" in flags
        )
    return answers


def ask(name: str) -> str | None:
    """The answer of one of COMMANDS; None where there is no such command.

    Raises:
        UserError: it fails.
    """
    if not shutil.which(name):
        return None
    try:
        answer = subprocess.run(COMMANDS[name], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(name, f"did not answer within {SECONDS} s", "try again; is the scheduler up?") from None
    if answer.returncode:
        words = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
        raise UserError(
            name, f"failed: {words[-1] if words else 'without a word'}", "is this a login node of the cluster?"
        )
    return answer.stdout
