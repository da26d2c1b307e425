"""What runs untrusted programs: a small server in a jail of its own, started as a script by executor.py.

It runs alone (no import of this package; of other packages only numpy can be imported): it shuts itself in, says what
protects it, then forks once for each run that it is told of over its socket. It never sees an expected output, so
whatever a program does to it cannot make a wrong answer right.

Layers; the configuration's "mode" is root, user or none, and a mode that the kernel does not allow ends the server:
- namespaces (as root directly, as an ordinary user through a user namespace, or none): no network, no other process to see or
  signal, and a file system that holds the interpreter and system libraries read-only, /dev/null and its like, and an
  empty scratch folder in memory that vanishes with it;
- a uid that nobody else has (as root), no capabilities, no new privileges;
- rlimits of each run: CPU time, address space, size of a file, processes, open files, no core dumps;
- an empty environment; after each run every process that it left is killed and the scratch folder is emptied.

Protocol (a Unix SOCK_SEQPACKET socket, JSON): the server sends {"layers": [...]}. Each
request is a message with the descriptors [stdin, stdout, stderr, result, request]; the request's file holds {"kind":
"compile"|"program"|"call", "program", "name"?, "arguments"?, "seconds", "wall_seconds", "memory_mb", "output_mb"}. The
answer is {"exit": wait status, "cpu": seconds, "timed_out": bool}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MS_OF_STATVFS = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs flags that a remount of a bind must repeat (read-only, nosuid, nodev, noexec, *atime) -> mount flags."""
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("null", "zero", "full", "random", "urandom")
STACK = 128 << 20
"""Bytes of main-thread stack: deep recursion through C needs more than the usual 8 MB."""
FIRST_UID = 2_000_000_000
"""As root each jail takes the uid FIRST_UID + its process id: nobody else's, so a limit of processes is its own."""
OPEN_FILES, PROCESSES = 256, 128

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _call(
        "mount",
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )


def in_first_user_namespace() -> bool:
    """Whether uids here are the machine's own."""
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        return stream.read().split() == ["0", "0", "4294967295"]


def separate(mode: str) -> None:
    """Leave the machine's namespaces: as root directly, or through a user namespace ("user").

    Raises:
        OSError: the kernel does not allow it.
    """
    spaces = NEW_NS | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET
    uid, gid = os.geteuid(), os.getegid()
    if mode == "root":
        if uid != 0 or not in_first_user_namespace():
            raise PermissionError("not the machine's root")
        _call("unshare", spaces)
    else:
        _call("unshare", spaces | NEW_USER)
        for file, line in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
            with open(f"/proc/self/{file}", "w", encoding="ascii") as stream:
                stream.write(line)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "wb").close()
    _mount(source, target, None, MS_BIND | MS_REC)
    found = os.statvfs(target).f_flag
    keep = sum(flag for seen, flag in MS_OF_STATVFS.items() if found & seen)
    device = source.startswith("/old/dev/")
    _mount(source, target, None, MS_BIND | MS_REMOUNT | keep | MS_NOSUID | (0 if device else MS_RDONLY | MS_NODEV))


def enclose(folders: list[str], packages: dict[str, str], scratch_mb: int) -> None:
    """Replace the file system: only `folders`, `packages` (in /packages) and system libraries, read-only; devices; /scratch."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    os.mkdir("/tmp/old")
    _call("pivot_root", b"/tmp", b"/tmp/old")
    os.chdir("/")
    for path in folders:
        if not os.path.lexists(path):
            _bind(f"/old{path}", path)
    for path in SYSTEM:
        if os.path.lexists(path):
            continue
        if os.path.islink(f"/old{path}"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(os.readlink(f"/old{path}"), path)
        elif os.path.exists(f"/old{path}"):
            _bind(f"/old{path}", path)
    for name, path in packages.items():
        _bind(f"/old{path}", f"/packages/{name}")
    os.makedirs("/dev", exist_ok=True)
    for name in DEVICES:
        _bind(f"/old/dev/{name}", f"/dev/{name}")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")
    os.mkdir("/proc")
    with contextlib.suppress(OSError):  # a container may hide parts of /proc: then there is none
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    os.mkdir("/scratch")
    _mount("tmpfs", "/scratch", "tmpfs", MS_NOSUID | MS_NODEV, f"mode=777,size={scratch_mb}m,nr_inodes=4096")
    if not os.path.lexists("/tmp"):
        os.symlink("/scratch", "/tmp")
    _call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")
    _mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def drop_privileges(uid: int) -> None:
    """Become `uid`, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


class Jail:
    """What `shut_in` has built.

    Attributes:
        scratch: the folder that a run may write to.
        packages: the folder of importable packages.
        all_ours: every other process that this one may signal is the jail's own.
        count_processes: RLIMIT_NPROC counts the jail's own processes only, so it may be set.
        layers: what protects.
    """

    def __init__(self, mode: str, own_uid: bool, fallback: str) -> None:
        self.layers = ["environment", "rlimits"]
        if mode == "none":
            self.scratch, self.packages = f"{fallback}/scratch", f"{fallback}/packages"
        else:
            self.scratch, self.packages = "/scratch", "/packages"
            self.layers += ["files", "network", "processes"]
        self.all_ours = own_uid or mode == "user"
        release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
        # Before Linux 5.14 RLIMIT_NPROC counts all processes of the user, in whatever namespace; root's are never limited.
        self.count_processes = own_uid or (mode == "user" and os.geteuid() != 0 and release >= (5, 14))
        if self.count_processes:
            self.layers.append("process_count")


