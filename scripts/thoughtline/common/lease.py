"""One writer per artifact: a lease that the kernel takes back when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

from .errors import UserError


class Lease:
    """An exclusive lock on a work directory, held while the process lives.

    A lock by flock works between processes of one machine and, on NFS, Lustre (mounted with flock) and
    GPFS, between machines. Who holds it is written into the file, for the error message only.

    Raises:
        UserError: somebody else holds it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / "lease"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(self.path, "a+", encoding="utf-8")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._stream.seek(0)
            holder = self._stream.read().strip() or "an unknown process"
            self._stream.close()
            raise UserError(
                str(self.path), f"another writer works on this artifact ({holder})", "wait for it, or stop it first"
            ) from None
        self._stream.truncate(0)
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "slurm_job_id": os.environ.get("SLURM_JOB_ID")}
        self._stream.write(json.dumps(holder))
        self._stream.flush()

    def release(self) -> None:
        """Give it back."""
        self._stream.close()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
