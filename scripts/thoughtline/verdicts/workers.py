"""A worker process that may hang, eat memory or die without harm: it is killed, replaced, and the next question goes on.

`Worker` owns a keeper process and the worker that the keeper has forked. The keeper is a fresh interpreter (nothing is
inherited from who asks), loads what the answers need, and does nothing but fork one worker after another: a replacement takes
milliseconds instead of a new start, and always begins in the same state. The worker answers questions one at a time with
a function of this package. Its address space is limited, and nothing relies on signals inside it: who asks reads its CPU clock
and kills. The limit is CPU time, so a loaded machine ends no question that an idle one would not; wall-clock time only
backs it up, for a process that waits without computing. CPU time is limited by the kernel too, so that a worker whose
owner was killed ends, and its keeper with it.
"""

from __future__ import annotations

import contextlib
import gc
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
QUESTIONS = 10_000
"""A worker is replaced after so many: libraries' caches grow (Math-Verify's by 4 KB a pair that it has not seen)."""
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
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._asked = 0
        self._received = bytearray()

    @property
    def pid(self) -> int | None:
        """The process that answers now; None before the first question."""
        return self._pid

    def ask(self, question: Any, seconds: float) -> Any:
        """The function's answer.

        A process that dies is asked once more in a new one: something else may have killed it. One that runs out of
        memory is too, unless this was its first question: what it remembers of others must decide nothing.

        Args:
            seconds: limit of CPU time.

        Raises:
            WorkerLost: the limit passed, or memory ran out; the next call has a new process.
            RuntimeError: the worker does not start, or the function raised.
        """
        for _ in range(2):
            if self._pid is not None and self._asked >= QUESTIONS:
                self._replace()
            if self._pid is None or self._keeper is None or self._keeper.poll() is not None:
                self.close()
                self._start()
            first = self._asked == 0
            self._asked += 1
            try:
                limit = cpu_seconds(self._pid) + seconds  # type: ignore[arg-type]
                self._send({"question": question, "seconds": seconds})
                answer = self._receive(seconds * WALL_FACTOR + WALL_EXTRA, limit)
            except _CpuTimeIsUp:
                self._replace()
                raise WorkerLost("time_limit") from None
            except TimeoutError:
                self.close()
                raise WorkerLost("time_limit") from None
            except (EOFError, BrokenPipeError, ProcessLookupError):
                self.close()
                continue
            if "answer" in answer:
                return answer["answer"]
            if "ended" in answer:
                self.close()
                if answer["ended"] == -signal.SIGXCPU:
                    raise WorkerLost("time_limit")
            elif answer["error"] != "MemoryError":
                raise RuntimeError(f"worker: {answer['error']}")
            else:
                self._replace()
                if first:
                    break
        raise WorkerLost("memory_limit")

    def _start(self) -> None:
        with tempfile.TemporaryFile() as errors:
            self._keeper = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                start_new_session=True, env={**os.environ, **self._environment},
            )  # fmt: skip
            try:
                self._meet()
            except (EOFError, TimeoutError):
                self.close()
                errors.seek(0)
                raise RuntimeError(
                    f"a worker does not start: {errors.read()[-2000:].decode(errors='replace')}"
                ) from None

    def _meet(self) -> None:
        """Wait for the keeper's next worker."""
        message = self._receive(START_SECONDS)
        if "pid" not in message:
            raise EOFError
        self._pid, self._asked = message["pid"], 0

    def _replace(self) -> None:
        """End the worker, which has read its question whole, and take the keeper's next one."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)  # type: ignore[arg-type]
        try:
            while "ended" not in self._receive(START_SECONDS):
                pass  # an answer that came too late
            self._meet()
        except (EOFError, TimeoutError):
            self.close()

    def _send(self, message: Any) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[self._keeper.stdin.write(data) :]  # type: ignore[union-attr]

    def _receive(self, seconds: float, cpu_limit: float = math.inf) -> dict[str, Any]:
        """One message.

        Raises:
            TimeoutError: after `seconds` of wall-clock time.
            _CpuTimeIsUp: the worker's CPU clock has come to `cpu_limit`.
            EOFError: the keeper has ended.
            ProcessLookupError: the worker has ended, and the keeper has not said so yet.
        """
        end = time.monotonic() + seconds
        stream = self._keeper.stdout.fileno()  # type: ignore[union-attr]
        wait = seconds
        while True:
            line, found, rest = self._received.partition(b"\n")
            if found:
                self._received = rest
                with contextlib.suppress(ValueError):  # half a message of a worker that was killed
                    return json.loads(line)
                continue
            if cpu_limit < math.inf:  # one thread of computing cannot reach the limit any sooner
                wait = max(LEAST_WAIT, cpu_limit - cpu_seconds(self._pid))  # type: ignore[arg-type]
            ready, _, _ = select.select([stream], [], [], max(0.0, min(wait, end - time.monotonic())))
            if ready:
                part = os.read(stream, 1 << 20)
                if not part:
                    raise EOFError
                self._received += part
            elif time.monotonic() >= end:
                raise TimeoutError
            elif cpu_seconds(self._pid) >= cpu_limit:  # type: ignore[arg-type]
                raise _CpuTimeIsUp

    def close(self) -> None:
        """Kill both processes; a later `ask` starts new ones."""
        keeper, self._keeper, self._pid = self._keeper, None, None
        self._received = bytearray()
        if keeper is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)  # the keeper leads its group, and has not been waited for
        keeper.wait()
        keeper.stdin.close()  # type: ignore[union-attr]
        keeper.stdout.close()  # type: ignore[union-attr]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _CpuTimeIsUp(Exception):
    pass


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
    """The keeper's side: fork workers that answer questions from standard input, until it ends."""
    questions, answers = os.dup(0), os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    module_name, _, name = function.partition(":")
    module = importlib.import_module(module_name)
    answer = getattr(module, name)
    module.warm_up()
    for descriptor in (0, 1, 2):  # what a library prints must not become an answer
        os.dup2(nowhere, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.collect()
    gc.freeze()  # the workers' collections leave these pages shared
    while True:
        worker = os.fork()
        if not worker:
            _limit_memory(memory_mb)
            answers.write(json.dumps({"pid": os.getpid()}).encode() + b"\n")
            with_room(_answer)(answer, os.fdopen(questions, "rb"), answers)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if status == 0:  # standard input has ended
            return
        answers.write(b"\n" + json.dumps({"ended": status}).encode() + b"\n")


def _limit_memory(memory_mb: int) -> None:
    limit, hard = address_space() + (memory_mb << 20), resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


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
