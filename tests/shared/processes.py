"""What tests of several folders ask about processes of this machine."""

import os
from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that name `folder`, or print into it, but for this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            screen = os.readlink(path / "fd/1") if line else ""
        except OSError:
            continue
        if (str(folder) in line or screen.startswith(f"{folder}/")) and int(path.name) != os.getpid():
            found.append(line)
    return found
