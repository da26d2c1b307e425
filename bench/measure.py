"""CPU time of an engine, all of its processes included.

The engine runs in a process of its own (engines.py) that ends every process it has started before it ends itself. wait4 then
tells the CPU time of that process and of all its descendants, since each was waited for by its parent, or, when its parent
had died, by the engine's process, which is the one that orphans are handed to. A second run that only starts and warms up is
taken off. What the kernel does on nobody's account (taking down a network namespace, say) is not in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engines import ENGINES

ROOT = Path(__file__).parents[1]
LONGEST = 900
"""Seconds; an engine that takes longer is ended."""


class EngineError(RuntimeError):
    """An engine cannot run here."""


@dataclass(frozen=True)
class Cost:
    """What one run cost: milliseconds a verdict, and how many verdicts were wrong."""

    cpu: float
    wall: float
    wrong: int


def interpreter(engine: str) -> str:
    """The Python of the engine's environment."""
    environment = ENGINES[engine].environment
    return sys.executable if environment == "verify" else str(ROOT / ".venv" / environment / "bin" / "python")


def _run(engine: str, warm: list[dict[str, Any]], tasks: list[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """(the engine's answer, CPU seconds of all its processes)."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(json.dumps({"engine": engine, "warm": warm, "tasks": tasks}).encode())
        stdin.seek(0)
        command = [interpreter(engine), "-m", "bench.engines"]
        try:
            process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=ROOT)
        except OSError as error:
            raise EngineError(f"{engine}: {error}") from None
        watch = threading.Timer(LONGEST, process.kill)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        written = stdout.read()
        if process.returncode or not written:
            stderr.seek(0)
            words = stderr.read().decode(errors="replace").strip().splitlines() or [f"exit {process.returncode}"]
            raise EngineError(f"{engine}: {words[-1]}")
        return json.loads(written), usage.ru_utime + usage.ru_stime


def measure(engine: str, tasks: list[dict[str, Any]]) -> Cost:
    """What a verdict on `tasks` costs.

    Raises:
        EngineError: the engine does not run here.
    """
    warm, many = tasks[:2], tasks * ENGINES[engine].passes
    _, idle = _run(engine, warm, [])
    answer, busy = _run(engine, warm, many)
    wrong = sum(accepted != task["right"] for accepted, task in zip(answer["accepted"], many, strict=True))
    return Cost(1000 * (busy - idle) / len(many), 1000 * answer["wall"] / len(many), wrong)
