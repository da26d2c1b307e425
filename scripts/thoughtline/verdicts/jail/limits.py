"""The rlimits of one run."""

from __future__ import annotations

import resource

STACK = 128 << 20
"""Bytes of main-thread stack: deep recursion through C needs more than the usual 8 MB."""
OPEN_FILES, PROCESSES = 256, 128


def _lower(what: int, soft: int, hard: int | None = None) -> None:
    limit = resource.getrlimit(what)[1]
    hard = soft if hard is None else hard
    if limit != resource.RLIM_INFINITY:
        soft, hard = min(soft, limit), min(hard, limit)
    resource.setrlimit(what, (soft, hard))


def set_for_good(count_processes: bool) -> None:
    """What is the same for every run (in the server; the server itself lives with it).

    Args:
        count_processes: RLIMIT_NPROC counts the jail's own processes only, so it may be set.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    stack = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (STACK if stack == resource.RLIM_INFINITY else min(STACK, stack), stack))
    if count_processes:
        _lower(resource.RLIMIT_NPROC, PROCESSES)


def set_for_run(seconds: float, address_space: int, file_bytes: int) -> None:
    """Limits of CPU time, of the whole address space and of the size of a file (in the child)."""
    cpu = int(-(-seconds // 1))
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)
    _lower(resource.RLIMIT_AS, address_space)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
