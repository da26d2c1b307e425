"""A world of one's own: namespaces of the kernel, a small read-only file system, a uid that nobody else has.

As root the namespaces are taken directly, as an ordinary user through a user namespace. In there: no network, no other process to see
or signal, and a file system that holds the interpreter and system libraries read-only, /dev/null and its like, and an
empty scratch folder in memory that vanishes with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

from .kernel import call

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MS_OF_STATVFS = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs flags that a remount of a bind must repeat (read-only, nosuid, nodev, noexec, *atime) -> mount flags."""
MNT_DETACH = 2
SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/alternatives",  # Debian's own numpy finds its linear algebra through it
)  # fmt: skip
"""What an interpreter needs of the system."""
DEVICES = ("null", "zero", "full", "random", "urandom")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    call(
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


def may_change_uid() -> bool:
    """Whether this process may give files away and take another uid and gid (CAP_CHOWN, CAP_SETGID, CAP_SETUID)."""
    with open("/proc/self/status", encoding="ascii") as stream:
        effective = next(int(line.split()[1], 16) for line in stream if line.startswith("CapEff"))
    return all(effective >> capability & 1 for capability in (0, 6, 7))


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
        call("unshare", spaces)
    else:
        call("unshare", spaces | NEW_USER)
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
    call("pivot_root", b"/tmp", b"/tmp/old")
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
        if os.path.exists(f"/old/dev/{name}"):  # Apptainer's --containall leaves out /dev/full
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
    call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")
    _mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def drop_privileges(uid: int) -> None:
    """Become `uid`, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())
