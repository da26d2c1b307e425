"""A machine's file against what its cluster says: every difference is one line."""

from __future__ import annotations

from collections.abc import Iterator

from .schema import Machine, Partition, Qos
from .slurm import PartitionAnswer, QosAnswer


def _differs(key: str, file: object, slurm: object) -> Iterator[str]:
    if file != slurm:
        none = "no limit"
        yield f"{key}: the file says {none if file is None else file}, Slurm says {none if slurm is None else slurm}"


def _least(*limits: int | None) -> int | None:
    return min((each for each in limits if each is not None), default=None)


def partition_differences(
    machine: Machine, name: str, answer: PartitionAnswer, qos: dict[str, QosAnswer]
) -> Iterator[str]:
    """What a partition's nodes are, and what a job may have of them.

    A job's limit may be the partition's, or that of the QoS by which it is used.
    """
    partition, node = machine.partitions[name], machine.node_of(name)
    at = f"partitions.{name}"
    used = [qos[each.name] for each in partition.qos if each.name in qos]
    for key, mine, theirs, resource in (
        ("cores", partition.cores or node.cores, _least(answer.cores, answer.max_cores), "cpu"),
        ("memory_mb", partition.memory_mb or node.memory_mb, _least(answer.memory_mb, answer.max_memory_mb), "mem"),
    ):
        by_qos = {limit for each in used for limit in (each.max_tres.get(resource), each.user_tres.get(resource))}
        if mine not in by_qos:
            yield from _differs(f"{at}: {key} a node", mine, theirs)
    yield from _differs(f"{at}: GPUs a node", node.gpus if partition.gpus else 0, answer.gpus if partition.gpus else 0)
    kind = partition.gres.split(":")[1]
    if partition.gpus and node.gpus and kind != "{gpus}" and answer.gpu_types and kind not in answer.gpu_types:
        yield f"{at}.gres: the file says {kind}, Slurm says {', '.join(sorted(answer.gpu_types))}"


def qos_differences(
    name: str, partition: Partition, place: PartitionAnswer, mine: Qos, theirs: QosAnswer | None
) -> Iterator[str]:
    """The limits of one way to use a partition; `theirs` is None where sacctmgr could not be asked."""
    at = f"partitions.{name}.qos.{mine.name}"
    if place.qos is not None and mine.name not in place.qos:
        yield f"{at}: the partition does not allow it; it allows {', '.join(sorted(place.qos))}"
    if theirs is None:
        return
    wall = (
        theirs.max_minutes
        if theirs.over_partition and theirs.max_minutes
        else _least(theirs.max_minutes, place.max_minutes)
    )
    yield from _differs(f"{at}.max_minutes", mine.max_minutes, wall)
    yield from _differs(f"{at}.max_nodes", mine.max_nodes, _least(theirs.max_tres.get("node"), place.max_nodes))
    yield from _differs(f"{at}.min_nodes", mine.min_nodes, theirs.min_tres.get("node", 1))
    for key, resource in (("user_nodes", "node"), ("user_cores", "cpu"), ("user_gpus", "gres/gpu")):
        yield from _differs(f"{at}.{key}", getattr(mine, key), theirs.user_tres.get(resource))


def differences(
    machine: Machine, partitions: dict[str, PartitionAnswer], qos: dict[str, QosAnswer] | None
) -> list[str]:
    """All differences, a line each; `qos` is None where sacctmgr could not be asked."""
    found: list[str] = []
    for name, partition in machine.partitions.items():
        if name not in partitions:
            found.append(f"partitions.{name}: Slurm has no such partition; it has {', '.join(sorted(partitions))}")
            continue
        found += partition_differences(machine, name, partitions[name], qos or {})
        for each in partition.qos:
            if qos is not None and each.name not in qos:
                found.append(
                    f"partitions.{name}.qos.{each.name}: Slurm has no such QoS; it has {', '.join(sorted(qos))}"
                )
                continue
            found += qos_differences(name, partition, partitions[name], each, qos[each.name] if qos else None)
    limits = [each.queued for each in (qos or {}).values() if each.queued]
    if limits and machine.scheduler.queued and machine.scheduler.queued > min(limits):
        found.append(f"scheduler.queued: the file says {machine.scheduler.queued}, Slurm says {min(limits)}")
    return found
