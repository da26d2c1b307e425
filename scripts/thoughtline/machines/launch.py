"""Starting one process on each node of a job, inside the environment's container where there are containers.

A job that spans nodes runs on the first of them, outside any container (srun works there only), and starts

    [*launcher(nodes, "train"), "-m", "some.module", "--node-rank", "{node_rank}", …]

which is `srun … python -m thoughtline.machines.launch SPEC -- WORDS`: on each node a small process that knows its node's rank,
the first node's name and its own GPUs. It fills them in and becomes `apptainer exec … IMAGE python WORDS`. Without Slurm all
"nodes" are this machine. On the nodes only the standard library is used, so that hundreds start quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..common.environments import ROOT, python_of

MODULE = "thoughtline.machines.launch"
"""This module's name, also where it is the main one."""

CONTAINERS = "THOUGHTLINE_CONTAINERS"
"""Environment variable: folder of the images, NAME.sif for each environment. Without it .venv/ is used."""

MACHINE = "THOUGHTLINE_MACHINE"
"""Environment variable: the machine that jobs run on, by name or file; its network variables, binds and options count."""

INSIDE = "/opt/thoughtline/{environment}/bin/python"
"""The interpreter of an environment inside its image."""

OF_A_NODE = re.compile(
    r"(CUDA|ROCR|HIP)_VISIBLE_DEVICES|SLURM_(JOB|STEP|NODE|PROC|LOCAL)ID|SLURM_(JOB_ID|STEP_ID|STEP_NODELIST|CLUSTER_NAME)"
)
"""Variables that Slurm sets on each node for itself and that containers must see."""

NODE = "THOUGHTLINE_NODE"
"""Environment variable of a process started without Slurm: its node's rank."""

STEP_END_SECONDS = 60.0
"""How long the processes of a job step may take to end once it has been cancelled."""


def in_slurm() -> bool:
    """Whether this process is part of a Slurm job."""
    return "SLURM_JOB_ID" in os.environ


def expand_nodes(text: str) -> list[str]:
    """Slurm's short form of a node list, in full and in order.

    >>> expand_nodes("login,lrdn[0009-0011,0100],n[1-2]-ib")
    ['login', 'lrdn0009', 'lrdn0010', 'lrdn0011', 'lrdn0100', 'n1-ib', 'n2-ib']
    """
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        before, bracket, rest = part.partition("[")
        if not bracket:
            found.append(part)
            continue
        inside, _, after = rest.partition("]")
        tails = expand_nodes(after) if after else [""]
        for piece in inside.split(","):
            low, _, high = piece.partition("-")
            numbers = [f"{number:0{len(low)}d}" for number in range(int(low), int(high or low) + 1)]
            found += [f"{before}{number}{tail}" for number in numbers for tail in tails]
    return found


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def srun_command(nodes: int) -> list[str]:
    """srun for one task on each of the job's first `nodes` nodes; one that fails ends the others.

    Unbound, and with no word about CPUs, a task has all those of its job on the node.
    """
    return [
        *("srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--cpu-bind=none", "--mem=0"),
        *("--overlap", "--kill-on-bad-exit=1", "--mpi=none", "--export=ALL"),
    ]


def _site(folders: Iterable[Path]) -> dict[str, Any]:
    """What a job's containers get on this machine: options and folders of `apptainer exec`, variables."""
    from .images import visible_folders
    from .load import load_machine
    from .variables import container_environment

    machine = load_machine(os.environ.get(MACHINE) or "local")
    return {
        "arguments": machine.containers.arguments if machine.containers else [],
        "folders": visible_folders(machine, os.environ, map(str, folders)),
        "variables": container_environment(os.environ, machine),
    }


def launcher(
    nodes: int,
    environment: str,
    *,
    variables: Mapping[str, str] | None = None,
    folders: Iterable[Path] = (),
    step: Path | None = None,
) -> list[str]:
    """What to put before the arguments of an environment's Python so that it runs once on each of `nodes` nodes.

    In these arguments `{node_rank}` stands for the node's number, from 0, and `{first_node}` for the name of node 0.

    Args:
        nodes: how many; those of the Slurm job, or this machine so many times without Slurm.
        environment: its name, say train; the image of that name where THOUGHTLINE_CONTAINERS is set, else .venv/.
        variables: environment variables to set, beside the machine's and those that enter every container (variables.py).
        folders: what containers must see, beside the repository, the working directory and the machine's binds.
        step: node 0 notes the job step there, so that `end_step` can end it.
    """
    images, site = os.environ.get(CONTAINERS), _site(folders)
    spec = {
        "image": str((Path(images) / f"{environment}.sif").resolve()) if images else None,
        "python": INSIDE.format(environment=environment) if images else python_of(environment),
        "root": str(ROOT),
        "step": str(step) if step else None,
        **site,
        "variables": {**site["variables"], **(variables or {})},
    }
    node = [sys.executable, "-m", MODULE, *([] if in_slurm() else ["--local", str(nodes)]), json.dumps(spec), "--"]
    return [*(srun_command(nodes) if in_slurm() else []), *node]


