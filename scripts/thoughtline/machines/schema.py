"""A machine: what one site offers and allows, as validated models.

Unknown keys are forbidden. What a key means stands in its description; docs/machines-reference.md is generated from here
(`thoughtline machines reference`), and a test fails when it drifts. Every group of facts says where it was read and when, for limits drift.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from ..recipe.schema.base import Name, Sha256, Strict

SlurmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=64)]
"""Of a partition, QoS, account or node, as Slurm has it."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class Sourced(Strict):
    """Facts with their source."""

    source: str = Field(
        description="Where these facts were read: a document with its link, or a command.", min_length=1
    )
    date: datetime.date = Field(description="When (YYYY-MM-DD); for a document its own date.")


class Scheduler(Sourced):
    """Who starts jobs, and what it asks of those who submit them."""

    kind: Literal["local", "slurm"] = Field(
        description="`local`: processes of this machine; `slurm`: jobs of a cluster."
    )
    account: Literal["required", "optional"] = Field(
        "optional", description="Whether jobs are charged to an account that must be named (config key `account`)."
    )
    queued: int | None = Field(
        None, ge=1, description="Jobs that one user may have in the queue, running ones included."
    )


class GpuSpeed(Sourced):
    """What a GPU can do at most, as its data sheet has it. The planner and the choice of GPUs reckon with it; no result depends on it."""

    bf16_tflops: float = Field(gt=0, description="Dense bfloat16 matrix products, 10^12 FLOPs a second.")
    fp8_tflops: float | None = Field(
        None, gt=0, description="Dense FP8 matrix products, 10^12 FLOPs a second; left out where the GPU has none."
    )
    bandwidth_gb_s: float = Field(gt=0, description="Bandwidth of its memory, 10^9 bytes a second.")


class Price(Sourced):
    """What a node's GPUs cost."""

    gpu_hour: float = Field(gt=0, description="A GPU for an hour.")
    currency: str = Field("USD", description="ISO 4217.", pattern=r"^[A-Z]{3}$")


class NodeShape(Sourced):
    """One kind of node."""

    cores: int = Field(ge=1, description="CPUs that Slurm hands out.")
    memory_mb: int = Field(ge=800, description="Memory that jobs can be given, MB (Slurm's RealMemory).")
    gpus: int = Field(0, ge=0, description="GPUs.")
    gpu: str | None = Field(None, description="What they are.")
    gpu_memory_mb: int | None = Field(None, ge=1, description="Memory of one GPU, MB.")
    gpu_speed: GpuSpeed | None = Field(None, description="What one GPU can do; without it nothing can be planned here.")
    price: Price | None = Field(None, description="What its GPUs cost, where they cost money.")

    @model_validator(mode="after")
    def _gpus(self) -> NodeShape:
        if not self.gpus and (self.gpu_speed or self.price):
            raise ValueError("gpu_speed and price are those of GPUs, and this node has none")
        if bool(self.gpus) != (self.gpu is not None) or bool(self.gpus) != (self.gpu_memory_mb is not None):
            raise ValueError("gpus, gpu and gpu_memory_mb go together")
        return self


