"""The outside of a jail: start its server, hand it requests, collect what a run leaves behind, end it.

What protects, and by what (a protection is there if one of its layers is):

| protection | meaning | layers |
|---|---|---|
| environment | an empty environment | always |
| files | only the interpreter, system libraries and an empty scratch folder | namespaces, landlock |
| limits | CPU time, memory, size of files, open files | rlimits |
| network | no socket to anywhere | namespaces, seccomp |
| process_count | no fork bomb | seccomp, process_count (RLIMIT_NPROC on a uid of one's own) |
| processes | no other process to see or signal | namespaces, seccomp with landlock |

All layers that the kernel allows are put up together. `unshielded` says which protections none of them gives here.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cgroups import Group

if TYPE_CHECKING:  # never loaded here, but what runs in there counts among what decides a verdict
    from .jail import grader, start  # noqa: F401

SCRATCH_MB = 64
"""A program may write this much to its scratch folder."""
PACKAGES = ("numpy", "sortedcontainers")
"""What a program may import beside the standard library."""
MODES = ("root", "user", "none")
"""How the jail gets its namespaces: as root, through a user namespace, or not at all. The first that works is used."""
LAYERS = ("cgroup", "landlock", "namespaces", "process_count", "rlimits", "seccomp")
PROTECTIONS: dict[str, tuple[frozenset[str], ...]] = {
    "environment": (frozenset(),),
    "files": (frozenset({"namespaces"}), frozenset({"landlock"})),
    "limits": (frozenset({"rlimits"}),),
    "network": (frozenset({"namespaces"}), frozenset({"seccomp"})),
    "process_count": (frozenset({"seccomp"}), frozenset({"process_count"})),
    "processes": (frozenset({"namespaces"}), frozenset({"seccomp", "landlock"})),
}
"""Protection -> sets of layers, any one of which gives it."""
START_SECONDS = 120
"""A jail must be ready within this time, however loaded the machine is."""
REQUEST, REPORT = struct.Struct("<ddIIQQ?"), struct.Struct("<id?")
"""As in jail/server.py, which cannot be loaded here (see jail/start.py)."""
START = "thoughtline.verdicts.jail.start"
_START = "import sys; sys.path.insert(0, {root!r}); from {start} import main; main()"


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

    @property
    def output(self) -> int:
        """`output_mb` in bytes."""
        return self.output_mb << 20


class SandboxError(RuntimeError):
    """The sandbox itself failed; this says nothing of the program."""


class Unprotected(SandboxError):
    """This machine does not give all the protections that are asked for."""

    def __init__(self, missing: list[str], refused: dict[str, str]) -> None:
        self.missing = missing
        why = "; ".join(f"{layer}: {reason}" for layer, reason in sorted(refused.items()))
        super().__init__(f"programs would run without protection of {', '.join(missing)} ({why})")


def unshielded(layers: list[str]) -> list[str]:
    """The protections that none of `layers` gives."""
    here = set(layers)
    return [name for name, ways in PROTECTIONS.items() if not any(way <= here for way in ways)]


@functools.cache
def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            folder = Path(spec.origin).resolve().parent
            found[name] = str(folder)
            if (libraries := folder.with_name(f"{name}.libs")).is_dir():  # shared libraries that a wheel brings
                found[libraries.name] = str(libraries)
    return found


def _interpreter() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def memory_file(data: bytes = b"") -> int:
    """Descriptor of a new file in memory that holds `data`, at its start."""
    handle = os.memfd_create("run", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    if data:
        os.lseek(handle, 0, os.SEEK_SET)
    return handle


def content(handle: int, begin: int, end: int) -> bytes:
    """The bytes from `begin` to `end`, or to the end of the file."""
    parts = []
    while begin < end and (part := os.pread(handle, end - begin, begin)):
        parts.append(part)
        begin += len(part)
    return b"".join(parts)


class Run:
    """One child at work, and what it leaves behind; closes its descriptors at the end of a `with`.

    Attributes:
        line: our end of the child's socket.
        exit: exit code, or minus the signal that ended it.
        cpu: CPU seconds of the child and all that it started.
        timed_out: the wall-clock limit passed, or it slept for ever.
    """

    def __init__(self, jail: Sandbox, request: dict[str, Any], inputs: bytes, stdin: bytes, limits: Limits,
                 line: tuple[socket.socket, socket.socket] | None = None) -> None:  # fmt: skip
        self._jail, self._limits, self._stack = jail, limits, contextlib.ExitStack()
        self.exit, self.cpu, self.timed_out, self._reported, self._hung_up = 0, 0.0, False, False, False
        self.line, theirs = line or socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.callback(self.line.close)
        self._stack.callback(theirs.close)
        header = marshal.dumps(request)
        handles = []
        for data in (stdin, b"", b"", b"", header + inputs):
            handles.append(memory_file(data))
            self._stack.callback(os.close, handles[-1])
        self._handles = handles
        may_sleep = request["form"] == "grade"  # for as long as the program works
        sizes = len(header), len(header) + len(inputs)
        message = REQUEST.pack(limits.seconds, limits.wall, limits.memory_mb, limits.output_mb, *sizes, not may_sleep)
        try:
            jail.send(message, [*handles, theirs.fileno()])
        except SandboxError:
            self._stack.close()
            raise
        theirs.close()

    def hear(self) -> bytes | None:
        """The child's next message; None once it has ended and `exit`, `cpu` and `timed_out` are known.

        Raises:
            SandboxError: the server does not answer any more.
        """
        # Whether the child has hung up says nothing (its descriptors may live on in what it started): the server says when it is over.
        if not self._reported and not self._hung_up:
            poll = select.poll()
            poll.register(self.line, select.POLLIN)
            poll.register(self._jail.control, select.POLLIN)
            if not poll.poll(1000 * (self._limits.wall + START_SECONDS)):
                raise SandboxError("the sandbox does not answer")
            if message := self._message():
                return message
        if not self._reported:
            self._report(self._jail.receive(self._limits.wall + START_SECONDS))
        return None if self._hung_up else self._message()

    def hang_up(self) -> None:
        """Say nothing more to the child, and hear nothing more; a child that waits for a word ends."""
        if not self._hung_up:
            self._hung_up = True
            self.line.close()

    def _message(self) -> bytes | None:
        try:
            return self.line.recv(1 << 17, socket.MSG_DONTWAIT) or None
        except OSError:
            return None

    def _report(self, report: bytes) -> None:
        status, self.cpu, self.timed_out = REPORT.unpack(report)
        self.exit, self._reported = os.waitstatus_to_exitcode(status), True

    def wait(self) -> None:
        """Until it has ended; messages are dropped."""
        while self.hear() is not None:
            pass

    @property
    def full(self) -> bool:
        """An output reached the limit of size."""
        return any(os.fstat(handle).st_size >= self._limits.output for handle in self._handles[1:4])

    def output(self, begin: int = 0, end: int | None = None) -> bytes:
        """Standard output from `begin` to `end`."""
        return content(self._handles[1], begin, self._within(end))

    def _within(self, end: int | None) -> int:
        return self._limits.output if end is None else min(end, self._limits.output)

    def errors(self) -> bytes:
        """The last 4,000 bytes of standard error."""
        size = os.fstat(self._handles[2]).st_size
        return content(self._handles[2], max(0, size - 4000), size)

    def results(self, begin: int = 0, end: int | None = None) -> bytes:
        """What calls returned, from `begin` to `end`."""
        return content(self._handles[3], begin, self._within(end))

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Sandbox:
    """One jail with a warm interpreter; it runs one request at a time.

    Args:
        mode: one of MODES; default: the best that works here.
        preload: modules to import before the first program.
        without: layers to leave out (to try what is left).
        grader: it is for graders of assert-style tests.

    Attributes:
        layers: the layers that the kernel has put up.
        refused: those that it has not, and why.

    Raises:
        SandboxError: it cannot be built.
    """

    def __init__(
        self,
        mode: str | None = None,
        preload: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        grader: bool = False,
    ) -> None:
        self.mode = mode or best_mode()[0]
        # With a file system of its own the jail needs no folder on ours.
        self._folder = tempfile.TemporaryDirectory(prefix="thoughtline-") if self.mode == "none" else None
        self._group = None if "cgroup" in without else Group.make()
        self._kills = 0
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = str(Path(__file__).resolve().parents[2])
        config = {
            "root": root,
            "mode": self.mode,
            "control": theirs.fileno(),
            "folders": [os.path.realpath(sys.base_prefix)],
            "packages": _packages(),
            "fallback": self._folder.name if self._folder else "",
            "scratch_mb": SCRATCH_MB,
            "environment": {"OPENBLAS_NUM_THREADS": "1"},
            "grader": grader,
            "preload": [name for name in preload if name in _packages() or name in sys.stdlib_module_names],
            "without": list(without),
        }
        # -s -S -P: no site-packages, nothing importable from here; a fixed hash seed, since the order of a set must not decide.
        # One arena: each more takes 64 MB of the address space, and how many there are depends on the machine's cores.
        start = _START.format(root=root, start=START)
        command = [_interpreter(), "-s", "-S", "-P", "-B", "-X", "utf8", "-c", start, json.dumps(config)]
        with theirs, tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                env={"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1"}, cwd="/", pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
            theirs.close()
            if self._group:
                self._group.add(self._process.pid)
            try:
                found = json.loads(self.receive(START_SECONDS))
            except SandboxError:
                self.close()
                errors.seek(0)
                raise SandboxError(f"no sandbox: {errors.read()[-2000:].decode(errors='replace')}") from None
        self.layers = sorted([*found["layers"], *(["cgroup"] if self._group else [])])
        self.refused: dict[str, str] = found["refused"]

    def send(self, message: bytes, handles: list[int]) -> None:
        """Send a message with descriptors.

        Raises:
            SandboxError: the server has ended.
        """
        try:
            socket.send_fds(self.control, [message], handles)
        except OSError as error:
            raise SandboxError(f"the sandbox has ended ({error})") from None

    def receive(self, seconds: float) -> bytes:
        """The server's next message.

        Raises:
            SandboxError: it has ended, or says nothing for this long.
        """
        self.control.settimeout(seconds)
        try:
            message = self.control.recv(1 << 16)
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer ({error})") from None
        if not message:
            raise SandboxError("the sandbox has ended")
        return message

    def run(self, request: dict[str, Any], inputs: bytes, stdin: bytes, limits: Limits, **more: Any) -> Run:
        """Start a child; see Run, and jail/server.py for `request`."""
        if self._group:
            self._group.limit_memory((limits.memory_mb + 3 * limits.output_mb + SCRATCH_MB) << 20)
            self._kills = self._group.kills()
        return Run(self, request, inputs, stdin, limits, **more)

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of the jail's group for its memory since the last run began."""
        return self._group is not None and self._group.kills() > self._kills

    def close(self) -> None:
        """End every process in it; nothing of it stays on disk."""
        self.control.close()  # the server sees the end and leaves; its process namespace dies with it
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._folder:
            self._folder.cleanup()
        if self._group:
            self._group.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@functools.cache
