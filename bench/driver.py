"""What the driver costs on a login node: CPU seconds to plan, to submit, and an hour while jobs wait in Slurm's queue.

On a machine with Slurm, or in the test cluster (root; docs/slurm.md):

    tests/cluster/with-cluster .venv/driver/bin/python -m bench.driver --account iscrc_test --jobs 50 200

It submits jobs that are held, so that nothing runs, watches the driver's processes through /proc, lets a few jobs run, and cancels the
others.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

SNAKEFILE = """
rule all:
    input:
        expand("out/{{n}}", n=range({jobs})),
    localrule: True

rule wait:
    output:
        "out/{{n}}",
    resources:
        mem_mb=800,
        runtime=5,
        slurm_extra="--hold",
    shell:
        "sleep 1; touch {{output}}"
"""

VARIANTS = {
    "as Snakemake comes": [],
    "status by squeue": ["--slurm-status-command", "squeue"],
    "... and the greedy scheduler": ["--slurm-status-command", "squeue", "--scheduler", "greedy"],
}


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one driver; `own` of its process alone, the rest with sbatch and squeue."""

    variant: str
    jobs: int
    start: float
    """Until the first job is submitted."""
    submit: float
    """A submitted job."""
    hour: float
    """An hour with all jobs waiting, extrapolated from the window."""
    own_hour: float
    """The same without children: what a limit on a process counts."""
    finish: float
    """A job that has finished."""
    in_job: float
    """Inside a job that does nothing: Slurm's account of it."""
    memory_mb: float


def used(process: int) -> tuple[float, float]:
    """(CPU seconds of a process, of its children that have ended)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    tick = os.sysconf("SC_CLK_TCK")
    return own / tick, children / tick


def memory(process: int) -> float:
    """Resident memory of a process, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def queued(prefix: str) -> list[str]:
    """Ids of the jobs in Slurm's queue whose name starts with `prefix`."""
    lines = subprocess.run(
        ["squeue", "-h", "-o", "%i %j"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line.split()[0] for line in lines if line.split()[1].startswith(prefix)]


def finish(process: subprocess.Popen, ids: list[str]) -> tuple[float, float]:
    """Let jobs run; CPU seconds (of the driver for each, inside each)."""
    before = sum(used(process.pid))
    subprocess.run(["scontrol", "release", *ids], check=True)
    done = Path(f"/proc/{process.pid}/cwd").resolve() / "out"
    end = time.monotonic() + 900
    while len(list(done.glob("*"))) < len(ids):
        if time.monotonic() > end:
            raise RuntimeError(f"jobs {ids} did not finish within 15 minutes")
        time.sleep(1)
    time.sleep(200)  # the plugin looks every 40 to 180 seconds
    own = (sum(used(process.pid)) - before) / len(ids)
    command = [
        "sacct",
        "-n",
        "-P",
        "-o",
        "JobID,TotalCPU",
        "-j",
        ",".join(ids),
    ]  # with -X a job's time is without its steps'
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    times = [line.split("|")[1] for line in lines if "." not in line.split("|")[0]]
    return own, sum(map(seconds_of, times)) / len(ids)


def seconds_of(text: str) -> float:
    """Slurm's [[hours:]minutes:]seconds.

    >>> seconds_of("01:02.500")
    62.5
    """
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def measure(variant: str, jobs: int, account: str, window: float, run: int) -> Cost:
    """Run one driver.

    Raises:
        RuntimeError: it ended, or its jobs did not appear within ten minutes.
    """
    prefix = f"bench{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="thoughtline-driver.") as folder:
        (Path(folder) / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs), encoding="utf-8")
        log = open(Path(folder) / "log", "wb")
        process = subprocess.Popen(
            [
                sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", str(jobs), "--quiet", "rules",
                "--slurm-jobname-prefix", prefix, "--default-resources", f"slurm_account={account}", *VARIANTS[variant],
            ],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            first: float | None = None
            end = time.monotonic() + 600
            while (there := len(queued(prefix))) < jobs:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((Path(folder) / "log").read_text()[-2000:])
                if there and first is None:
                    first, seen = sum(used(process.pid)), there
                time.sleep(0.5)
            all_there = sum(used(process.pid))
            if first is None:
                first, seen = all_there, jobs
            time.sleep(20)  # what follows the last submission
            own, children = used(process.pid)
            time.sleep(window)
            own_after, children_after = used(process.pid)
            hours = window / 3600
            finished, in_job = finish(process, queued(prefix)[:run])
            return Cost(
                variant, jobs,
                start=round(first, 2),
                submit=round((all_there - first) / max(1, jobs - seen), 3),
                hour=round((own_after + children_after - own - children) / hours, 1),
                own_hour=round((own_after - own) / hours, 1),
                finish=round(finished, 3),
                in_job=round(in_job, 2),
                memory_mb=round(memory(process.pid)),
            )  # fmt: skip
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if left := queued(prefix):
                subprocess.run(["scancel", *left], check=False)
            log.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.driver", description=__doc__.splitlines()[0])
    parser.add_argument("--account", required=True, help="account for the held jobs (nothing is charged)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[50, 200], help="jobs in the queue (default: 50 200)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="options of the driver")
    parser.add_argument("--window", type=float, default=300, metavar="S", help="seconds to watch (default: 300)")
    parser.add_argument("--run", type=int, default=4, metavar="N", help="jobs that run to their end (default: 4)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    found = []
    print(f"{'':32} {'jobs':>5} {'start':>7} {'a job':>7} {'an hour':>8} {'own':>7} {'done':>7} {'in it':>6} {'MB':>5}")
    for jobs in args.jobs:
        for variant in args.variants:
            cost = measure(variant, jobs, args.account, args.window, args.run)
            found.append(asdict(cost))
            print(
                f"{variant:32} {jobs:5} {cost.start:7.1f} {cost.submit:7.3f} {cost.hour:8.1f} {cost.own_hour:7.1f} "
                f"{cost.finish:7.3f} {cost.in_job:6.2f} {cost.memory_mb:5.0f}",
                flush=True,
            )
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