class Qos(Sourced):
    """A quality of service: the limits of one way to use a partition."""

    name: SlurmName = Field(description="Slurm's name of it.")
    min_nodes: int = Field(1, ge=1, description="Fewest nodes of a job.")
    max_nodes: int | None = Field(None, ge=1, description="Most nodes of a job.")
    max_minutes: int = Field(ge=1, description="Longest wall time of a job, minutes.")
    user_nodes: int | None = Field(None, ge=1, description="Nodes that all jobs of a user may hold at once.")
    user_cores: int | None = Field(None, ge=1, description="Cores that all jobs of a user may hold at once.")
    user_gpus: int | None = Field(None, ge=1, description="GPUs that all jobs of a user may hold at once.")
    automatic: bool = Field(
        True, description="Jobs are sent here when they fit; false: only if the config key `qos` names it."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Qos:
        if self.max_nodes is not None and self.max_nodes < self.min_nodes:
            raise ValueError(f"max_nodes {self.max_nodes} is less than min_nodes {self.min_nodes}")
        return self


class Partition(Sourced):
    """A set of nodes with its limits. Jobs go to the first partition, and its first QoS, that fits: list the smallest first."""

    node: Name = Field(description="A key of `nodes`.")
    cores: int | None = Field(None, ge=1, description="Most cores of a job on a node, if fewer than the node has.")
    memory_mb: int | None = Field(
        None, ge=800, description="Most memory of a job on a node, MB, if less than the node has."
    )
    gpus: bool = Field(True, description="Whether jobs can have the node's GPUs.")
    gres: str = Field(
        "gpu:{gpus}",
        description="How GPUs of a node are asked for; `{gpus}` is their number. With a type: `gpu:a100:{gpus}`.",
    )
    internet: bool = Field(False, description="Whether jobs reach the internet.")
    shared: bool = Field(
        True, description="Whether several jobs share a node; jobs that take a whole node ask for it alone either way."
    )
    qos: list[Qos] = Field(
        description="Ways to use it; the limits of the partition itself count as those of the default QoS.",
        min_length=1,
    )

    @field_validator("gres")
    @classmethod
    def _one_kind(cls, value: str) -> str:
        if value.count("{gpus}") != 1 or not value.endswith(":{gpus}") or "," in value:
            raise ValueError(f"{value!r} must be one kind of GPU, say gpu:{{gpus}} or gpu:a100:{{gpus}}")
        return value


class Network(Sourced):
    """What processes of several nodes need to find each other and to be fast."""

    variables: dict[Variable, str] = Field({}, description="Environment variables of multi-node jobs.")


class Storage(Sourced):
    """A storage area."""

    path: str = Field(description="Its path; may name an environment variable, say $WORK.", min_length=1)
    size_gb: int | None = Field(None, ge=1, description="Quota, GB.")
    backup: bool = Field(False, description="Whether it is backed up.")
    purge_days: int | None = Field(None, ge=1, description="Files are deleted at this age, days.")
    use: str = Field(description="What belongs there, and what does not.", min_length=1)
    holds: list[Literal["results", "stage"]] = Field(
        [], description="Which folders of a run are kept there; the planner compares their size with the quota."
    )


class PublishedImage(Strict):
    """An image that somebody built and put on a server."""

    url: str = Field(description="Its address.", pattern=r"^https?://")
    sha256: Sha256 = Field(description="sha256 of the file; another is refused.")


class Containers(Sourced):
    """How images are run here."""

    variant: Literal["cuda", "cpu"] = Field(description="Which build of the images.")
    arguments: list[str] = Field([], description="Further options of `apptainer exec`, say --nv.")
    images: dict[Name, PublishedImage] = Field(
        {}, description="Images to download (`thoughtline stage images`) where they are not built here, by environment."
    )
    binds: list[str] = Field(
        [],
        description="Folders of the host that containers see, `path` or `path:inside` (those that exist), all absolute.",
    )

    @field_validator("binds")
    @classmethod
    def _absolute(cls, value: list[str]) -> list[str]:
        for bind in value:
            host, _, rest = bind.partition(":")
            inside, _, how = rest.partition(":")
            if not host.startswith("/") or (rest and not inside.startswith("/")) or how not in ("", "ro", "rw"):
                raise ValueError(
                    f"{bind!r} is no folder that can be bound; write whole paths from /, without variables: "
                    "/path, /path:/inside or /path:/inside:ro"
                )
        return value


class BadNode(Sourced):
    """A node that jobs avoid."""

    name: SlurmName = Field(description="Its name.")
    reason: str = Field(description="What is wrong with it.", min_length=1)


class Machine(Strict):
    """One site."""

    name: Name = Field(description="The file's name without .yaml.")
    title: str = Field(description="One line for people.", min_length=1)
    notes: str = Field("", description="What people should know before they run something here.")
    scheduler: Scheduler = Field(description="Who starts jobs.")
    nodes: dict[Name, NodeShape] = Field({}, description="Kinds of nodes by a name of our own.")
    partitions: dict[SlurmName, Partition] = Field({}, description="Partitions by Slurm's name, smallest first.")
    network: Network | None = Field(None, description="Network of multi-node jobs.")
    storage: dict[Name, Storage] = Field({}, description="Storage areas.")
    containers: Containers | None = Field(None, description="How images are run; none: environments from .venv/.")
    exclude_nodes: list[BadNode] = Field([], description="Nodes that jobs avoid.")

    @model_validator(mode="after")
    def _whole(self) -> Machine:
        if (self.scheduler.kind == "slurm") != bool(self.partitions):
            raise ValueError("a Slurm machine has `partitions`, a local one has none")
        return self

    def node_of(self, partition: str) -> NodeShape:
        """The nodes of a partition."""
        return self.nodes[self.partitions[partition].node]

    @property
    def is_slurm(self) -> bool:
        """Whether jobs are submitted to Slurm."""
        return self.scheduler.kind == "slurm"
