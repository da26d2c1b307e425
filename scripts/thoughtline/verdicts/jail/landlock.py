"""File access (Landlock, Linux 5.13 and later; https://docs.kernel.org/userspace-api/landlock.html).

After `restrict` this process and all that it starts can read only what lies under some folders and write only under others,
open no TCP connection (Linux 6.7), and reach no abstract Unix socket or process outside (6.12). Names and sizes of other files
can still be asked for where no namespace hides them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct

from .kernel import system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI = (1 << 13) - 1
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP_BIND_AND_CONNECT, _SCOPE_SOCKETS_AND_SIGNALS = 3, 3


def version() -> int:
    """Landlock's version here.

    Raises:
        OSError: there is none.
    """
    return system_call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def rights_of(abi: int) -> int:
    """All rights on files that this version knows."""
    return _FIRST_ABI | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                rights &= _ON_FILES
            rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, handle))
            system_call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        finally:
            os.close(handle)


def restrict(readable: list[str], writable: list[str]) -> int:
    """Restrict this process for good; paths that are not there are left out. Returns Landlock's version.

    Raises:
        OSError: the kernel has no Landlock, or it is switched off.
    """
    abi = version()
    rights = rights_of(abi)
    attributes = struct.pack(
        "<QQQ", rights, _TCP_BIND_AND_CONNECT if abi >= 4 else 0, _SCOPE_SOCKETS_AND_SIGNALS if abi >= 6 else 0
    )[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = system_call(
        CREATE_RULESET, ctypes.create_string_buffer(attributes), ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
    )
    try:
        for path in readable:
            _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, rights)
        system_call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return abi
