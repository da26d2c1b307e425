"""Servers that the jobs of a machine share: one keeper process a server, one lock a user.

A server's owner is always a small process of its own (keeper.py), which ends it, with all its children, once no user
is left: an exception, SIGTERM or kill -9 of a job all free the lock of its user file.

Whoever holds the lock `joining` may become a user, start a keeper or end an idle one; a keeper that leaves holds it
until its server is gone. So two jobs that start at once share one server, and nobody joins a server that is leaving.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..common.canonical import canonical_json, digest
from ..common.deadline import Deadline
from ..common.errors import UserError
from . import keeper

HEALTH = "/health"
END_SECONDS = 60.0
"""How long we wait for a server to end."""


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    base_url: str
    """Up to and with /v1."""
    model: str
    """The model's name there."""
    command: tuple[str, ...]
    """The server's command line."""
    folder: Path
    """Where its keeper's files are."""

    @property
    def health_url(self) -> str:
        """Answers 200 while the engine works."""
        return self.base_url.removesuffix("/v1") + HEALTH

    def alive(self) -> bool:
        """False once the server has ended."""
        return keeper.held(self.folder / "lock") and not _ended(self.folder)

    def diagnose(self) -> str:
        """The end of the server's log, for error messages."""
        return log_end(self.folder)


def log_end(folder: Path) -> str:
    """The errors in the server's log, the first of which is mostly the cause, and its end, introduced."""
    log = folder / "server.log"
    told = "".join(f"\n    {each}" for each in keeper.errors(log))
    return f"{f'errors in its log, in order:{told}{chr(10)}' if told else ''}the end of {log}:\n{keeper.tail(log)}"


@contextlib.contextmanager
def _joining(folder: Path, deadline: Deadline) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "joining", "ab") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                deadline.check()
                time.sleep(0.1)
        yield


def _ask_to_stop(folder: Path) -> None:
    """Have the keeper of `folder` end its server, and wait for it."""
    (folder / "stop").touch()
    end = time.monotonic() + END_SECONDS
    while keeper.held(folder / "lock"):
        if time.monotonic() > end:
            raise UserError(str(folder), f"its server did not stop within {END_SECONDS:g} s", "end it by hand")
        time.sleep(0.1)


def _machine(folder: Path) -> Path:
    """Servers are a machine's own, while the folder may be on a shared file system."""
    return folder / socket.gethostname()


def stop_servers(folder: Path, in_use: bool = False) -> tuple[int, int]:
    """End this machine's idle servers (with `in_use` all); returns how many were ended and how many left."""
    ended = left = 0
    machine = _machine(folder)
    if not machine.is_dir():
        return 0, 0
    with _joining(machine, Deadline()):
        for each in sorted(path for path in machine.iterdir() if path.is_dir()):
            if not keeper.held(each / "lock"):
                continue
            if keeper.live_users(each) and not in_use:
                left += 1
                continue
            _ask_to_stop(each)
            ended += 1
    return ended, left


def _register(folder: Path, linger: float) -> IO[str]:
    (folder / "users").mkdir(parents=True, exist_ok=True)
    path = folder / "users" / f"{os.getpid()}-{time.time_ns()}"
    # Locked under another name first: a keeper must never see an unlocked user.
    part = folder / f".user-{os.getpid()}-{time.time_ns()}"
    stream = open(part, "w", encoding="utf-8")
    fcntl.flock(stream, fcntl.LOCK_EX)
    json.dump({"pid": os.getpid(), "linger": linger}, stream)
    stream.flush()
    os.replace(part, path)
    return stream


def _start_keeper(folder: Path, spec: dict[str, Any]) -> None:
    for name in ("state.json", "stop"):
        (folder / name).unlink(missing_ok=True)
    (folder / "spec.json").write_text(canonical_json(spec), encoding="utf-8")
    with open(folder / "lock", "ab") as lock, open(folder / "keeper.log", "wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.Popen(
            [sys.executable, "-m", keeper.__name__, str(folder)],
            pass_fds=[lock.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_ready(folder: Path, deadline: Deadline) -> dict[str, Any]:
    while True:
        alive = keeper.held(folder / "lock")
        try:
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        except OSError:
            state = {"status": "starting", "error": ""}
        if state["status"] == "ready" and alive:
            return state
        if state["status"] in ("failed", "stopped") or not alive:
            why = state["error"] or keeper.tail(folder / "keeper.log") or f"its keeper has gone ({state['status']})"
            raise UserError("vLLM server", why, log_end(folder))
        deadline.check()
        time.sleep(keeper.POLL)


def _ended(home: Path) -> bool:
    """The server's last word is that it is done for."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((home / "state.json").read_text(encoding="utf-8"))["status"] in ("failed", "stopped")
    return False


def _wait_gone(home: Path) -> None:
    """Wait until the server has gone, unless another job still uses it."""
    end = time.monotonic() + END_SECONDS
    while keeper.held(home / "lock") and not keeper.live_users(home) and time.monotonic() < end:
        time.sleep(0.05)


@contextlib.contextmanager
def running(
    command: list[str],
    environment: dict[str, str],
    identity: Any,
    *,
    model: str,
    folder: str | os.PathLike[str],
    linger: float = 0,
    port: int | None = None,
    start_seconds: float = 1800,
    deadline: Deadline | None = None,
    alike: list[str] | None = None,
) -> Iterator[Server]:
    """Yield a ready server; it ends with this block, or `linger` seconds after its last user.

    Args:
        command: starts it; `{port}` stands for the port.
        environment: variables to set for it.
        identity: what else must be equal for it to be shared (JSON values).
        model: the name it serves its model under.
        folder: locks and logs of servers; any number of servers, jobs and machines may use the same.
        linger: seconds that it outlives its last user.
        port: default: a free one.
        start_seconds: how long it may take until it is ready.
        deadline: raises OutOfTime once it passes while we wait.
        alike: what must be equal of the command for the server to be shared; default: all of it.

    Raises:
        UserError: it did not start; the end of its log is part of the message.
    """
    deadline = deadline or Deadline()
    machine = _machine(Path(folder).resolve())
    home = machine / digest([alike or command, environment, identity], 16)
    spec = {
        "command": command,
        "environment": environment,
        "port": port,
        "linger": linger,
        "health": HEALTH,
        "start_seconds": start_seconds,
    }
    with _joining(machine, deadline):
        for other in sorted(path for path in machine.iterdir() if path.is_dir() and path != home):
            # An idle server of another model would hold its memory beside ours.
            if keeper.held(other / "lock") and not keeper.live_users(other):
                _ask_to_stop(other)
        home.mkdir(exist_ok=True)
        if keeper.held(home / "lock") and _ended(home):
            _ask_to_stop(home)
        user = _register(home, linger)
        if not keeper.held(home / "lock"):
            _start_keeper(home, spec)
    try:
        state = _wait_ready(home, deadline)
        yield Server(f"http://127.0.0.1:{state['port']}/v1", model, tuple(state["command"]), home)
    finally:
        user.close()
        if not linger:
            _wait_gone(home)