def place(environ: Mapping[str, str]) -> tuple[int, str]:
    """This process's node rank, and the first node's name.

    Raises:
        KeyError: it was started neither by srun nor by this module.
    """
    if NODE in environ:
        return int(environ[NODE]), "127.0.0.1"
    return int(environ["SLURM_NODEID"]), expand_nodes(environ["SLURM_STEP_NODELIST"])[0]


def node_command(
    spec: Mapping[str, Any], words: list[str], environ: Mapping[str, str], cwd: str
) -> tuple[list[str], dict[str, str]]:
    """The command of one node, and its environment."""
    rank, first = place(environ)
    words = [word.replace("{node_rank}", str(rank)).replace("{first_node}", first) for word in words]
    chosen = {**spec["variables"], "PYTHONPATH": f"{spec['root']}/scripts"}
    if not spec["image"]:
        return [spec["python"], *words], {**environ, **chosen}
    chosen |= {name: value for name, value in environ.items() if OF_A_NODE.fullmatch(name)}
    binds = [word for folder in [cwd, *spec["folders"]] for word in ("--bind", folder)]
    run = ["apptainer", "exec", "--cleanenv", *binds, "--pwd", cwd, *spec["arguments"], spec["image"]]
    # As variables.carried, which is not at hand here: only what was chosen gets through --cleanenv.
    kept = {key: value for key, value in environ.items() if not key.startswith(("APPTAINERENV_", "SINGULARITYENV_"))}
    return [*run, spec["python"], *words], kept | {f"APPTAINERENV_{key}": chosen[key] for key in chosen}


def _note_step(path: str | None) -> None:
    if path and os.environ.get("SLURM_NODEID") == "0":
        part = Path(f"{path}.part")
        part.write_text(f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}", encoding="utf-8")
        part.replace(path)


def end_step(path: Path) -> None:
    """End the job step noted at `path`, if it still runs, and wait until its processes on all nodes are gone."""
    if not path.is_file():
        return
    step = path.read_text(encoding="utf-8")
    ask = ["squeue", "--noheader", "--steps", f"--jobs={step.partition('.')[0]}", "--format=%i"]
    end = time.monotonic() + STEP_END_SECONDS
    while time.monotonic() < end:
        answer = subprocess.run(ask, capture_output=True, text=True)
        if step not in answer.stdout.split():
            break
        subprocess.run(["scancel", "--signal=KILL", step], capture_output=True)
        time.sleep(0.5)
    path.unlink()


def job_of(environment: Mapping[str, str]) -> str | None:
    """The id of the Slurm job that we are part of; ARRAY_TASK in an array, whose last task bears the number of all.

    >>> job_of({"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "4"})
    '7_4'
    """
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID")


def time_left() -> float:
    """Seconds until this job's time limit by Slurm's own clock; infinity without Slurm, or if it does not say."""
    ask = ["squeue", "--noheader", f"--jobs={job_of(os.environ)}", "--format=%L"]
    if in_slurm():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # no Slurm commands inside containers
            return seconds_of(subprocess.run(ask, capture_output=True, text=True, timeout=60).stdout.strip())
    return float("inf")


def seconds_of(text: str) -> float:
    """A duration as Slurm writes it, in seconds; infinity for UNLIMITED and whatever else is none.

    >>> seconds_of("1-02:03:04"), seconds_of("05:06"), seconds_of("UNLIMITED")
    (93784.0, 306.0, inf)
    """
    match = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", text)
    if not match:
        return float("inf")
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it dies (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run_local(nodes: int, words: list[str]) -> int:
    """Start `nodes` processes on this machine, each as one node; one that fails ends the others."""
    command = [sys.executable, "-m", MODULE, *words]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(nodes):
            own = {**os.environ, NODE: str(rank)}
            processes.append(subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent))
        while True:
            codes = [process.poll() for process in processes]
            failed = [code for code in codes if code]
            if failed or None not in codes:
                return failed[0] if failed else 0
            time.sleep(0.1)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(words: list[str]) -> int:
    """Become this node's command, or start those of all nodes on this machine."""
    if words[0] == "--local":
        return run_local(int(words[1]), words[2:])
    spec, dashes, *arguments = words
    assert dashes == "--", words
    facts = json.loads(spec)
    _note_step(facts["step"])
    command, environ = node_command(facts, arguments, os.environ, os.getcwd())
    os.execvpe(command[0], command, environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
