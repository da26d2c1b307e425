"""A worker process that may hang, eat memory or die without harm: it is killed, replaced, and the next question goes on.

`Worker` owns one process that answers questions one at a time with a function of this package. The process is a fresh
interpreter (nothing is inherited by fork), its address space is limited, and nothing relies on signals inside it: who
asks reads its CPU clock and kills. The limit is CPU time, so a loaded machine ends no question that an idle one would
not; wall-clock time only backs it up, for a process that waits without computing. CPU time is limited by the kernel
too, so that a worker whose owner was killed ends.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_START = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); from {__name__} import serve; serve(sys.argv[1], int(sys.argv[2]))"
)
START_SECONDS = 300
"""A worker must be ready within this time, however loaded the machine is."""
WALL_FACTOR, WALL_EXTRA = 30, 60
"""A question may take this many times its CPU limit, and these seconds more, of wall-clock time: enough for a worker that
gets a thirtieth of a core."""
ROOM = 70_000
"""Slots of 8 bytes: 547 KiB, so a chunk of 1 MiB, of which 477 KiB are left to calls. Only pages in use take memory."""
LEAST_WAIT = 0.005
"""Seconds between looks at a CPU clock near its limit."""


class WorkerLost(Exception):
    """The question ended its worker; `reason` is time_limit or memory_limit."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Worker:
    """One replaceable process.

    Args:
        function: "module:name" in this package; takes and returns JSON values. The module's `warm_up()` runs first.
        memory_mb: address space that the process may take beyond what it has when it is ready.
        environment: variables to set in the process, beside those of this one.
    """

    def __init__(self, function: str, memory_mb: int, environment: dict[str, str] | None = None) -> None:
        self._command = [sys.executable, "-c", _START, function, str(memory_mb)]
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._fresh = False

    @property
    def pid(self) -> int | None:
        """The process that answers now; None before the first question."""
        return self._process.pid if self._process else None

    def ask(self, question: Any, seconds: float) -> Any:
        """The function's answer.

        A process that dies is asked once more in a new one: something else may have killed it. One that runs out of
        memory is too, unless this was its first question: what it remembers of others must decide nothing.

        Args:
            seconds: limit of CPU time.

        Raises:
            WorkerLost: the limit passed, or memory ran out; the next call starts a new process.
            RuntimeError: the worker does not start, or the function raised.
        """
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._start()
            fresh, self._fresh = self._fresh, False
            try:
                limit = cpu_seconds(self._process.pid) + seconds  # type: ignore[union-attr]
                self._send({"question": question, "seconds": seconds})
                answer = self._receive(seconds * WALL_FACTOR + WALL_EXTRA, limit)
            except TimeoutError:
                self.close()
                raise WorkerLost("time_limit") from None
            except (EOFError, BrokenPipeError, ProcessLookupError):
                if self._end() == -signal.SIGXCPU:
                    raise WorkerLost("time_limit") from None
                continue
            if "answer" in answer:
                return answer["answer"]
            if answer.get("error") != "MemoryError":
                raise RuntimeError(f"worker: {answer.get('error')}")
            self.close()
            if fresh:
                break
        raise WorkerLost("memory_limit")

    def _start(self) -> None:
        with tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                start_new_session=True, env={**os.environ, **self._environment},
            )  # fmt: skip
            self._fresh = True
            try:
                self._receive(START_SECONDS)
            except (EOFError, TimeoutError):
                self._end()
                errors.seek(0)
                raise RuntimeError(
                    f"a worker does not start: {errors.read()[-2000:].decode(errors='replace')}"
                ) from None

    def _send(self, message: Any) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[self._process.stdin.write(data) :]  # type: ignore[union-attr]

    def _receive(self, seconds: float, cpu_limit: float = math.inf) -> Any:
        """One message; TimeoutError after `seconds` of wall-clock time, or once the process's CPU clock has `cpu_limit`."""
        end, received = time.monotonic() + seconds, bytearray()
        process = self._process
        stream = process.stdout.fileno()  # type: ignore[union-attr]
        wait = seconds
        while not received.endswith(b"\n"):
            if cpu_limit < math.inf:  # one thread of computing cannot reach the limit any sooner
                wait = max(LEAST_WAIT, cpu_limit - cpu_seconds(process.pid))  # type: ignore[union-attr]
            ready, _, _ = select.select([stream], [], [], max(0.0, min(wait, end - time.monotonic())))
            if ready:
                part = os.read(stream, 1 << 20)
                if not part:
                    raise EOFError
                received += part
            elif time.monotonic() >= end or cpu_seconds(process.pid) >= cpu_limit:  # type: ignore[union-attr]
                raise TimeoutError
        return json.loads(received)

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        code = process.wait()
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
        return code

    def close(self) -> None:
        """Kill the process; a later `ask` starts a new one."""
        self._end()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process of this user has taken, all its threads together.

    Linux numbers the CPU clock of a process (~pid << 3) | 2 (clock_getcpuclockid(3)); reading it takes about a
    microsecond, and counts nanoseconds where /proc/PID/stat counts ticks.

    Raises:
        ProcessLookupError: the process has ended.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        raise ProcessLookupError(pid) from None


def address_space() -> int:
    """Bytes of address space that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")


def limit_cpu(seconds: float) -> None:
    """From now on the kernel ends this process (SIGXCPU) once it has used `seconds` more of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def serve(function: str, memory_mb: int) -> None:
    """The worker's side: answer questions from standard input until it ends."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    module_name, _, name = function.partition(":")
    module = importlib.import_module(module_name)
    module.warm_up()
    for descriptor in (0, 1, 2):  # what a library prints must not become an answer
        os.dup2(nowhere, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit, hard = address_space() + (memory_mb << 20), resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    answers.write(b"{}\n")
    with_room(_answer)(getattr(module, name), questions, answers)


def _answer(function: Callable[[Any], Any], questions: Iterable[bytes], answers: Any) -> None:
    for line in questions:
        message = json.loads(line)
        limit_cpu(message["seconds"])
        try:
            answer = {"answer": function(message["question"])}
        except MemoryError:
            answer = {"error": "MemoryError"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer).encode() + b"\n")


def with_room(function: types.FunctionType) -> types.FunctionType:
    """`function` with room on the interpreter's stack for the frames of all that it calls.

    CPython (3.11 and later) keeps frames in chunks of 16 KiB, each mapped when a call does not fit and unmapped when that
    call returns. A recursive parser crosses such an edge thousands of times. A frame that asks for more gets a chunk
    of a power of two, and calls use the rest of it: without this a parse takes a quarter more CPU time, in the kernel.
    """
    function.__code__ = function.__code__.replace(co_stacksize=ROOM)
    return function
