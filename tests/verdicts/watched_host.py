"""A machine with things to protect, and checks that nothing happened to them.

`WatchedHost` lays out bait (a secret in a file, in the environment, in a process's arguments and behind sockets; a folder;
a process that can be signalled) and looks at the machine before and after a program. What takes a moment to end (processes that
are being killed, memory that is being freed) is given SECONDS.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import thoughtline

SECONDS = 10
"""How long the machine may take to be as it was."""
SWOLLEN_MB = 64
"""The verifier may not take more than this on top, at any time, whatever a program prints or returns (its limit is 2 MB)."""
PR_SET_CHILD_SUBREAPER = 36
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGIO, signal.SIGCONT)
PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/root", "/dev", str(Path.home()), sys.base_prefix)
LIMITS = [number for name, number in vars(resource).items() if name.startswith("RLIMIT_")]


def _status(name: str, pid: int | str = "self") -> int:
    """A figure in kB of /proc/PID/status; 0 where the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0


def _children() -> dict[int, list[tuple[int, str]]]:
    """Parent -> (child, state) of every process of the machine."""
    found: dict[int, list[tuple[int, str]]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
            found.setdefault(int(fields[1]), []).append((int(name), fields[0]))
    return found


def descendants() -> list[int]:
    """Living processes below this one; it takes in orphans, so none of them can leave."""
    tree, found, todo = _children(), [], [os.getpid()]
    while todo:
        for child, state in tree.get(todo.pop(), ()):
            todo.append(child)
            if state != "Z":
                found.append(child)
    return found


def _files(folder: str) -> dict[str, Any]:
    return {
        entry.name: (entry.stat(follow_symlinks=False).st_mode, entry.stat(follow_symlinks=False).st_size)
        for entry in os.scandir(folder)
    }


class WatchedHost:
    """Bait, and a look at what came of it. Use as a context; `warm_up` runs once before the first look.

    Attributes:
        values: what the suite's programs may name.
    """

    def __init__(self, folder: Path, warm_up: Callable[[], object]) -> None:
        self._folder, self._temporary = folder / "host", folder / "temporary"
        self._warm_up = warm_up
        self._contacts: list[str] = []
        self._signals: list[int] = []
        self._stack = contextlib.ExitStack()
        self.secret = f"hidden-{secrets.token_hex(8)}"

    def __enter__(self) -> WatchedHost:
        self._folder.mkdir()
        self._temporary.mkdir()
        (self._folder / "secret").write_text(self.secret)
        (self._folder / "secret").chmod(0o644)
        ports = [self._listen(kind) for kind in ("tcp", "udp", "abstract")]
        self.values = {
            "secret": self.secret,
            "secret_file": str(self._folder / "secret"),
            "folder": str(self._folder),
            "mark": f"thoughtline-mark-{secrets.token_hex(8)}",
            "package": str(Path(thoughtline.__file__).parent),
            "port": str(ports[0]),
            "udp_port": str(ports[1]),
            "abstract": str(ports[2]),
            "ipc_key": str(secrets.randbelow(1 << 30) + 1),
        }
        os.environ["THOUGHTLINE_TEST_SECRET"] = self.secret
        self._stack.callback(os.environ.pop, "THOUGHTLINE_TEST_SECRET")
        self._bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", self.secret])
        self._stack.callback(self._bystander.wait)
        self._stack.callback(self._bystander.kill)
        plain, tempfile.tempdir = tempfile.tempdir, str(self._temporary)
        self._stack.callback(setattr, tempfile, "tempdir", plain)
        for number in SIGNALS:
            self._stack.callback(signal.signal, number, signal.signal(number, lambda got, _: self._signals.append(got)))
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._stack.callback(libc.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        self._warm_up()
        self._usual = {"descriptors": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}
        self._usual |= {"processes": len(descendants()), "resident": self._resident()}
        self._usual["temporary"] = set(os.listdir(self._temporary))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _listen(self, kind: str) -> int | str:
        """Start a service that gives the secret to whoever asks, and notes that somebody did; its address."""
        if kind == "tcp":
            service = socket.create_server(("127.0.0.1", 0))
            address: int | str = service.getsockname()[1]
        elif kind == "udp":
            service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            service.bind(("127.0.0.1", 0))
            address = service.getsockname()[1]
        else:
            service = socket.socket(socket.AF_UNIX)
            address = f"thoughtline-{secrets.token_hex(8)}"
            service.bind("\0" + address)
            service.listen()
        self._stack.callback(service.close)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    if kind == "udp":
                        _, peer = service.recvfrom(100)
                        self._contacts.append(kind)
                        service.sendto(self.secret.encode(), peer)
                    else:
                        connection, _ = service.accept()
                        self._contacts.append(kind)
                        with connection:
                            connection.sendall(self.secret.encode())

        threading.Thread(target=serve, daemon=True).start()
        return address

    @staticmethod
    def _resident() -> int:
        """MB that the processes below this one hold."""
        return sum(_status("VmRSS", pid) for pid in descendants()) >> 10

    @staticmethod
    def _shared_memory() -> int:
        """MB of the machine in files in memory and shared memory, whoever holds it."""
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Shmem:"))
        return int(line.split()[1]) >> 10

    def _own_settings(self) -> dict[str, Any]:
        status = Path("/proc/self/status").read_text().splitlines()
        return {
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "umask": next(line for line in status if line.startswith("Umask")),
            "limits": [resource.getrlimit(number) for number in LIMITS],
            "priority": os.getpriority(os.PRIO_PROCESS, 0),
            "cores": os.sched_getaffinity(0),
            "scheduler": os.sched_getscheduler(0),
            "machine": os.uname().nodename,
        }

    @staticmethod
    def _ipc() -> set[str]:
        """Identity of every System V object of the machine."""
        return {
            f"{kind} {line.split()[1]}"
            for kind in ("shm", "sem", "msg")
            if os.path.exists(f"/proc/sysvipc/{kind}")
            for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
        }

    def _wrong(self, before: dict[str, Any]) -> Iterator[str]:
        """What is not as it was; every line begins with the name of its check."""
        if len(found := descendants()) > self._usual["processes"]:
            yield f"process: {len(found)} of them, usually {self._usual['processes']}"
        if self._bystander.poll() is not None:
            yield "signal: a process beside us was ended"
        elif Path(f"/proc/{self._bystander.pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt":
            yield "signal: a process beside us was stopped"
        if (
            signal.SIGTERM in self._signals
        ):  # who stops the tests must not wait for them, and a program that can is a failure too
            pytest.exit("SIGTERM", 128 + signal.SIGTERM)
        if self._signals:
            yield f"signal: we got {self._signals}"
        if _files(str(self._folder)) != before["files"] or (self._folder / "secret").read_text() != self.secret:
            yield f"file: the folder holds {_files(str(self._folder))}"
        for place in PLACES:
            if os.path.lexists(f"{place}/{self.values['mark']}"):
                yield f"file: {place} was written to"
        if left := set(os.listdir(self._temporary)) - self._usual["temporary"]:
            yield f"disk: the verifier left {left}"
        if new := self._ipc() - before["ipc"]:
            yield f"memory: {new} was left"
        if (held := self._resident()) > self._usual["resident"] + SWOLLEN_MB:
            yield f"memory: the verifier's processes hold {held} MB, usually {self._usual['resident']}"
        if self._contacts:
            yield f"network: {self._contacts} were reached"
        for name, value in self._own_settings().items():
            if value != before["settings"][name]:
                yield f"environment: {name} is {value}"
        for name, count in (("descriptors", len(os.listdir("/proc/self/fd"))), ("threads", threading.active_count())):
            if count > self._usual[name] + 4:
                yield f"environment: {count} {name}, usually {self._usual[name]}"

    def watch(self, run: Callable[[], Any], must_not: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
        """(what `run` gave, what it did to the machine).

        Args:
            must_not: checks that look harder, since this program is out for it: memory, load.
        """
        self._contacts.clear()
        self._signals.clear()
        before = {"files": _files(str(self._folder)), "ipc": self._ipc(), "settings": self._own_settings()}
        shared, resident = self._shared_memory(), _status("VmRSS") >> 10
        with contextlib.suppress(OSError):  # the peak is counted from here, where the kernel can
            Path("/proc/self/clear_refs").write_text("5")
        with self._crowd() as most:
            outcome = run()
        peak = _status("VmHWM") >> 10
        end = time.monotonic() + SECONDS

        def wrong() -> list[str]:
            found = list(self._wrong(before))
            if "memory" in must_not and (now := self._shared_memory()) > shared + SWOLLEN_MB:
                found.append(f"memory: {now - shared} MB of files in memory are left")
            return found

        while (found := wrong()) and time.monotonic() < end:
            time.sleep(0.05)
        if peak > resident + SWOLLEN_MB:
            found.append(f"memory: the verifier took {peak - resident} MB")
        if "load" in must_not and most[0] > 300:
            found.append(f"load: {most[0]} processes")
        evidence = {name: text for name, text in outcome.evidence.items() if name not in ("expected", "line")}
        if self.secret in json.dumps(evidence):
            found.append("secret: the evidence tells it")
        if len(json.dumps(evidence)) > 4000:
            found.append("memory: the evidence is long")
        return outcome, found

    @staticmethod
    @contextlib.contextmanager
    def _crowd() -> Iterator[list[int]]:
        """[most processes below this one, looked at twice a second]."""
        most, done = [0], threading.Event()

        def look() -> None:
            while not done.wait(0.5):
                most[0] = max(most[0], len(descendants()))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield most
        finally:
            done.set()
            thread.join()


CHECKS = ("process", "signal", "file", "disk", "memory", "network", "environment", "load", "secret")
