"""What tests of several folders ask about processes of this machine."""

import os
from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that name `folder`, but for this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found
