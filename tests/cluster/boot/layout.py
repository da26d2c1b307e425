"""Names, addresses and files of the test cluster; its configuration."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from string import Template

LOGIN = "login01"
LOGIN_ADDRESS = "10.77.0.1"
NODES = ("lrdn0001", "lrdn0002", "lrdn0003", "lrdn0004", "lrdn0005")
GPUS = 4
ACCOUNT = "iscrc_test"
HIERARCHIES = ("freezer", "memory", "cpuacct")
"""Hierarchies of cgroups (version 1) that Slurm uses here."""
TEMPLATES = Path(__file__).with_name("templates")


def node_address(node: str) -> str:
    """The address of a node on the cluster's own network."""
    return f"10.77.0.{11 + NODES.index(node)}"


def has_cgroups() -> bool:
    """Whether Slurm can use cgroups (version 1) here: else it watches memory itself and kills a little later."""
    return all(os.access(f"/sys/fs/cgroup/{name}/cgroup.procs", os.W_OK) for name in HIERARCHIES)


@dataclass(frozen=True)
class State:
    """The one folder below which everything of a running cluster lies."""

    folder: Path

    @property
    def etc(self) -> Path:
        """Configuration; /etc/slurm in the cluster."""
        return self.folder / "etc"

    @property
    def log(self) -> Path:
        """What the daemons say."""
        return self.folder / "log"

    @property
    def run(self) -> Path:
        """Process ids: NODE.pid is the process that a node lives and dies with."""
        return self.folder / "run"

    @property
    def munge_socket(self) -> Path:
        """Where munged answers."""
        return self.folder / "munge.sock"

    def cgroup(self, hierarchy: str) -> Path:
        """This cluster's own part of a hierarchy of cgroups, below the cgroup that this process is in."""
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, names, path = line.split(":", 2)
            if hierarchy in names.split(","):
                return Path(f"/sys/fs/cgroup/{hierarchy}{path}") / f"testcluster-{self.folder.name}"
        raise LookupError(f"no cgroup hierarchy {hierarchy}")

    def write(self) -> None:
        """Make the folders, a munge key, four devices that stand for GPUs, and the configuration."""
        for name in ("etc", "log", "run", "dev", "mysql", "spool/slurmctld", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        with open(os.open(self.etc / "munge.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(1024))
        null = os.makedev(1, 3)
        for number in range(GPUS):
            device = self.folder / f"dev/nvidia{number}"
            os.mknod(device, 0o020666, null)
            device.chmod(0o666)
        cgroups = has_cgroups()
        values = {
            "state": str(self.folder),
            "login": LOGIN,
            "login_address": LOGIN_ADDRESS,
            "account": ACCOUNT,
            "proctrack": "proctrack/cgroup" if cgroups else "proctrack/linuxproc",
            "task": "task/cgroup" if cgroups else "task/none",
            "accounting_of_jobs": "jobacct_gather/cgroup" if cgroups else "jobacct_gather/linux",
            "memory_watch": "" if cgroups else "JobAcctGatherParams=OverMemoryKill",
            "nodes": "\n".join(f"NodeName={node} NodeAddr={node_address(node)}" for node in NODES),
            "first_node": NODES[0],
            "node_list": ",".join(NODES),
        }
        for template in TEMPLATES.iterdir():
            text = Template(template.read_text(encoding="utf-8")).substitute(values)
            (self.etc / template.name).write_text(text, encoding="utf-8")
        (self.etc / "slurmdbd.conf").chmod(0o600)
        names = [f"127.0.0.1 localhost\n{LOGIN_ADDRESS} {LOGIN}\n"]
        names += [f"{node_address(node)} {node}\n" for node in NODES]
        (self.etc / "hosts").write_text("".join(names), encoding="ascii")
