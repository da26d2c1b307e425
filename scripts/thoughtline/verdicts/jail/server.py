"""The fork server: shuts itself in, says what protects it, then forks a child for each request.

Protocol (a Unix SOCK_SEQPACKET socket). The server sends {"layers": [...], "refused": {layer: why}} as JSON. A request is a
message REQUEST (CPU seconds, wall-clock seconds, MB of memory, MB of output, bytes of the request's header and of all of it,
whether to end it if it sleeps for ever) with the descriptors [stdin, stdout, stderr, result, request, line]; the request's file,
which only the child reads, holds a header (marshal's format; see program.Stream, asserts.serve, grader.grade; "form" says which)
and then the inputs. `line` is the child's own socket. The answer is a REPORT (wait status, CPU seconds, whether it timed out), sent
when nothing that the child has started is alive any more and its folder is empty.
"""

from __future__ import annotations

import _signal
import _sitebuiltins
import builtins
import contextlib
import gc
import importlib
import json
import marshal
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from types import ModuleType
from typing import NamedTuple

from . import asserts, landlock, limits, namespaces, program, seccomp
from .kernel import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, process_control

FIRST_UID = 2_000_000_000
"""As root each jail takes the uid FIRST_UID + its process id: nobody else's, so a limit of processes is its own."""
PAUSE_PART = 4
"""A child that has used this part of its CPU time lets a fresh one go on with the next test."""
IDLE_STEP, IDLE_STEPS = 1.0, 10
"""A child that sleeps and uses no CPU time at all for IDLE_STEPS looks in a row, IDLE_STEP seconds apart, is waiting for nothing."""
REQUEST, DESCRIPTORS, REPORT = struct.Struct("<ddIIQQ?"), struct.Struct("6i"), struct.Struct("<id?")
"""Messages. JSON would make every fork dearer, by the memory that it touches: the first touch of a page costs a fork 3 µs."""
SHORTEST = 0.01
"""Seconds between looks at a child that has almost used up its CPU time."""
DEEPEST = 100_000
"""Levels of folders that are emptied; a scratch folder in memory holds fewer files."""
COMMON = (
    "array", "bisect", "collections", "collections.abc", "copy", "enum", "functools", "heapq", "io", "itertools", "math",
    "operator", "queue", "random", "re", "string", "struct", "time", "typing",
)  # fmt: skip
"""What programs import most: loaded once, before the first program. Each module here makes every fork dearer."""


class Limit(NamedTuple):
    """A request's limits."""

    seconds: float
    wall: float
    memory_mb: int
    output_mb: int
    header_bytes: int
    request_bytes: int
    watch_idle: bool


class Jail:
    """What `shut_in` has built.

    Attributes:
        scratch: the folder that a run may write to.
        packages: the folder of importable packages.
        all_ours: every other process that this one may signal is the jail's own.
        children: where that is not so, the kernel's list of this process' children (opened before Landlock hides it).
        filter: the filter of system calls that children take on.
        layers: what protects.
        refused: what does not, and why.
    """

    def __init__(self, mode: str, own_uid: bool, fallback: str) -> None:
        self.layers, self.refused = ["rlimits"], {}
        self.filter: seccomp.Filter | None = None
        self.children: int | None = None
        if mode == "none":
            self.scratch, self.packages = f"{fallback}/scratch", f"{fallback}/packages"
        else:
            self.scratch, self.packages = "/scratch", "/packages"
            self.layers.append("namespaces")
        self.all_ours = own_uid or mode == "user"
        release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
        # Before Linux 5.14 RLIMIT_NPROC counts all processes of the user, in whatever namespace; root's are never limited.
        self.count_processes = own_uid or (mode == "user" and os.geteuid() != 0 and release >= (5, 14))
        if self.count_processes:
            self.layers.append("process_count")

    def add(self, layer: str, put_up: object, without: list[str]) -> None:
        """Put up a layer that a kernel may refuse."""
        if layer in without:
            self.refused[layer] = "switched off"
            return
        try:
            put_up()  # type: ignore[operator]
        except OSError as error:
            self.refused[layer] = str(error)
        else:
            self.layers.append(layer)


