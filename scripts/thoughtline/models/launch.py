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
from ..common.errors import UserError
from ..common.files import read_json

GRACE = 300.0
"""Seconds that the ranks have for their step and checkpoint once they were asked to stop."""

POLL = 0.2
"""Seconds between two looks at the ranks."""


def environment(device: str, ranks: int, threads: int, work: Path) -> dict[str, str]:
    """The ranks' environment: `threads` threads each, no network, no caches outside `work`."""
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
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo"),
    }
    if device == "cpu":
        chosen["DS_ACCELERATOR"] = "cpu"
    return {**os.environ, **chosen}


def command(module: str, ranks: int, work: Path) -> list[str]:
    """torchrun for `ranks` ranks of `module` on this machine, on a free port of its own."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    # By address: where there is no network, this machine's own name leads nowhere and the ranks would wait for each other.
    return [*run, "--local-addr", "127.0.0.1", "-m", module, str(work)]


def _tail(path: Path, lines: int = 25) -> str:
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
) -> None:
    """Run `words` in a process group of its own until it ends, calling `watch` now and then.

    Args:
        words: the command line.
        env: its environment.
        before_exec: called in the child before it becomes the command.
        deadline: once it has passed, the file `stop` is made; who has not ended GRACE seconds later is killed.
        stop: the file that asks the ranks to save and stop.
        error: a rank leaves its UserError here.
        crash: the first rank that fails otherwise leaves its traceback here.
        log: standard output and error of the ranks are added to this file.

    Raises:
        UserError: one that a rank left in `error`.
        RuntimeError: the ranks failed otherwise; the traceback, or the end of their log, stands in the message.
        OutOfTime: they did not end within GRACE of the deadline.
    """
    for path in (stop, error, crash):
        path.unlink(missing_ok=True)
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
            if asked is None and deadline.passed:
                stop.touch()
                asked = time.monotonic()
            if asked is not None and time.monotonic() - asked > GRACE:
                deadline.check()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    watch()
    if error.is_file():
        raise UserError(**read_json(error))
    if process.returncode != 0:
        told = crash if crash.is_file() else log
        raise RuntimeError(f"training failed (exit code {process.returncode}, log {log}):\n{_tail(told)}")
