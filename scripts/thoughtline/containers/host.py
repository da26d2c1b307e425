"""What a machine must have before images can be built on it, and what its site must enable where it has not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

from ..common.errors import UserError
from .isolation import has_subordinate_ids, isolated

PROGRAMS = {
    "apptainer": "containers/install-apptainer installs it on Debian (as root); a site loads a module or installs the package apptainer",
    "mksquashfs": "install the package squashfs-tools",
    "unshare": "install the package util-linux",
}
DEBIAN_PROGRAMS = {"mmdebstrap": "install the package mmdebstrap; it makes the Debian root of CPU images"}
USER_NAMESPACES = (
    "ask the site to enable user namespaces: `sysctl user.max_user_namespaces=15000`, on Debian and Ubuntu also "
    "`kernel.unprivileged_userns_clone=1` and `kernel.apparmor_restrict_unprivileged_userns=0`; or build as root, or on another machine, and copy the images"
)
SUBORDINATE = (
    "ask the site to give you subordinate ids: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`, "
    "and to install the package uidmap; or build as root, or on another machine, and copy the images"
)


def _namespace_works() -> bool:
    return subprocess.run(isolated(["true"], {}), capture_output=True).returncode == 0


def problems(debian: bool) -> Iterator[tuple[str, str, str]]:
    """(where, what is wrong, what would be right) for everything that this machine lacks.

    Args:
        debian: whether a Debian root must be made, too.
    """
    wanted = PROGRAMS | (DEBIAN_PROGRAMS if debian else {})
    for program, remedy in wanted.items():
        if not shutil.which(program):
            yield program, "is not installed, or not on the PATH", remedy
    if shutil.which("unshare") and not _namespace_works():
        if os.geteuid() == 0:
            yield (
                "root",
                "may not mount in a namespace of its own (no CAP_SYS_ADMIN: a container?)",
                "build on the machine itself",
            )
        else:
            yield "user namespaces", "are not allowed for ordinary users here", USER_NAMESPACES
    elif os.geteuid() != 0 and debian and not has_subordinate_ids():
        yield (
            "/etc/subuid, /etc/subgid",
            "give you no subordinate ids, so a Debian root cannot be made without root",
            SUBORDINATE,
        )


def check(debian: bool) -> None:
    """Stop before anything is fetched if images cannot be built here.

    Raises:
        UserError: all that is missing.
    """
    found = list(problems(debian))
    if found:
        lines = [f"{where} {what}; {right}" for where, what, right in found]
        raise UserError("this machine cannot build images", "\n  ".join(["", *lines]).lstrip(), "")