def shut_in(config: dict) -> Jail:
    """Build the jail around this process; on return it is the server, alone in it."""
    mode, uid = config["mode"], FIRST_UID + os.getpid()
    own_uid = mode == "root" or (mode == "none" and os.geteuid() == 0 and in_first_user_namespace())
    jail = Jail(mode, own_uid, config["fallback"])
    if mode == "none":
        _open_ground(config, jail, uid if own_uid else None)
    else:
        separate(mode)
        child = os.fork()  # the first process of the new process namespace: when it ends, all in there end
        if child:
            os.close(config["control"])
            _, status = os.waitpid(child, 0)
            os._exit(0 if status == 0 else 1)
        enclose(config["folders"], config["packages"], config["scratch_mb"])
    if own_uid:
        drop_privileges(uid)
    elif mode == "user":
        _drop_capabilities()
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return jail


def _open_ground(config: dict, jail: Jail, uid: int | None) -> None:
    """Without namespaces: a folder to work in, and this process as the one that inherits orphans."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.mkdir(jail.scratch)
    os.mkdir(jail.packages)
    for name, path in config["packages"].items():
        os.symlink(path, f"{jail.packages}/{name}")
    if uid is not None:
        os.chmod(config["fallback"], 0o755)
        os.chown(jail.scratch, uid, uid)


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def _lower(what: int, soft: int, hard: int | None = None) -> None:
    limit = resource.getrlimit(what)[1]
    if limit != resource.RLIM_INFINITY:
        soft, hard = min(soft, limit), min(soft if hard is None else hard, limit)
    resource.setrlimit(what, (soft, soft if hard is None else hard))


def limit(request: dict) -> None:
    """The rlimits of one run (in the child)."""
    cpu = int(-(-request["seconds"] // 1))
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)
    _lower(resource.RLIMIT_AS, request["baseline"] + (request["memory_mb"] << 20))
    _lower(resource.RLIMIT_FSIZE, request["output_mb"] << 20)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    stack = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (STACK if stack == resource.RLIM_INFINITY else min(STACK, stack), stack))
    if request["count_processes"]:
        _lower(resource.RLIMIT_NPROC, PROCESSES)


def kill_others(all_ours: bool) -> None:
    """End every process that a run has left, and reap it."""
    while True:
        if all_ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            with (
                contextlib.suppress(OSError),
                open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as stream,
            ):
                for child in stream.read().split():
                    os.kill(int(child), signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def empty(folder: str) -> None:
    """Delete what a run has written."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def wait(child: int, seconds: float, control: socket.socket, wake: int) -> bool:
    """Wait until `child` has ended (True), or `seconds` have passed or nobody wants the answer any more (False)."""
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        ready, _, _ = select.select([wake, control], [], [], max(0.0, end - time.monotonic()))
        if not ready or control in ready:
            return False
        os.read(wake, 4096)
    return True


def become(request: dict, descriptors: list[int], others: tuple[int, ...]) -> int:
    """In the forked child: take the run's descriptors and limits; returns the descriptor for a call's result."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    result = os.dup(descriptors[3])
    for descriptor in (*descriptors, *others):
        os.close(descriptor)
    os.setsid()
    limit(request)
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    return result


def loop(control: socket.socket, jail: Jail, baseline: int) -> tuple[dict, int] | None:
    """Serve requests; returns (request, descriptor of the result) in each forked child, None in the server at the end.

    Args:
        baseline: bytes of address space that a run has before it begins.
    """
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 5)
        if not message:
            return None
        with os.fdopen(descriptors.pop(), "rb") as stream:
            request = {**json.loads(stream.read()), "baseline": baseline, "count_processes": jail.count_processes}
        child = os.fork()
        if child == 0:
            return request, become(request, descriptors, (control.fileno(), wake, waker))
        for descriptor in descriptors:
            os.close(descriptor)
        ended = wait(child, request["wall_seconds"], control, wake)
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        kill_others(jail.all_ours)
        empty(jail.scratch)
        report = {"exit": status, "cpu": usage.ru_utime + usage.ru_stime, "timed_out": not ended}
        try:
            control.send(json.dumps(report).encode())
        except OSError:
            return None


def convert(value: object) -> object:
    """json's `default`: numpy's scalars and arrays, and other iterables that stand for lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a result of type {type(value).__name__} cannot be compared")


def run(request: dict, result: int) -> None:
    """In the child: compile the program, run it, or call its function."""
    sys.set_int_max_str_digits(0)
    code = compile(request["program"], "program.py", "exec", dont_inherit=True)
    if request["kind"] == "compile":
        return
    program = type(sys)("__main__" if request["kind"] == "program" else "program")
    sys.modules[program.__name__] = program
    namespace = program.__dict__
    namespace["__builtins__"] = __builtins__
    dumps, write, name, arguments = json.dumps, os.write, request.get("name"), request.get("arguments")
    exec(code, namespace)
    if request["kind"] == "program":
        return
    if name in namespace:
        function = namespace[name]
    elif hasattr(namespace.get("Solution"), name):
        function = getattr(namespace["Solution"](), name)
    else:
        raise NameError(f"the program defines no function {name}")
    text = dumps(function(*arguments), default=convert).encode()
    while text:
        text = text[write(result, text) :]


def main() -> None:
    """Start: one argument, the configuration as JSON."""
    config = json.loads(sys.argv[1])
    jail = shut_in(config)
    sys.path.append(jail.packages)
    os.chdir(jail.scratch)
    os.environ.clear()
    os.environ.update(config["environment"])
    with open("/proc/self/statm", encoding="ascii") as stream:
        baseline = int(stream.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    control = socket.socket(fileno=config["control"])
    control.send(json.dumps({"layers": sorted(jail.layers)}).encode())
    job = loop(control, jail, baseline)
    if job is None:
        kill_others(jail.all_ours)
        os._exit(0)
    control.detach()
    sys.argv = ["program.py"]
    run(*job)


if __name__ == "__main__":
    main()
