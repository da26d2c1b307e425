"""The login node: its network and Slurm's daemons."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from . import nodes
from .layout import LOGIN, LOGIN_ADDRESS, NODES, State

SQL = """
create database slurm_acct_db;
create user slurm@localhost identified by 'slurm';
grant all on slurm_acct_db.* to slurm@localhost;
"""


def _run(*words: object, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in words], check=True, **options)


def _answers(*words: object) -> bool:
    try:
        run = subprocess.run([str(word) for word in words], capture_output=True, timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def wait_until(state: State, what: str, ready: Callable[[], bool], seconds: float = 60) -> None:
    """Wait; a cluster that does not come up ends here, with the end of its logs."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            for log in sorted(state.log.iterdir()):
                tail = log.read_text(errors="replace").splitlines()[-8:]
                print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
            sys.exit(f"error: {what} did not come up within {seconds:.0f} s")
        time.sleep(0.05)


def _daemon(state: State, name: str, *words: object) -> None:
    with open(state.log / f"{name}.out", "ab") as out:
        subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


def _network(state: State) -> None:
    """A bridge with the login node on it. Nothing leads out: no job can reach beyond the cluster."""
    _run("hostname", LOGIN)
    _run("mount", "--bind", state.etc / "hosts", "/etc/hosts")
    os.makedirs("/etc/slurm", exist_ok=True)
    _run("mount", "--bind", state.etc, "/etc/slurm")
    for words in (
        ["link", "set", "lo", "up"],
        ["link", "add", "cluster", "type", "bridge"],
        ["addr", "add", f"{LOGIN_ADDRESS}/24", "dev", "cluster"],
        ["link", "set", "cluster", "up"],
    ):
        _run("ip", *words)


def _munge(state: State) -> None:
    _run(
        "munged", f"--socket={state.munge_socket}", f"--key-file={state.etc / 'munge.key'}", "--force",
        f"--pid-file={state.run / 'munged.pid'}", f"--log-file={state.log / 'munged.log'}",
        f"--seed-file={state.folder / 'munge.seed'}",
    )  # fmt: skip
    wait_until(state, "munged", lambda: _answers("munge", "-S", state.munge_socket, "-n"))


def _database(state: State) -> None:
    data = state.folder / "mysql"
    socket = data / "mysql.sock"
    _run("chown", "mysql:mysql", data)
    # Its temporary files too: TMPDIR may be a folder that its user cannot read.
    common = ["--no-defaults", "--user=mysql", f"--datadir={data}", f"--tmpdir={data}"]
    with open(state.log / "mariadb-install.out", "wb") as out:
        _run("mariadb-install-db", *common, "--skip-test-db", "--auth-root-authentication-method=socket", stdout=out)
    # Nothing here outlives the cluster, so nothing is written twice or flushed for safety; slurmdbd asks for the long wait.
    quick = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--skip-log-bin", "--skip-networking"]
    slurm = ["--innodb-lock-wait-timeout=900", "--max-allowed-packet=16M", "--innodb-buffer-pool-size=64M"]
    _daemon(state, "mariadb", "mariadbd", *common, f"--socket={socket}", *quick, *slurm)
    client = ["mariadb", "--no-defaults", "-S", socket]
    wait_until(state, "mariadb", lambda: _answers(*client, "-e", "select 1"))
    _run(*client, input=SQL, text=True)
    os.environ["MYSQL_UNIX_PORT"] = str(socket)  # where slurmdbd looks for it


def up(state: State) -> None:
    """Bring everything up; returns once all nodes are idle."""
    _network(state)
    # A file system that is soon full, for tests; all nodes see it.
    (state.folder / "small").mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=128k,mode=1777", "small", state.folder / "small")
    _munge(state)
    _database(state)
    _daemon(state, "slurmdbd", "slurmdbd", "-D")
    wait_until(state, "slurmdbd", lambda: _answers("sacctmgr", "-n", "show", "cluster"))
    with open(state.etc / "accounts.sacctmgr") as stream, open(state.log / "sacctmgr.out", "wb") as out:
        _run("sacctmgr", "-i", "-Q", stdin=stream, stdout=out, stderr=out)
    _daemon(state, "slurmctld", "slurmctld", "-D")
    wait_until(state, "slurmctld", lambda: _answers("scontrol", "ping"))
    for node in NODES:
        nodes.start(state, node)
    wait_until(state, "the compute nodes", lambda: idle() == set(NODES))


def idle() -> set[str]:
    """Names of the nodes that wait for work."""
    shown = subprocess.run(["sinfo", "-h", "-N", "-t", "idle", "-o", "%N %T"], capture_output=True, text=True).stdout
    return {line.split()[0] for line in shown.splitlines() if line.split()[1] == "idle"}
