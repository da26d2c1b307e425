"""What planning costs: wall time, CPU time and memory of a dry run of 100, 1,000 and 10,000 jobs.

    .venv/driver/bin/python -m bench.planning                # the three sizes with the profile leonardo
    .venv/driver/bin/python -m bench.planning --jobs 1000 --profile local

Recipes are generated: the demo's, with as many shards as make the number of jobs. Each dry run is `snakemake --profile P -n`, a process of its own,
measured by wait4; its output goes to a file, as it would be read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
SIZES = (100, 1000, 10000)


def recipe_of(jobs: int) -> dict[str, Any]:
    """The demo's recipe with its mathematics cut into as many shards as make about `jobs` jobs.

    A shard of training questions is generated and verified: two jobs.
    """
    recipe = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text(encoding="utf-8"))
    recipe["name"] = f"planning-{jobs}"
    others = 83  # what the demo's own 85 jobs have beside this set's two
    recipe["questions"]["math-train"]["shards"] = max(1, (jobs - others) // 2)
    return recipe


def plan(recipe: Path, profile: str, folder: Path) -> dict[str, Any]:
    """One dry run: {"jobs", "wall_s", "cpu_s", "memory_mb"} (peak resident memory of the driver).

    Raises:
        RuntimeError: it fails.
    """
    log = folder / f"{recipe.stem}.log"
    command = [str(Path(sys.executable).parent / "snakemake"), "--profile", profile, "-n"]
    command += ["--config", f"recipe={recipe}", f"results={folder}/results"]
    with open(log, "wb") as stream:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8")
    if process.returncode:
        raise RuntimeError(text[-2000:])
    total = re.findall(r"^total +(\d+)$", text, re.M)
    return {
        "jobs": int(total[-1]),
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "memory_mb": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="What a dry run costs, by the number of jobs.")
    parser.add_argument("--jobs", type=int, nargs="+", default=SIZES, help="sizes (default: 100 1000 10000)")
    parser.add_argument("--profile", default="leonardo", help="a profile of this repository (default: leonardo)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="planning-") as name:
        folder = Path(name)
        for jobs in args.jobs:
            recipe = folder / f"planning-{jobs}.yaml"
            recipe.write_text(yaml.safe_dump(recipe_of(jobs), sort_keys=False), encoding="utf-8")
            rows.append(plan(recipe, args.profile, folder))
            print(" ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"profile": args.profile, "plans": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