def shut_in(config: dict) -> Jail:
    """Build the jail around this process; on return it is the server, alone in it."""
    mode, uid = config["mode"], FIRST_UID + os.getpid()
    own_uid = mode == "root" or (
        mode == "none" and os.geteuid() == 0 and namespaces.in_first_user_namespace() and namespaces.may_change_uid()
    )
    jail = Jail(mode, own_uid, config["fallback"])
    if mode == "none":
        _open_ground(config, jail, uid if own_uid else None)
    else:
        namespaces.separate(mode)
        child = os.fork()  # the first process of the new process namespace: when it ends, all in there end
        if child:
            os.close(config["control"])
            _, status = os.waitpid(child, 0)
            os._exit(0 if status == 0 else 1)
        namespaces.enclose(config["folders"], config["packages"], config["scratch_mb"])
    if own_uid:
        namespaces.drop_privileges(uid)
    elif mode == "user":
        namespaces.drop_capabilities()
    process_control(PR_SET_NO_NEW_PRIVS, 1)
    if mode != "none":  # (there its parent is a thread of the verifier, which may end before the verifier does)
        process_control(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    return jail


def _open_ground(config: dict, jail: Jail, uid: int | None) -> None:
    """Without namespaces: a folder to work in, and this process as the one that inherits orphans."""
    process_control(PR_SET_CHILD_SUBREAPER, 1)
    os.mkdir(jail.scratch)
    os.mkdir(jail.packages)
    for name, path in config["packages"].items():
        os.symlink(path, f"{jail.packages}/{name}")
    if uid is not None:
        os.chmod(config["fallback"], 0o755)
        os.chown(jail.scratch, uid, uid)


def readable_folders(config: dict, jail: Jail) -> list[str]:
    """What Landlock lets programs read."""
    if config["mode"] != "none":
        return ["/"]
    devices = [f"/dev/{name}" for name in namespaces.DEVICES]
    return [*config["folders"], *config["packages"].values(), jail.packages, *namespaces.SYSTEM, *devices]


def kill_others(jail: Jail) -> None:
    """End every process that a run has left, and reap it."""
    while True:
        if jail.all_ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        elif jail.children is not None:
            for child in os.pread(jail.children, 1 << 20, 0).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def empty(folder: str) -> None:
    """Delete what a run has written, however deep and with whatever permissions: folders are brought to the top first."""
    number = 0
    for _ in range(DEEPEST):
        entries = list(os.scandir(folder))
        if not entries:
            return
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if not inner.is_dir(follow_symlinks=False):
                    os.unlink(inner.path)
                    continue
                os.chmod(inner.path, 0o700)
                while os.path.lexists(f"{folder}/{number}"):
                    number += 1
                os.rename(inner.path, f"{folder}/{number}")
            os.rmdir(entry.path)


def cpu_time(process: int) -> float:
    """Seconds of CPU time of all threads of a process so far (its CPU clock, see clock_getcpuclockid(3))."""
    return time.clock_gettime((~process << 3) | 2)


def sleeps(process: int) -> bool:
    """Whether every thread of a process waits for an event (not for a core, nor for a disk)."""
    try:
        threads = os.listdir(f"/proc/{process}/task")
        states = []
        for thread in threads:
            with open(f"/proc/{process}/task/{thread}/stat", encoding="utf-8", errors="replace") as stream:
                states.append(stream.read())
    except OSError:
        return False
    return all(state.rpartition(")")[2].split()[0] in "ST" for state in states)


def wait(child: int, limit: Limit, control: socket.socket, wake: int, watch_idle: bool) -> bool:
    """Wait until `child` has ended, and end it if its CPU time is used up (True); False when the wall-clock limit has passed, it
    sleeps for ever, or nobody wants it any more.

    Only the end of the process is waited for, never the end of a file that another process may hold open. The kernel's own
    limit of CPU time counts whole seconds and is for the case that this server dies.
    """
    end = time.monotonic() + limit.wall
    idle, before, used, looked = 0, -1.0, 0.0, time.monotonic()
    while True:
        state = os.waitid(os.P_PID, child, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        if state is not None:
            return state.si_code not in (os.CLD_STOPPED, os.CLD_TRAPPED)
        left = end - time.monotonic()
        pause = min(left, IDLE_STEP, max(limit.seconds - used, SHORTEST))
        ready, _, _ = select.select([wake, control], [], [], max(0.0, pause))
        if control in ready or left <= 0:
            return False
        if wake in ready:
            os.read(wake, 4096)
            continue
        with contextlib.suppress(OSError):  # it has just ended
            used = cpu_time(child)
        if used > limit.seconds:
            return True
        if watch_idle and time.monotonic() - looked >= IDLE_STEP:
            looked = time.monotonic()
            idle = idle + 1 if used == before and sleeps(child) else 0
            before = used
            if idle >= IDLE_STEPS:
                return False


class Job:
    """In a forked child: what it was given."""

    def __init__(self, request: dict, inputs: memoryview, line: int, result: int) -> None:
        self.request, self.inputs, self.line, self.result = request, inputs, line, result


def become(limit: Limit, descriptors: list[int], others: tuple[int, ...], jail: Jail, baseline: int) -> Job:
    """In the forked child: take the run's descriptors and limits."""
    signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # (signal's own function wraps this in enumerations)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    result, request, line = descriptors[3:]
    for descriptor in (*descriptors[:3], *others):
        os.close(descriptor)
    os.setsid()
    text = memoryview(os.pread(request, limit.request_bytes, 0))
    os.close(request)
    header, inputs = marshal.loads(text[: limit.header_bytes]), text[limit.header_bytes :]
    header["pause_after"] = limit.seconds / PAUSE_PART
    header["file_bytes"] = limit.output_mb << 20
    limits.set_for_run(limit.seconds, baseline + len(inputs) + (limit.memory_mb << 20), limit.output_mb << 20)
    process_control(PR_SET_DUMPABLE, 1)
    if jail.filter:
        jail.filter.set_process(os.getpid())
        jail.filter.take_on()
    return Job(header, inputs, line, result)


def loop(control: socket.socket, jail: Jail, baseline: int) -> Job | None:
    """Serve requests; returns a Job in each forked child, None in the server at the end.

    Args:
        baseline: bytes of address space that a run has before it begins.
    """
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    ours = os.stat(jail.scratch).st_uid == os.geteuid()  # else no program may change it either
    watch_idle = os.path.exists("/proc/self/stat") and os.access("/proc/self/stat", os.R_OK)
    while True:
        message, extra, _, _ = control.recvmsg(REQUEST.size, socket.CMSG_LEN(DESCRIPTORS.size))
        if not message:
            return None
        limit, descriptors = Limit(*REQUEST.unpack(message)), list(DESCRIPTORS.unpack(extra[0][2]))
        child = os.fork()
        if child == 0:
            return become(limit, descriptors, (control.fileno(), wake, waker), jail, baseline)
        for descriptor in descriptors:
            os.close(descriptor)
        ended = wait(child, limit, control, wake, watch_idle and limit.watch_idle)
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        if not jail.filter:  # with it there is nothing but the child: it could not fork
            kill_others(jail)
        if ours:
            os.chmod(jail.scratch, 0o777)
        if os.listdir(jail.scratch):
            empty(jail.scratch)
        try:
            control.send(REPORT.pack(status, usage.ru_utime + usage.ru_stime, not ended))
        except OSError:
            return None


def do(job: Job, scratch: str, grader: ModuleType | None) -> int:
    """In the child: what the request asks for; returns the exit status.

    Args:
        grader: the module grader, in a jail for graders.
    """
    form = job.request["form"]
    if form == "serve":
        return asserts.serve(job.request, socket.socket(fileno=job.line))
    if form == "grade":
        return grader.grade(job.request, socket.socket(fileno=job.line), job.result, job.request["file_bytes"])
    return program.Stream(job.request, job.inputs, job.line, job.result, scratch).run()


def main() -> None:
    """Start: one argument, the configuration as JSON."""
    config = json.loads(sys.argv[1])
    for name in COMMON:
        importlib.import_module(name)
    grader = importlib.import_module(f"{__package__}.grader") if config["grader"] else None
    random.seed(program.SEED)
    for name in ("exit", "quit"):  # as a full interpreter has them
        setattr(builtins, name, _sitebuiltins.Quitter(name, "the end of the input"))
    jail = shut_in(config)
    sys.path[:] = [path for path in sys.path if path != config["root"]] + [jail.packages]
    for name in [name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0]]:
        del sys.modules[name]  # a program has no more packages than it is promised
    os.chdir(jail.scratch)
    os.environ.clear()
    os.environ.update(config["environment"])
    for name in config["preload"]:
        with contextlib.suppress(ImportError):  # say, a uid of one's own may not read it: then no program can
            importlib.import_module(name)
    os.environ.clear()  # what the packages needed to be loaded well
    limits.set_for_good(jail.count_processes)
    process_control(PR_SET_DUMPABLE, 0)
    control = socket.socket(fileno=config["control"])
    with open("/proc/self/statm", encoding="ascii") as stream:
        baseline = int(stream.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    if not jail.all_ours:
        with contextlib.suppress(OSError):
            jail.children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    jail.add(
        "landlock",
        lambda: landlock.restrict(readable_folders(config, jail), [jail.scratch, "/dev/null"]),
        config["without"],
    )
    jail.add("seccomp", seccomp.Filter(seccomp.server_filter()).take_on, config["without"])
    if "seccomp" in jail.layers:
        jail.filter = seccomp.Filter(seccomp.child_filter(config["mode"] == "none" and not jail.all_ours))
    program.make_streams()
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"layers": sorted(jail.layers), "refused": jail.refused}).encode())
    job = loop(control, jail, baseline)
    if job is None:
        kill_others(jail)
        os._exit(0)
    control.detach()
    try:
        status = do(job, jail.scratch, grader)
    except BaseException as error:  # compiling failed, or the program has broken what runs it
        status = program.exit_status(error)
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
