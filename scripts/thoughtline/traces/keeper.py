"""The process that owns a vLLM server: starts it, watches it, and ends it with all its children.

`python -m thoughtline.traces.keeper FOLDER`, started by sharing.py, never by hand. It lives in a session of its
own and works for whoever holds a lock on a file in FOLDER/users/: the kernel drops such a lock when a user dies, kill -9
included, so nobody can leave a server behind. Files in FOLDER:

    spec.json    what to start (server.py writes it)
    state.json   {"status": "starting"|"ready"|"failed"|"stopped", "port", "command", "error"} (we write it)
    lock         held by us while we live, through the inherited LOCK_FD
    users/*      one file a user, locked by it; holds {"pid", "linger"}
    stop         asks us to end at once
    server.log   what the server prints
    step         the Slurm job step of a server that spans nodes (machines.launch writes it)

Only the standard library is used, so that it starts at once and costs little memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ..machines.launch import end_step, free_port

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
POLL = 0.25
GRACE = 8.0
"""Seconds that the server has to end by itself before it is killed."""


def held(path: Path) -> bool:
    """True while some process holds the lock on `path`."""
    try:
        with open(path, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def live_users(folder: Path) -> list[Path]:
    """User files whose owner lives; those of the dead are removed."""
    found = []
    for path in sorted((folder / "users").glob("*")):
        if held(path):
            found.append(path)
        else:
            path.unlink(missing_ok=True)
    return found


def write_state(folder: Path, **state: Any) -> None:
    """Replace state.json atomically."""
    part = folder / ".state.part"
    part.write_text(json.dumps(state), encoding="utf-8")
    os.replace(part, folder / "state.json")


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def errors(path: Path, most: int = 8) -> list[str]:
    """The last lines of the first few tracebacks of a log, each once; vLLM's processes put "(Name pid=1) ERROR ... [file.py:2]" before them."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = re.findall(
        r"^(?:\([^)\n]*\) )?(?:ERROR [^\n\]]*\] )?((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b(?::[^\n]*)?)$",
        text,
        re.M,
    )
    return list(dict.fromkeys(found))[:most]


def descendants(pid: int) -> list[int]:
    """All living processes below `pid`; also those below a dead one whose threads have not all ended, since it still is their parent."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                children.setdefault(int(parent), []).append((int(entry.name), state))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += [each for each, state in below if state != "Z"]
        queue += [each for each, _ in below]
    return found


def healthy(url: str) -> bool:
    """True once the server answers its health check."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Keeper:
    """One server, from start to end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "server.log"
        self.spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        self.stopping = False
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start the server on a free port."""
        self.port = self.spec["port"] or free_port()
        known = {"port": self.port, "master_port": free_port(), "folder": self.folder}
        fill = re.compile("{(" + "|".join(known) + ")}")
        command = [fill.sub(lambda match: str(known[match[1]]), word) for word in self.spec["command"]]
        libc = ctypes.CDLL(None, use_errno=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **self.spec["environment"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The server dies with us, even if we are killed with -9.
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        self.command = command
        self.say("starting")

    def say(self, status: str, error: str = "") -> None:
        """Tell the users."""
        write_state(self.folder, status=status, port=self.port, command=self.command, error=error)

    def end(self) -> None:
        """End the server, then whatever is left below us: what it orphans becomes our child (we are the subreaper)."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        end = time.monotonic() + GRACE
        while (left := descendants(os.getpid())) and time.monotonic() < end:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
            self.reap()
        end_step(self.folder / "step")

    def reap(self) -> None:
        """Collect dead children."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def watch(self) -> None:
        """Keep the server until nobody needs it, it dies, or we are told to stop."""
        started = last_used = time.monotonic()
        linger, ready, again = float(self.spec["linger"]), False, 3
        while True:
            assert self.process is not None
            code = self.process.poll()
            if code is not None:
                in_use = "address already in use" in tail(self.log).lower() and not self.spec["port"]
                if in_use and not ready and again:
                    again -= 1
                    self.end()
                    self.start()
                    continue
                self.say("failed", f"the server ended with code {code}")
                return
            if not ready and healthy(f"http://127.0.0.1:{self.port}{self.spec['health']}"):
                ready = True
                self.say("ready")
            if not ready and time.monotonic() - started > self.spec["start_seconds"]:
                self.say("failed", f"the server was not ready within {self.spec['start_seconds']:g} s")
                return
            if self.stopping or (self.folder / "stop").exists():
                self.say("stopped")
                return
            users = live_users(self.folder)
            for user in users:
                with contextlib.suppress(OSError, ValueError, KeyError):
                    linger = max(linger, float(json.loads(user.read_text())["linger"]))
            if users:
                last_used = time.monotonic()
            elif time.monotonic() - last_used >= linger and self.leave():
                self.say("stopped")
                return
            time.sleep(POLL)

    def leave(self) -> bool:
        """Nobody can join any more (True), or somebody just did (False).

        Users register under the lock `joining`; we keep it until we are gone.
        """
        self.joining = open(self.folder.parent / "joining", "ab")
        try:
            fcntl.flock(self.joining, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if live_users(self.folder):
            self.joining.close()
            return False
        return True


def main() -> None:
    """Own one server until its end."""
    keeper = Keeper(Path(sys.argv[1]))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)

    def stop(*_: object) -> None:
        keeper.stopping = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    keeper.log.write_bytes(b"")
    end_step(keeper.folder / "step")
    try:
        keeper.start()
        keeper.watch()
    except OSError as error:
        write_state(keeper.folder, status="failed", port=0, command=[], error=str(error))
    finally:
        keeper.end()


if __name__ == "__main__":
    main()
