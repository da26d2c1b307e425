"""Run a program on tests in a sandbox, and compare what it does here, outside, where the expected outputs are.

    run_tests(program, {"inputs": [...], "outputs": [...], "fn_name": name or absent}, Limits()) -> Outcome

One sandbox (sandbox.py: a fresh interpreter in a jail) for a solution, one fork of it for each test, so nothing that one test
leaves behind can reach the next. Only the input goes in; output comes back in files in memory whose size the kernel limits.
CPU time decides over time_limit; wall-clock time is a loose backstop for programs that sleep or wait.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .compare import first_difference, result_of, same_result
from .sandbox import __file__ as SANDBOX
from .verdict import excerpt

SCRATCH_MB = 64
"""A program may write this much to its scratch folder."""
PACKAGES = ("numpy", "numpy.libs")
"""What a program may import beside the standard library."""
MODES = ("root", "user", "none")
"""How the jail gets its namespaces: as root, through a user namespace, or not at all. The first that works is used."""
LAYERS = ("environment", "files", "network", "process_count", "processes", "rlimits")
"""All that can protect us; see sandbox.py."""
START_SECONDS = 120
"""A sandbox must be ready within this time, however loaded the machine is."""


@dataclass(frozen=True)
class Limits:
    """Limits of each test."""

    seconds: float = 4.0
    """CPU seconds."""
    memory_mb: int = 1024
    """Address space beyond that of an idle interpreter."""
    output_mb: int = 16
    """Size of standard output, of standard error, and of any file."""
    wall_seconds: float | None = None
    """Wall-clock backstop; default: 20 times `seconds` and 20 more, so that a loaded machine decides nothing."""

    @property
    def wall(self) -> float:
        """The backstop in seconds."""
        return 20 * self.seconds + 20 if self.wall_seconds is None else self.wall_seconds


@dataclass(frozen=True)
class Outcome:
    """`reason` is "" when every test passed, else wrong_answer, runtime_error, compile_error, time_limit, memory_limit
    or output_limit; `evidence` tells of the first test that failed."""

    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Every test ran and passed."""
        return not self.reason


class SandboxError(RuntimeError):
    """The sandbox itself failed; this says nothing of the program."""


@dataclass(frozen=True)
class Run:
    """What one run left behind."""

    exit: int
    """Exit code, or minus the signal that ended it."""
    cpu: float
    timed_out: bool
    stdout: bytes
    stderr: bytes
    """The last 4,000 bytes."""
    result: bytes
    full: bool
    """An output reached the limit of size."""


@functools.cache
def _packages() -> dict[str, str]:
    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.origin:
        return {}
    folder = Path(spec.origin).resolve().parents[1]
    return {name: str(folder / name) for name in PACKAGES if (folder / name).is_dir()}


def _interpreter() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _file(data: bytes = b"") -> int:
    handle = os.memfd_create("run")
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _content(handle: int, limit: int, last: bool = False) -> bytes:
    size = os.fstat(handle).st_size
    position, end, parts = max(0, size - limit) if last else 0, size if last else min(size, limit), []
    while position < end and (part := os.pread(handle, end - position, position)):
        parts.append(part)
        position += len(part)
    return b"".join(parts)


