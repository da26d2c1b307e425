"""System-call filters (seccomp, x86-64).

Two filters, both only ever taken on by the process itself. The server's lists what may be called at all: files, memory, time,
threads, and what the server itself needs; everything else is refused with EPERM, so there is no socket but a socket pair, no exec,
no ptrace, no mount, no System V memory, no memfd, no io_uring, no key ring, no BPF. A child's filter goes on top and takes
away what only the server needs: forking (threads stay), signals to any other process, limits of any other process,
prctl. clone3 is answered with ENOSYS, because its flags cannot be looked at; C libraries then use clone.

Numbers: the kernel's arch/x86/entry/syscalls/syscall_64.tbl.
"""

from __future__ import annotations

import ctypes
import os
import struct

from .kernel import PR_GET_NAME, PR_SET_NAME, PR_SET_SECCOMP, process_control

AUDIT_ARCH_X86_64 = 0xC000003E
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, ENOTTY = 1, 38, 25
A_PROCESS = 0x7FFFFFF0
"""Stands for a process id; none is as large (the kernel's limit is 2**22)."""
CLONE_FILES, CLONE_THREAD, AF_UNIX = 0x00000400, 0x00010000, 1
_LOAD, _EQUAL, _ANY_BIT_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16

ALLOWED = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9,
    "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "pipe": 22, "select": 23,
    "sched_yield": 24, "mremap": 25, "msync": 26, "mincore": 27, "madvise": 28, "dup": 32, "dup2": 33, "pause": 34,
    "nanosleep": 35, "getitimer": 36, "alarm": 37, "setitimer": 38, "getpid": 39, "sendfile": 40, "sendto": 44,
    "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "getsockname": 51, "getpeername": 52,
    "setsockopt": 54, "getsockopt": 55, "clone": 56, "exit": 60, "wait4": 61, "kill": 62, "uname": 63, "fcntl": 72,
    "flock": 73, "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77, "getdents": 78, "getcwd": 79,
    "chdir": 80, "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87,
    "symlink": 88, "readlink": 89, "chmod": 90, "fchmod": 91, "umask": 95, "gettimeofday": 96, "getrlimit": 97,
    "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
    "getppid": 110, "getpgrp": 111, "setsid": 112, "getgroups": 115, "getresuid": 118, "getresgid": 120,
    "getpgid": 121, "getsid": 124, "rt_sigpending": 127, "rt_sigtimedwait": 128, "rt_sigsuspend": 130,
    "sigaltstack": 131, "utime": 132, "statfs": 137, "fstatfs": 138, "getpriority": 140, "sched_getparam": 143,
    "sched_getscheduler": 145, "sched_get_priority_max": 146, "sched_get_priority_min": 147, "prctl": 157,
    "arch_prctl": 158, "setrlimit": 160, "gettid": 186, "getxattr": 191, "lgetxattr": 192, "fgetxattr": 193,
    "listxattr": 194, "llistxattr": 195, "flistxattr": 196, "time": 201, "futex": 202, "sched_getaffinity": 204,
    "epoll_create": 213, "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219, "fadvise64": 221,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "epoll_wait": 232,
    "epoll_ctl": 233, "tgkill": 234, "utimes": 235, "waitid": 247, "openat": 257, "mkdirat": 258, "futimesat": 261,
    "newfstatat": 262, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "readlinkat": 267,
    "fchmodat": 268, "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273, "get_robust_list": 274,
    "utimensat": 280, "epoll_pwait": 281, "eventfd": 284, "fallocate": 285, "eventfd2": 290, "epoll_create1": 291,
    "dup3": 292, "pipe2": 293, "preadv": 295, "pwritev": 296, "prlimit64": 302, "getcpu": 309, "renameat2": 316,
    "seccomp": 317, "getrandom": 318, "membarrier": 324, "copy_file_range": 326, "preadv2": 327, "pwritev2": 328,
    "pkey_mprotect": 329, "statx": 332, "rseq": 334, "close_range": 436, "openat2": 437, "faccessat2": 439,
    "epoll_pwait2": 441, "futex_waitv": 449,
}  # fmt: skip
IOCTL, SOCKETPAIR, CLONE3 = 16, 53, 435
IOCTLS = {"TCGETS": 0x5401, "TIOCGWINSZ": 0x5413, "FIONREAD": 0x541B, "FIONBIO": 0x5421, "FIOCLEX": 0x5451}
"""What an honest program asks of a descriptor; others are answered as for a file that is no terminal."""
FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1033, 1034)
"""Duplicates, flags, locks, sizes of pipes, seals; not F_SETOWN, by which the kernel sends any signal to any process of the user."""
PAIRS = tuple(kind | flags for kind in (1, 5) for flags in (0, 0x800, 0x80000, 0x80800))
"""SOCK_STREAM and SOCK_SEQPACKET; a datagram socket could send to any name, its pair or not."""
CLOSE_RANGE_CLOEXEC = 4
ON_FILES_BY_NAME = ("truncate", "chmod", "fchmod", "fchmodat", "utime", "utimes", "futimesat", "utimensat")
"""What Landlock lets be done (the first one before version 3) to every file that belongs to the user."""