def best_mode() -> tuple[str, dict[str, str]]:
    """The first of MODES in which a jail can be built here and runs a program, and why each better one does not.

    Raises:
        SandboxError: none.
    """
    refused: dict[str, str] = {}
    for mode in MODES:
        try:
            with Sandbox(mode) as jail:
                request = {
                    "form": "program",
                    "program": "import decimal\nprint(2 * int(input()))\n",  # a module that is not loaded yet
                    "prelude": "",
                    "count": 1,
                    "sizes": [2],
                }
                with jail.run(request, b"3\n", b"3\n", Limits()) as run:
                    run.wait()
                    if (run.exit, run.output()) == (0, b"6\n"):
                        return mode, refused
                    refused[mode] = f"a known-good program fails: {run.errors().decode(errors='replace')[-300:]}"
        except SandboxError as error:
            refused[mode] = str(error).strip().splitlines()[-1]
    raise SandboxError(f"no sandbox works here: {refused}")


def probe() -> dict[str, Any]:
    """{"mode", "layers", "refused": {mode or layer: why it is not there}, "missing": the protections that nothing gives}.

    Raises:
        SandboxError: no program can be run at all.
    """
    mode, refused = best_mode()
    with Sandbox(mode) as jail:
        return {
            "mode": mode, "layers": jail.layers, "refused": {**refused, **jail.refused}, "missing": unshielded(jail.layers),
        }  # fmt: skip