class Sandbox:
    """One jail for one solution.

    Args:
        mode: one of MODES; default: the best that works here.

    Raises:
        SandboxError: it cannot be built.
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode or best_mode()[0]
        # With a file system of its own the jail needs no folder on ours.
        self._folder = tempfile.TemporaryDirectory(prefix="thoughtline-") if self.mode == "none" else None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = {
            "mode": self.mode,
            "control": theirs.fileno(),
            "folders": [os.path.realpath(sys.base_prefix)],
            "packages": _packages(),
            "fallback": self._folder.name if self._folder else "",
            "scratch_mb": SCRATCH_MB,
            "environment": {"OPENBLAS_NUM_THREADS": "1"},
        }
        # -s -S -P: no site-packages, nothing importable from here; a fixed hash seed, since the order of a set must not decide.
        command = [_interpreter(), "-s", "-S", "-P", "-B", "-X", "utf8", SANDBOX, json.dumps(config)]
        with theirs, tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env={"PYTHONHASHSEED": "0"},
                cwd="/", pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
            theirs.close()
            try:
                found = self._receive(START_SECONDS)
            except SandboxError:
                self.close()
                errors.seek(0)
                raise SandboxError(f"no sandbox: {errors.read()[-2000:].decode(errors='replace')}") from None
        self.layers: list[str] = found["layers"]

    def _receive(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(1 << 16)
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer ({error})") from None
        if not message:
            raise SandboxError("the sandbox has ended")
        return json.loads(message)

    def run(self, request: dict[str, Any], stdin: bytes, limits: Limits) -> Run:
        """Run once.

        Args:
            request: {"kind": "compile"|"program"|"call", "program", "name"?, "arguments"?}.

        Raises:
            SandboxError: the sandbox does not answer any more.
        """
        how = {
            "seconds": limits.seconds, "wall_seconds": limits.wall, "memory_mb": limits.memory_mb,
            "output_mb": limits.output_mb,
        }  # fmt: skip
        with contextlib.ExitStack() as stack:
            handles = [_file(stdin), _file(), _file(), _file(), _file(json.dumps({**request, **how}).encode())]
            for handle in handles:
                stack.callback(os.close, handle)
            try:
                socket.send_fds(self._control, [b"run"], handles)
            except OSError as error:
                raise SandboxError(f"the sandbox has ended ({error})") from None
            report = self._receive(limits.wall + START_SECONDS)
            most = limits.output_mb << 20
            return Run(
                exit=os.waitstatus_to_exitcode(report["exit"]),
                cpu=report["cpu"],
                timed_out=report["timed_out"],
                stdout=_content(handles[1], most),
                stderr=_content(handles[2], 4000, last=True),
                result=_content(handles[3], most),
                full=any(os.fstat(handle).st_size >= most for handle in handles[1:4]),
            )

    def close(self) -> None:
        """End every process in it; nothing of it stays on disk."""
        self._control.close()  # the server sees the end and leaves; its process namespace dies with it
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._folder:
            self._folder.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def text_of(value: Any) -> str:
    """An input or output of a program as text; some sets give a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def last_words(stderr: bytes) -> str:
    """The last line of standard error, without addresses of memory (they change from run to run)."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return excerpt(re.sub(r"0x[0-9a-f]{6,}", "0x...", lines[-1])) if lines else ""


def failure_of(run: Run, limits: Limits) -> tuple[str, dict[str, Any]] | None:
    """(reason, evidence) when the run did not end well, else None."""
    if run.timed_out or run.cpu > limits.seconds or run.exit == -signal.SIGXCPU:
        return "time_limit", {"seconds": limits.seconds, **({"waited": limits.wall} if run.timed_out else {})}
    if run.full:
        return "output_limit", {"megabytes": limits.output_mb}
    if run.exit == 0:
        return None
    words = last_words(run.stderr)
    if re.match(r"(\w+\.)*_?(Array)?MemoryError\b", words):
        return "memory_limit", {"megabytes": limits.memory_mb, "error": words}
    return "runtime_error", {"exit": run.exit, "error": words}


def _once(jail: Sandbox, request: dict[str, Any], stdin: bytes, limits: Limits) -> Run:
    run = jail.run(request, stdin, limits)
    if run.exit == -signal.SIGKILL and not run.timed_out and run.cpu <= limits.seconds:
        # Nobody in there was told to kill it: it did so itself, or the machine ran out of memory. Asked twice, we know.
        run = jail.run(request, stdin, limits)
    return run


def _program_test(jail: Sandbox, program: str, given: Any, expected: Any, limits: Limits) -> tuple[str, dict[str, Any]]:
    stdin = text_of(given)
    run = _once(jail, {"kind": "program", "program": program}, stdin.encode("utf-8", "surrogatepass"), limits)
    shown = {"input": excerpt(stdin, 200)}
    if failure := failure_of(run, limits):
        return failure[0], {**shown, **failure[1]}
    wanted = text_of(expected).encode("utf-8", "surrogatepass")
    line = first_difference(run.stdout, wanted)
    if line is None:
        return "", {}

    def shown_line(output: bytes) -> str | None:
        lines = output.split(b"\n")
        return excerpt(lines[line].decode("utf-8", "replace"), 200) if line < len(lines) else None

    return "wrong_answer", {**shown, "line": line + 1, "expected": shown_line(wanted), "got": shown_line(run.stdout)}


def _call_test(
    jail: Sandbox, program: str, name: str, given: Any, expected: Any, limits: Limits
) -> tuple[str, dict[str, Any]]:
    arguments = given if isinstance(given, list) else [given]
    request = {"kind": "call", "program": program, "name": name, "arguments": arguments}
    run = _once(jail, request, b"", limits)
    shown = {"input": excerpt(json.dumps(arguments, ensure_ascii=False), 200)}
    if failure := failure_of(run, limits):
        return failure[0], {**shown, **failure[1]}
    if not run.result:
        return "runtime_error", {**shown, "exit": run.exit, "error": "the call did not return"}
    text = run.result.decode("utf-8", "replace")
    shown |= {"expected": excerpt(json.dumps(expected, ensure_ascii=False), 200), "got": excerpt(text, 200)}
    try:
        same = same_result(result_of(text), expected)
    except (ValueError, RecursionError):
        same = False
    return ("", {}) if same else ("wrong_answer", shown)


def _run_in(jail: Sandbox, program: str, tests: dict[str, Any], limits: Limits) -> Outcome:
    compiled = _once(jail, {"kind": "compile", "program": program}, b"", limits)
    if failure := failure_of(compiled, limits):
        kind = "time_limit" if failure[0] == "time_limit" else "compile_error"
        return Outcome(kind, {"error": failure[1].get("error", "compiling took too long")})
    name = tests.get("fn_name")
    for number, (given, expected) in enumerate(zip(tests["inputs"], tests["outputs"], strict=True)):
        if name:
            reason, evidence = _call_test(jail, program, name, given, expected, limits)
        else:
            reason, evidence = _program_test(jail, program, given, expected, limits)
        if reason:
            return Outcome(reason, {"test": number, "tests": len(tests["inputs"]), **evidence})
    return Outcome("", {"tests": len(tests["inputs"])})


def run_tests(program: str, tests: dict[str, Any], limits: Limits) -> Outcome:
    """Run `program` on every test, until one fails.

    Args:
        program: Python source, untrusted.
        tests: {"inputs", "outputs"} of equal length, at least one; "fn_name" makes each input the list of arguments of a
            call of this function (or method of `class Solution`), without it an input is the text of standard input.

    Raises:
        SandboxError: the sandbox failed; nothing is known of the program.
    """
    with Sandbox() as jail:
        try:
            return _run_in(jail, program, tests, limits)
        except SandboxError:
            if "processes" in jail.layers:
                raise
            # Without a process namespace the program can end its server: no right program does.
            return Outcome("runtime_error", {"error": "the program ended its own sandbox"})


@functools.cache
def best_mode() -> tuple[str, dict[str, str]]:
    """The first of MODES in which an honest program runs here, and why each better one does not.

    Raises:
        SandboxError: it runs in none.
    """
    refused: dict[str, str] = {}
    tests = {"inputs": ["3\n"], "outputs": ["6\n"]}
    for mode in MODES:
        try:
            with Sandbox(mode) as jail:
                outcome = _run_in(jail, "import collections, heapq, re\nprint(2 * int(input()))\n", tests, Limits())
        except SandboxError as error:
            refused[mode] = str(error).strip().splitlines()[-1]
            continue
        if outcome.passed:
            return mode, refused
        refused[mode] = f"a known-good program fails ({outcome.reason}: {outcome.evidence.get('error')})"
    raise SandboxError(f"no sandbox works here: {refused}")


def probe() -> dict[str, Any]:
    """{"mode", "layers": what protects this machine, "missing": what of LAYERS does not, "refused": {better mode: why}}.

    Raises:
        SandboxError: no program can be run at all.
    """
    mode, refused = best_mode()
    with Sandbox(mode) as jail:
        missing = [layer for layer in LAYERS if layer not in jail.layers]
        return {"mode": mode, "layers": jail.layers, "missing": missing, "refused": refused}
