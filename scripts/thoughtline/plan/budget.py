"""GPU-hours that a run may use: compared with the plan before anything is submitted, and with what Slurm has counted while it runs."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import UserError
from ..common.files import read_json, write_json
from ..machines.slurm import tres
from .plan import Plan
from .show import short

FIELDS = "JobIDRaw,ElapsedRaw,State,AllocTRES,WorkDir"
SECONDS = 300.0
"""Between two looks at what was used."""


@dataclass(frozen=True)
class Used:
    """What jobs have used so far."""

    gpu_hours: float
    running: int
    """GPUs in use now."""

    def by(self, seconds: float) -> float:
        """GPU-hours used in so many seconds, if what runs runs on."""
        return self.gpu_hours + self.running * seconds / 3600


def parse(text: str, folder: Path) -> Used:
    """What the jobs of a folder have used, of what `sacct -X -D -P -n -o FIELDS` printed; a requeued job counts each time that it ran."""
    hours, running = 0.0, 0
    for line in text.splitlines():
        _, elapsed, state, allocated, where = line.split("|", 4)
        if Path(where) != folder:
            continue
        gpus = tres(allocated).get("gres/gpu", 0)
        hours += gpus * int(elapsed or 0) / 3600
        running += gpus if state.startswith("RUNNING") else 0
    return Used(hours, running)


def ask(folder: Path, since: str) -> Used | None:
    """What Slurm has counted of the jobs of `folder` since a moment (YYYY-MM-DDTHH:MM:SS); None where it keeps no account."""
    words = ["sacct", "-X", "-D", "-P", "-n", "-u", getpass.getuser(), "-S", since, "-E", "now", "-o", FIELDS]
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(run.stdout, folder) if run.returncode == 0 else None


def began(path: Path, now: float | None = None) -> str:
    """Since when a budget counts: the moment that `begin` kept in `path`, or this one."""
    if path.is_file():
        return read_json(path)["since"]
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))


def begin(path: Path, since: str) -> None:
    """Note in `path` since when the budget counts, where that is not noted yet: at the first run that its budget lets begin."""
    if not path.is_file():
        write_json(path, {"since": since})


def words(plan: Plan, budget: float, used: float) -> tuple[str, bool]:
    """A budget beside the plan of what is left and what was used, and whether they are more."""
    total = None if plan.machine_hours else plan.total()
    if total is None:
        return (
            f"nothing is known of this machine's hours, so the budget of {short(budget)} is not held against a plan",
            False,
        )
    planned = f"the plan takes {short(total[0])} GPU-hours ({short(total[1])} to {short(total[2])}) and {short(used)} were used"
    over = used + total[0] > budget
    return f"{planned}, {'more than' if over else 'within'} the budget of {short(budget)}", over


def check(plan: Plan, budget: float, used: float) -> None:
    """Refuse a run that would exceed its budget.

    Raises:
        UserError: what was used and what is planned are more than the budget.
    """
    what, over = words(plan, budget, used)
    if over:
        right = "`thoughtline plan` shows where they go; shorten the recipe, name fewer targets, or raise the budget"
        raise UserError("config: budget_gpu_hours", what, right)


def watch(
    budget: float, look: Callable[[], Used | None], seconds: float = SECONDS, stop: Callable[[], None] | None = None
) -> threading.Thread:
    """Look again and again, in a thread of this process, and stop the run before its jobs use more than the budget.

    Called in the main thread, which is the one that Ctrl-C ends.

    Args:
        look: what was used; None if that is not known just now.
        seconds: between two looks.
        stop: default: as Ctrl-C does; jobs are cancelled, and keep their finished rows and their last checkpoint.
    """

    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background of a script
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def go_on() -> None:
        while True:
            used = look()
            if used is not None and used.by(seconds) > budget:
                print(
                    f"budget_gpu_hours: {used.gpu_hours:.4g} of {budget:g} GPU-hours are used, and the {used.running} GPUs in use would exceed them "
                    "before the next look: the run stops here; finished rows and checkpoints are kept",
                    file=sys.stderr,
                    flush=True,
                )
                (stop or interrupt)()
                return
            time.sleep(seconds)

    thread = threading.Thread(target=go_on, name="budget", daemon=True)
    thread.start()
    return thread
