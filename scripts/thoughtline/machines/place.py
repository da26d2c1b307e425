"""Where a job goes: from what it needs and what a machine offers to partition, QoS, nodes, cores, memory and time.

Pure functions. The first partition of the machine's file, and its first QoS, that fits is taken, so the smallest stand first there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..common.errors import UserError
from ..common.spelling import known_names
from .schema import Machine, NodeShape, Partition, Qos

TURNS = 4
"""A QoS that limits what a user may hold at once gets no work that would need more turns than this there: 200 shards do not queue
behind each other on four cores."""


@dataclass(frozen=True)
class Demand:
    """What one job needs."""

    cpus: int = 1
    """Cores, where it needs no GPU."""
    mem_mb: int = 1000
    """Memory of a node, MB; at least 800, since two Snakemakes of 120 MB run in each job."""
    minutes: int = 60
    """Wall time."""
    gpus: int = 0
    """GPUs in all; more than a node has are spread over whole nodes."""
    resumable: bool = False
    """Whether it stops before its limit, keeps what it has, and goes on in its next attempt: then a shorter limit will do."""
    unlimited: bool = False
    """Whether it takes all the time that a QoS gives (training); `minutes` is what it gets on a machine without limits."""
    internet: bool = False
    """Whether it downloads or asks a service."""
    jobs: int = 1
    """How many jobs of its kind wait beside it (shards)."""


@dataclass(frozen=True)
class Place:
    """What one job gets. `gpus`, `cpus` and `mem_mb` are those of one node."""

    cpus: int
    mem_mb: int
    minutes: int
    nodes: int = 1
    gpus: int = 0
    partition: str | None = None
    qos: str | None = None
    gres: str | None = None
    whole: bool = False
    """Whether it has its nodes for itself."""


@dataclass(frozen=True)
class _Share:
    """A job's part of a kind of node: how many nodes, and how much of each."""

    nodes: int
    gpus: int
    cpus: int
    mem_mb: int
    whole: bool


