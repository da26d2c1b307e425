"""Starting torchrun, watching it, stopping it in time, and leaving no process behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..common.deadline import Deadline
from ..common.errors import OutOfTime, UserError
from ..common.files import read_json
from ..machines.launch import end_step, in_slurm
from .pace import TEARDOWN

GRACE = 300.0
"""Seconds that the ranks have for their step and checkpoint after SIGTERM."""

KILL = 5.0
"""Seconds before the time limit at which ranks that still run are killed."""

POLL = 0.2
"""Seconds between two looks at the ranks."""


def rank_variables(device: str, ranks: int, threads: int, work: Path, nodes: int = 1) -> dict[str, str]:
    """Environment variables of the ranks: `threads` threads each, no network, no caches outside `work`.

    Args:
        ranks: how many run on a node.
        nodes: how many there are. Ranks of one node meet on the loopback interface; those of several on the one that the
            machine's file names in GLOO_SOCKET_IFNAME, else gloo looks up the node's own name.
    """
    chosen = {
        "OMP_NUM_THREADS": str(threads),
        "LOCAL_SIZE": str(ranks),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_CACHE": str(work / "cache"),
        "TORCH_EXTENSIONS_DIR": str(work / "cache" / "extensions"),
        "TRITON_CACHE_DIR": str(work / "cache" / "triton"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    if nodes == 1 or not in_slurm():
        chosen["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    if device == "cpu":
        chosen["DS_ACCELERATOR"] = "cpu"
    return chosen


def command(module: str, ranks: int, work: Path) -> list[str]:
    """torchrun for `ranks` ranks of `module` on this machine, on a free port of its own."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    # By address: where there is no network, this machine's own name leads nowhere and the ranks would wait for each other.
    return [*run, "--local-addr", "127.0.0.1", "-m", module, str(work)]


def node_words(module: str, nodes: int, ranks: int, port: int, work: Path) -> list[str]:
    """What Python gets on each of `nodes` nodes: torchrun for `ranks` ranks there, which meet at `port` of the first node."""
    run = ["-m", "torch.distributed.run", "--nnodes", str(nodes), "--nproc-per-node", str(ranks)]
    meet = ["--node-rank", "{node_rank}", "--master-addr", "{first_node}", "--master-port", str(port)]
    return [*run, *meet, "-m", module, str(work)]


def _tail(path: Path, lines: int = 80) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def supervise(
    words: list[str],
    env: dict[str, str],
    before_exec: Callable[[], None],
    deadline: Deadline,
    stop: Path,
    error: Path,
    crash: Path,
    log: Path,
    watch: Callable[[], None],
    reserve: Callable[[], float] = lambda: TEARDOWN,
    step: Path | None = None,
) -> None:
    """Run `words` in a process group of its own until it ends, calling `watch` now and then.

    Args:
        words: the command line; on several nodes one of machines.launch.
        env: its environment.
        before_exec: called in the child before it becomes the command.
        deadline: what limits it. After SIGTERM the file `stop` is made at once, and who has not ended GRACE seconds later is killed.
        stop: the file that asks the ranks to save and stop.
        error: a rank leaves its UserError here.
        crash: the first rank that fails otherwise leaves its traceback here.
        log: standard output and error of the ranks are added to this file.
        reserve: seconds before the time limit at which `stop` is made; who has not ended KILL seconds before it is killed.
        step: where the command notes its Slurm job step; whatever still runs of it, on whichever node, is ended.

    Raises:
        UserError: one that a rank left in `error`.
        RuntimeError: the ranks failed otherwise; the traceback, or the end of their log, stands in the message.
        OutOfTime: they had to be killed.
    """
    for path in (stop, error, crash):
        path.unlink(missing_ok=True)
    if step:  # of a launcher that was killed while its allocation went on
        end_step(step)
    with open(log, "ab") as stream:
        process = subprocess.Popen(
            words, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True, preexec_fn=before_exec,
        )  # fmt: skip
    asked: float | None = None
    try:
        while process.poll() is None:
            time.sleep(POLL)
            watch()
            now, left = time.monotonic(), deadline.seconds_to_limit
            if asked is None and (deadline.terminated or left <= reserve()):
                stop.touch()
                asked = now
            if left <= KILL or (asked is not None and deadline.terminated and now - asked > GRACE):
                raise OutOfTime
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if step:
            end_step(step)
        watch()
    # On network file systems a folder that is read anew shows what other nodes have just put there.
    left_behind = os.listdir(error.parent)
    if error.name in left_behind:
        raise UserError(**read_json(error))
    if process.returncode != 0:
        told = crash if crash.name in left_behind else log
        raise RuntimeError(f"training failed (exit code {process.returncode}, log {log}):\n{_tail(told)}")
