"""Where the jobs of a plan go, and what limits them there."""

from __future__ import annotations

from collections.abc import Sequence

from ..common.errors import UserError
from ..machines.place import Place
from ..machines.schema import Machine, NodeShape, Partition
from .plan import Line
from .rates import Gpu


def node_of(machine: Machine, place: Place) -> NodeShape | None:
    """The nodes of a place; None on a machine without partitions."""
    return machine.node_of(place.partition) if place.partition else None


def speed_of(node: NodeShape) -> Gpu | None:
    """The GPUs of a node as the model of cost sees them; None where it has none, or nobody wrote down what they can do."""
    if not node.gpus or (speed := node.gpu_speed) is None or node.gpu_memory_mb is None:
        return None
    return Gpu(speed.bf16_tflops * 1e12, speed.bandwidth_gb_s * 1e9, node.gpu_memory_mb * 2**20, node.gpus)


def memory_of(node: NodeShape) -> Gpu | None:
    """The GPUs of a node as far as memory matters, with an A100's speed where nobody wrote down theirs; None where it has none."""
    if not node.gpus or node.gpu_memory_mb is None:
        return None
    return speed_of(node) or Gpu(312e12, 1555e9, node.gpu_memory_mb * 2**20, node.gpus)


def gpu_of(machine: Machine, place: Place, at: str) -> Gpu | None:
    """The GPUs of a job's nodes as the model of cost sees them; None for a job without.

    Args:
        at: the recipe's key that asks for them.

    Raises:
        UserError: nobody wrote down what they can do.
    """
    node = node_of(machine, place)
    if node is None or not place.gpus:
        return None
    if (gpu := speed_of(node)) is None:
        what = f"what the GPUs of {machine.name} can do is not known"
        raise UserError(at, what, "add gpu_speed and gpu_memory_mb to its node in the machine's file")
    return gpu


MANY = 10_000
"""Nodes, where there is no limit."""


def most_nodes(partition: Partition) -> int:
    """The most nodes that a job of any QoS gets, as far as that is limited."""
    return max(
        (min(qos.max_nodes or MANY, qos.user_nodes or MANY) for qos in partition.qos if qos.automatic), default=1
    )


def at_once(machine: Machine, place: Place, jobs: int) -> int:
    """How many of so many jobs the machine lets run at once; one, where there is no scheduler."""
    if not place.partition:
        return 1
    qos = next(each for each in machine.partitions[place.partition].qos if each.name == place.qos)
    limits = [jobs, machine.scheduler.queued or jobs]
    for limit, each in (
        (qos.user_nodes, place.nodes if place.whole else 0),
        (qos.user_cores, place.nodes * place.cpus),
        (qos.user_gpus, place.nodes * place.gpus),
    ):
        limits += [limit // each] if limit and each else []
    return max(1, min(limits))


LONGER = "use a partition or QoS with longer jobs"


def time_words(minutes: int) -> str:
    """A time limit for people.

    >>> time_words(1), time_words(90), time_words(1440), time_words(125)
    ('1 min', '1.5 h', '24 h', '125 min')
    """
    return f"{minutes / 60:g} h" if minutes >= 60 and minutes % 6 == 0 else f"{minutes} min"


def ends_after(place: Place) -> str:
    """When a place's jobs end, for people."""
    return f"{place.partition}/{place.qos} ends jobs after {time_words(place.minutes)}"


def too_long(lines: Sequence[Line]) -> list[str]:
    """Words on jobs that start over when their time is up and need more of it."""
    words = []
    for line in lines:
        if (
            line.left
            and not line.resumable
            and line.hours
            and line.limit_minutes
            and 60 * line.hours > line.limit_minutes
        ):
            limit = time_words(line.limit_minutes)
            words.append(
                f"{line.stage} {line.what}: takes about {line.hours:.1f} h, and its job starts over after {limit}"
                + ("; give it a smaller limit or max_tokens" if line.stage == "drafts" else "")
            )
    return words


def queue(machine: Machine, lines: Sequence[Line]) -> list[str]:
    """Words on limits of the queue that are met: number of jobs, and jobs longer than they may be."""
    if not machine.is_slurm:
        return []
    queued, jobs = machine.scheduler.queued, sum(line.left for line in lines)
    words = [f"{jobs} jobs" + (f"; at most {queued} are in the queue at a time" if queued else "")]
    for line in lines:
        if line.segments > 1 and line.left:
            longest = time_words(line.limit_minutes or 0)
            fewer = ": more shards would make shorter jobs" if line.stage == "traces" else ""
            words.append(f"{line.stage} {line.what}: {line.segments} jobs in turn of at most {longest}{fewer}")
    return words