def _share(demand: Demand, node: NodeShape, partition: Partition) -> _Share | str:
    """What a demand takes of a partition's nodes, or why it cannot be divided over them.

    With GPUs a job takes the same part of a node's cores and memory; all GPUs of a node mean the whole node.
    """
    memory = partition.memory_mb or node.memory_mb
    cores = partition.cores or node.cores
    if not demand.gpus:
        return _Share(1, 0, demand.cpus, demand.mem_mb, False)
    if not partition.gpus or not node.gpus:
        return "has no GPUs"
    nodes = -(-demand.gpus // node.gpus)
    if nodes > 1 and demand.gpus % node.gpus:
        return f"{demand.gpus} GPUs do not fill nodes of {node.gpus}"
    gpus = min(demand.gpus, node.gpus)
    if gpus == node.gpus:
        return _Share(nodes, gpus, cores, memory, True)
    return _Share(1, gpus, max(1, cores * gpus // node.gpus), max(demand.mem_mb, memory * gpus // node.gpus), False)


def _refusal(demand: Demand, share: _Share, node: NodeShape, partition: Partition, qos: Qos) -> str | None:
    """Why a partition's QoS does not take a job, or None."""
    cores, memory = partition.cores or node.cores, partition.memory_mb or node.memory_mb
    limits = [
        (share.cpus > cores, f"has {cores} cores a node, not {share.cpus}"),
        (share.mem_mb > memory, f"has {memory} MB a node, not {share.mem_mb}"),
        (share.nodes < qos.min_nodes, f"takes no job of fewer than {qos.min_nodes} nodes"),
        (qos.max_nodes and share.nodes > qos.max_nodes, f"takes no job of more than {_count(qos.max_nodes or 0, 'node')}"),
        (qos.user_nodes and share.nodes > qos.user_nodes, f"gives a user at most {_count(qos.user_nodes or 0, 'node')}"),
        (qos.user_cores and share.nodes * share.cpus > qos.user_cores, f"gives a user at most {qos.user_cores} cores"),
        (qos.user_gpus and share.nodes * share.gpus > qos.user_gpus, f"gives a user at most {qos.user_gpus} GPUs"),
        (demand.minutes > qos.max_minutes and not demand.unlimited, f"ends jobs after {qos.max_minutes} minutes, before {demand.minutes}"),
    ]  # fmt: skip
    return next((words for refused, words in limits if refused), None)


def _turns(demand: Demand, share: _Share, qos: Qos) -> int:
    """How many times a user's limits must be filled until all jobs of this kind are done."""
    held = [
        (qos.user_nodes, share.nodes if share.whole else 0),
        (qos.user_cores, share.nodes * share.cpus),
        (qos.user_gpus, share.nodes * share.gpus),
    ]
    at_once = [limit // each for limit, each in held if limit and each]
    return -(-demand.jobs // max(1, min(at_once))) if at_once else 1


def _offers(machine: Machine, only: str | None) -> Iterator[tuple[str, NodeShape, Partition, Qos]]:
    for name, partition in machine.partitions.items():
        for qos in partition.qos:
            if qos.name == only or (only is None and qos.automatic):
                yield name, machine.node_of(name), partition, qos


def _fitting(machine: Machine, demand: Demand, only: str | None, crowded: bool) -> tuple[str, Qos, _Share] | None:
    for name, node, partition, qos in _offers(machine, only):
        share = _share(demand, node, partition)
        if isinstance(share, str) or (demand.internet and not partition.internet):
            continue
        if _refusal(demand, share, node, partition, qos) is None and (crowded or _turns(demand, share, qos) <= TURNS):
            return name, qos, share
    return None


def _longest(machine: Machine, demand: Demand, only: str | None) -> int:
    """Most minutes that some QoS gives to a job of this shape, 0 if none takes it."""
    anytime = replace(demand, unlimited=True)
    found = [0]
    for _, node, partition, qos in _offers(machine, only):
        share = _share(demand, node, partition)
        fits = not isinstance(share, str) and _refusal(anytime, share, node, partition, qos) is None
        if fits and not (demand.internet and not partition.internet):
            found.append(qos.max_minutes)
    return max(found)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _nowhere(machine: Machine, demand: Demand, only: str | None) -> UserError:
    asked = [
        _count(demand.gpus, "GPU") if demand.gpus else _count(demand.cpus, "core"),
        f"{demand.mem_mb} MB",
        _count(demand.minutes, "minute"),
    ]
    asked += ["internet"] if demand.internet else []
    why = []
    for name, node, partition, qos in _offers(machine, only):
        share = _share(demand, node, partition)
        if isinstance(share, str):
            words = share
        elif demand.internet and not partition.internet:
            words = "has no internet"
        else:
            words = _refusal(demand, share, node, partition, qos)
        why.append(f"{name}/{qos.name} {words}")
    if not why:
        known = {qos.name for partition in machine.partitions.values() for qos in partition.qos}
        return UserError("config: qos", f"{machine.name} has no QoS {only!r}", known_names(known, only or ""))
    if only:
        why.append("leave `qos` out of the config, or give other targets than these jobs' with it")
    return UserError(f"machine {machine.name}", f"takes no job with {', '.join(asked)}", "; ".join(why))


def _final(machine: Machine, demand: Demand, grown: Demand, attempt: int, name: str, qos: Qos, share: _Share) -> Place:
    """The place that was found, with all that this attempt may have there."""
    node, partition = machine.node_of(name), machine.partitions[name]
    memory = partition.memory_mb or node.memory_mb
    mem_mb = share.mem_mb if share.whole else min(memory, _share(demand, node, partition).mem_mb * attempt)  # type: ignore[union-attr]
    minutes = grown.minutes
    if demand.unlimited:
        minutes = qos.max_minutes
    elif not demand.resumable:
        minutes = min(qos.max_minutes, demand.minutes * attempt)
    return Place(
        cpus=share.cpus,
        mem_mb=mem_mb,
        minutes=minutes,
        nodes=share.nodes,
        gpus=share.gpus,
        partition=name,
        qos=qos.name,
        gres=partition.gres.format(gpus=share.gpus) if share.gpus else None,
        whole=share.whole,
    )


def place(machine: Machine, demand: Demand, attempt: int = 1, only: str | None = None) -> Place:
    """The smallest place that fits.

    Each attempt asks for the first one's memory once more, up to what a node has, and, where a job cannot go on where it
    stopped, for its time once more, up to what the QoS gives. With that much more a job may go to a larger partition.
    A resumable job that fits nowhere for its whole time takes the longest that there is.

    Args:
        attempt: from 1.
        only: the one QoS to use, instead of those that are chosen automatically. Jobs that need internet, where no partition
            with that QoS has any, are placed as without it.

    Raises:
        UserError: it fits nowhere; says why not, for each partition and QoS.
    """
    if not machine.is_slurm:
        return Place(cpus=demand.cpus, mem_mb=demand.mem_mb, minutes=demand.minutes)
    if only and demand.internet:
        of_it = [partition for _, _, partition, _ in _offers(machine, only)]
        if of_it and not any(partition.internet for partition in of_it):
            only = None
    growing = not (demand.resumable or demand.unlimited)
    for crowded in (False, True):
        for shortened in (False, True) if demand.resumable else (False,):
            for times in range(attempt, 0, -1):
                grown = replace(
                    demand, mem_mb=demand.mem_mb * times, minutes=demand.minutes * (times if growing else 1)
                )
                if shortened:
                    grown = replace(grown, minutes=min(grown.minutes, _longest(machine, grown, only)))
                if grown.minutes and (found := _fitting(machine, grown, only, crowded)):
                    return _final(machine, demand, grown, attempt, *found)
    raise _nowhere(machine, demand, only)


def resources(place: Place, account: str | None = None, exclude: Sequence[str] = ()) -> dict[str, Any]:
    """A place as resources of a Snakemake rule, for the Slurm plugin; None where a key must not be there.

    `tasks_per_gpu=0` keeps the plugin from asking for a task for each GPU. Several nodes are one task each, started by the job itself
    with srun (`mpi`); `--exclusive` keeps others off nodes whose GPUs are all in use.
    """
    if place.partition is None:
        return {**dict.fromkeys(RESOURCES), "mem_mb": place.mem_mb, "runtime": place.minutes}
    extra = [*(["--exclusive"] if place.whole else []), *([f"--exclude={','.join(exclude)}"] if exclude else [])]
    found = {
        "slurm_partition": place.partition,
        "slurm_account": account,
        "qos": place.qos,
        "nodes": place.nodes,
        "tasks": place.nodes,
        "cpus_per_task": place.cpus,
        "mem_mb": place.mem_mb,
        "runtime": place.minutes,
        "gres": place.gres,
        "tasks_per_gpu": 0 if place.gpus else None,
        "mpi": "srun" if place.nodes > 1 else None,
        "slurm_extra": " ".join(extra) or None,
    }
    return {key: found[key] for key in RESOURCES}


class Placer:
    """A machine's answers, each worked out once: thousands of jobs ask for the same few."""

    def __init__(
        self, machine: Machine, only: str | None = None, account: str | None = None, exclude: Sequence[str] = ()
    ) -> None:
        """`only`: the one QoS to use; `exclude`: nodes to avoid, beside those of the machine's file."""
        self.machine, self._only, self._account = machine, only, account
        self._exclude = sorted({*exclude, *(node.name for node in machine.exclude_nodes)})
        self._known: dict[tuple[Demand, int], tuple[Place, dict[str, Any]]] = {}

    def _answer(self, demand: Demand, attempt: int) -> tuple[Place, dict[str, Any]]:
        key = (demand, attempt)
        if key not in self._known:
            found = place(self.machine, demand, attempt, self._only)
            self._known[key] = found, resources(found, self._account, self._exclude)
        return self._known[key]

    def place(self, demand: Demand, attempt: int = 1) -> Place:
        """See `place`."""
        return self._answer(demand, attempt)[0]

    def resources(self, demand: Demand, attempt: int = 1) -> dict[str, Any]:
        """See `resources`."""
        return self._answer(demand, attempt)[1]

    def check(self, demands: Iterable[tuple[str, Demand]]) -> None:
        """Place every (key that asks for it, demand).

        Raises:
            UserError: the first that fits nowhere, with its key.
        """
        for key, demand in demands:
            try:
                self.place(demand)
            except UserError as error:
                raise UserError(key, f"{error.where} {error.what}", error.right) from None


RESOURCES = (
    "slurm_partition", "slurm_account", "qos", "nodes", "tasks", "cpus_per_task", "mem_mb", "runtime", "gres", "tasks_per_gpu", "mpi",
    "slurm_extra",
)  # fmt: skip
"""Keys of `resources`."""
