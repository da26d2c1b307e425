"""Compute nodes: each has host name, network, processes, cgroups and /dev/shm of its own. Run on the login node."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .layout import HIERARCHIES, State, has_cgroups, node_address

SCRIPT = Path(__file__).with_name("node.sh")
NAMESPACES = ("--cgroup", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")


def _join(folders: list[Path]) -> None:
    """Put this process into these cgroups; a new cgroup namespace then begins there."""
    for folder in folders:
        (folder / "cgroup.procs").write_text("0")


def start(state: State, node: str) -> None:
    """Switch a node on; it is in service once slurmd has registered."""
    cgroups = {name: state.cgroup(name) / node for name in HIERARCHIES} if has_cgroups() else {}
    for folder in cgroups.values():
        folder.mkdir(parents=True, exist_ok=True)
    mounts = [f"{name}={folder}" for name, folder in cgroups.items()]
    with open(state.log / f"{node}.out", "ab") as out:
        process = subprocess.Popen(
            ["unshare", *NAMESPACES, "--propagation", "private", "bash", SCRIPT, node, node_address(node), *mounts],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            preexec_fn=lambda: _join(list(cgroups.values())),
        )  # fmt: skip
    (state.run / f"{node}.pid").write_text(str(process.pid))
    network = Path(f"/proc/{process.pid}/ns/net")
    while os.readlink(network) == os.readlink("/proc/self/ns/net"):
        if process.poll() is not None:
            sys.exit(f"error: {node} did not start: {(state.log / f'{node}.out').read_text()}")
        time.sleep(0.01)
    cable = f"to-{node}"
    for words in (
        ["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid)],
        ["link", "set", cable, "master", "cluster", "up"],
    ):
        subprocess.run(["ip", *words], check=True)


def cut(state: State, node: str) -> None:
    """Cut a node's power: whatever runs there is gone at once."""
    file = state.run / f"{node}.pid"
    pid = int(file.read_text())
    file.unlink()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while Path(f"/sys/class/net/to-{node}").exists():  # goes with the last process of the node
        time.sleep(0.02)
