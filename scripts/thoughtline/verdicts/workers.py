"""A worker process that may hang, eat memory or die without harm: it is killed, replaced, and the next question goes on.

`Worker` owns one process that answers questions one at a time with a function of this package. The process is a fresh
interpreter (nothing is inherited by fork), its address space is limited, and nothing relies on signals inside it: who
asks counts the time and kills. CPU time is limited by the kernel too, so that a worker whose owner was killed ends.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_START = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); from {__name__} import serve; serve(sys.argv[1], int(sys.argv[2]))"
)
START_SECONDS = 300
"""A worker must be ready within this time, however loaded the machine is."""


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
    """

    def __init__(self, function: str, memory_mb: int) -> None:
        self._command = [sys.executable, "-c", _START, function, str(memory_mb)]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: Any, seconds: float) -> Any:
        """The function's answer.

        A process that dies is asked once more in a new one: something else may have killed it.

        Args:
            seconds: wall-clock limit, counted from the moment that the worker has taken the question.

        Raises:
            WorkerLost: the limit passed, or memory ran out; the next call starts a new process.
            RuntimeError: the worker does not start, or the function raised.
        """
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._start()
            try:
                self._send({"question": question, "seconds": seconds})
                answer = self._receive(seconds)
            except TimeoutError:
                self.close()
                raise WorkerLost("time_limit") from None
            except (EOFError, BrokenPipeError):
                if self._end() == -signal.SIGXCPU:
                    raise WorkerLost("time_limit") from None
                continue
            if "answer" in answer:
                return answer["answer"]
            if answer.get("error") == "MemoryError":
                self.close()
                break
            raise RuntimeError(f"worker: {answer.get('error')}")
        raise WorkerLost("memory_limit")

    def _start(self) -> None:
        with tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                start_new_session=True,
            )  # fmt: skip
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

    def _receive(self, seconds: float) -> Any:
        end, received = time.monotonic() + seconds, bytearray()
        stream = self._process.stdout.fileno()  # type: ignore[union-attr]
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(stream, 1 << 20)
            if not part:
                raise EOFError
            received += part
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
    for line in questions:
        message = json.loads(line)
        limit_cpu(message["seconds"])
        try:
            answer = {"answer": getattr(module, name)(message["question"])}
        except MemoryError:
            answer = {"error": "MemoryError"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer).encode() + b"\n")