def _one(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def _load(offset: int) -> bytes:
    return _one(_LOAD, offset)


def _answer(action: int) -> bytes:
    return _one(_RETURN, action)


def _only(number: int, argument: int, values: list[int], refusal: int) -> list[bytes]:
    """For system call `number`: allowed if the low half of `argument` is one of `values`; others go on behind it."""
    body = [_load(_ARGUMENT + 8 * argument)]
    for value in values:
        body += [_one(_EQUAL, value, 0, 1), _answer(ALLOW)]
    body.append(_answer(refusal))
    return [_one(_EQUAL, number, 0, len(body)), *body]


def server_filter() -> list[bytes]:
    """The instructions of the filter that the server takes on."""
    code = [_load(_ARCH), _one(_EQUAL, AUDIT_ARCH_X86_64, 1, 0), _answer(KILL), _load(_NUMBER)]
    code += _only(IOCTL, 1, list(IOCTLS.values()), ERRNO | ENOTTY)
    code += _only(SOCKETPAIR, 0, [AF_UNIX], ERRNO | EPERM)
    code += [_one(_EQUAL, CLONE3, 0, 1), _answer(ERRNO | ENOSYS)]
    for number in ALLOWED.values():
        code += [_one(_EQUAL, number, 0, 1), _answer(ALLOW)]
    return [*code, _answer(ERRNO | EPERM)]


def child_filter(among_own_files: bool = False) -> list[bytes]:
    """The instructions of the filter that a child takes on, on top of the server's; A_PROCESS stands for its process id.

    Args:
        among_own_files: other files of the machine belong to the child's user, and no namespace hides them.
    """
    # A thread with descriptors of its own would have a limit of its own of open files.
    threads = [_load(_ARGUMENT), _one(_ANY_BIT_OF, CLONE_THREAD, 0, 2), _one(_ANY_BIT_OF, CLONE_FILES, 0, 1)]
    threads += [_answer(ALLOW), _answer(ERRNO | EPERM)]
    code = [_load(_NUMBER), _one(_EQUAL, ALLOWED["clone"], 0, len(threads)), *threads]
    for name in ("kill", "tgkill"):
        code += _only(ALLOWED[name], 0, [A_PROCESS], ERRNO | EPERM)
    code += _only(ALLOWED["prlimit64"], 0, [0, A_PROCESS], ERRNO | EPERM)
    code += _only(ALLOWED["prctl"], 0, [PR_SET_NAME, PR_GET_NAME], ERRNO | EPERM)
    code += _only(ALLOWED["fcntl"], 1, list(FCNTLS), ERRNO | EPERM)
    code += _only(SOCKETPAIR, 1, list(PAIRS), ERRNO | EPERM)
    code += _only(ALLOWED["close_range"], 2, [0, CLOSE_RANGE_CLOEXEC], ERRNO | EPERM)
    for name in ("seccomp", *(ON_FILES_BY_NAME if among_own_files else ())):
        code += [_one(_EQUAL, ALLOWED[name], 0, 1), _answer(ERRNO | EPERM)]
    return [*code, _answer(ALLOW)]


_MACHINE = os.uname().machine


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Filter:
    """A filter in the form that the kernel takes; building one costs more than taking it on, so a server builds its children's once.

    Args:
        code: instructions.
    """

    _SIZE = 8

    def __init__(self, code: list[bytes]) -> None:
        self._data = ctypes.create_string_buffer(b"".join(code))
        self._program = _Program(len(code), ctypes.addressof(self._data))
        self._holes = [number for number, one in enumerate(code) if one == _one(_EQUAL, A_PROCESS, 0, 1)]

    def set_process(self, process: int) -> None:
        """Put this process id where the code says A_PROCESS."""
        for number in self._holes:
            struct.pack_into("<I", self._data, number * self._SIZE + 4, process)

    def take_on(self) -> None:
        """From now on this process, and all that it starts, is filtered.

        Raises:
            OSError: the kernel refuses (no seccomp, or another architecture).
        """
        if _MACHINE != "x86_64":
            raise OSError(ENOSYS, "the filters are written for x86-64")
        process_control(PR_SET_SECCOMP, 2, ctypes.addressof(self._program))
