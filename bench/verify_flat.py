"""Memory of the code verifier over many verdicts: it must stay flat.

python -m bench.verify_flat [--verdicts N] [--json FILE]

One executor judges the benchmark's problems over and over. A hundred times in between, all of its processes (this one, which
compares, and the jails' servers) are looked at from outside, without control groups: resident memory, open files, number of
processes, entries in the folder for temporary files. The first tenth does not count (caches fill). The memory's slope is that
of a straight line through the other samples; more than 2 MB along it over the whole run is growth. The exit status is 1 when
something grows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from thoughtline.verdicts.executor import Executor, Limits

from .problems import PROBLEMS, tasks

SAMPLES = 100
MOST = 2 << 20
"""Bytes that a run may add along its line: less than what 100,000 verdicts leak at one small object each."""


def family() -> list[int]:
    """This process and all its descendants."""
    found = [os.getpid()]
    for process in found:
        for thread in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += map(int, thread.read_text().split())
            except OSError:
                continue
    return found


def resident(process: int) -> int:
    """Bytes of memory; 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def look() -> dict[str, int]:
    """One sample."""
    processes = family()
    return {
        "here": resident(os.getpid()),
        "servers": sum(map(resident, processes[1:])),
        "files": len(os.listdir("/proc/self/fd")),
        "processes": len(processes),
        "temporary": len(os.listdir(tempfile.gettempdir())),
    }


def slope(samples: list[dict[str, Any]], what: str) -> float:
    """Growth of `what` a verdict."""
    return statistics.linear_regression([each["verdicts"] for each in samples], [each[what] for each in samples]).slope


def run(verdicts: int) -> list[dict[str, Any]]:
    """Samples, each with "verdicts": how many had been given."""
    listed = [task for kind in PROBLEMS for task in tasks(kind)]
    samples, step, limits = [], verdicts // SAMPLES, Limits()
    with tempfile.TemporaryDirectory() as folder, Executor() as executor:
        os.chmod(folder, 0o755)  # a jail may run under another uid
        tempfile.tempdir = folder
        for number in range(1, verdicts + 1):
            task = listed[number % len(listed)]
            if executor.run_tests(task["program"], task["tests"], limits).passed != task["right"]:
                raise SystemExit(f"error: {task['name']}: a wrong verdict")
            if number % step == 0:
                samples.append({"verdicts": number, **look()})
    return samples


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the samples to this file")
    given = parser.parse_args()
    if given.verdicts < 1000:
        parser.error("--verdicts: at least 1000, or a slope means nothing")
    start = time.monotonic()
    samples = run(given.verdicts)
    settled = samples[len(samples) // 10 :]
    first, last = settled[0], settled[-1]
    growing = []
    print(f"{given.verdicts} verdicts in {time.monotonic() - start:.0f} s; from verdict {first['verdicts']} on:")
    for what, name in (("here", "the comparing process"), ("servers", "the jails' servers")):
        grown = slope(settled, what)
        growing += [name] * (grown * given.verdicts > MOST)
        sizes = f"{first[what] / 2**20:.1f} MB, at the end {last[what] / 2**20:.1f} MB"
        print(f"{name:<22} {sizes}; slope {grown:+.2f} bytes a verdict")
    for what, name in (("files", "open files"), ("processes", "processes"), ("temporary", "temporary files")):
        growing += [name] * (last[what] > first[what])
        print(f"{name:<22} {first[what]}, at the end {last[what]}")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(samples) + "\n", encoding="utf-8")
    print(f"GROWS: {', '.join(growing)}" if growing else "flat")
    return int(bool(growing))


if __name__ == "__main__":
    sys.exit(main())
