"""Training by the pipeline's own command on a GPU: tokens a second, memory, repeatability, resuming.

`python -m bench.gpu.training MODEL.json --steps 8 --max-length 16384 --packing --out OUT.json [--twice] [--interrupt] [--offload]`
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from thoughtline.common.environments import python_of
from thoughtline.common.files import read_json, write_json
from thoughtline.models.conversation import rows_path

AGAIN = 75
"""Exit code of a command that is out of time and should be run again."""
WORDS = (
    "time",
    "person",
    "year",
    "way",
    "day",
    "thing",
    "man",
    "world",
    "life",
    "hand",
    "part",
    "child",
    "eye",
    "place",
)


def write_rows(folder: Path, count: int, mean: float, longest: int) -> None:
    """A dataset of so many conversations; lengths in words are log-normal with a spread as of R1's traces (0.7)."""
    chance = random.Random(0)
    middle = math.log(mean) - 0.7**2 / 2
    turns = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
    rows = []
    for number in range(count):
        length = min(longest, max(8, round(chance.lognormvariate(middle, 0.7))))
        reply = " ".join(chance.choice(WORDS) for _ in range(length))
        talk = [{"from": "user", "value": f"Question {number}?"}, {"from": "assistant", "value": reply}]
        rows.append({"system": None, "conversations": talk})
    path = rows_path(folder)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema([("system", pa.string()), ("conversations", turns)])), path)


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Settings of `thoughtline models train`."""
    return {
        **{"model": "student", "base": "base", "method": "sft", "dataset": "rows", "epochs": 1.0, "seed": 1},
        **{"learning_rate": 1e-5, "schedule": "cosine", "min_learning_rate_ratio": 0.0, "warmup_ratio": 0.1},
        **{"global_batch": args.batch, "micro_batch": args.micro_batch, "max_length": args.max_length},
        **{"packing": args.packing, "optimizer": "adamw", "betas": [0.9, 0.999], "epsilon": 1e-8},
        **{"weight_decay": 0.0, "max_grad_norm": 1.0, "precision": "bfloat16"},
        **{"gradient_checkpointing": True, "save_steps": 100000},
        "zero": {"stage": args.stage, "offload_optimizer": args.offload, "offload_parameters": False},
        **{"ranks": 1, "code": "bench", "environment": {}},
    }


def train(settings: Path, model: Path, dataset: Path, out: Path, interrupt_at: int | None = None) -> dict[str, Any]:
    """training.json of one training, with the model's revision and the wall time; stopped and gone on with at a step if asked."""
    work = out.with_name(f"{out.name}.work")
    words = ["models", "train", "--settings", f"@{settings}", "--base", model, "--dataset", dataset, "--out", out]
    command = [python_of("train"), "-m", "thoughtline", *map(str, words), "--work", str(work)]
    began = time.monotonic()
    if interrupt_at:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        steps = work / "steps.jsonl"
        while process.poll() is None and not (steps.is_file() and steps.read_text().count("loss") >= interrupt_at):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        if (code := process.wait()) != AGAIN:
            raise SystemExit(f"interrupted training ended with {code}, not {AGAIN}")
    done = subprocess.run(command, stdin=subprocess.DEVNULL)
    if done.returncode:
        for log in work.glob("*.txt"):
            print(log.read_text()[-3000:])
        raise SystemExit(done.returncode)
    wall = time.monotonic() - began
    losses = [json.loads(line)["loss"] for line in (out / "training.jsonl").read_text().splitlines()]
    revision = read_json(out / "model.json")["revision"]
    return read_json(out / "training.json") | {"wall_seconds": round(wall, 1), "revision": revision, "losses": losses}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for datasets and models; what is there is replaced")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--mean", type=float, default=4000, help="words of a row, which are tokens nearly")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--micro-batch", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=16384)
    parser.add_argument("--packing", action="store_true")
    parser.add_argument("--stage", type=int, default=3, help="of ZeRO")
    parser.add_argument("--offload", action="store_true")
    parser.add_argument("--twice", action="store_true", help="train again, and compare")
    parser.add_argument("--interrupt", type=int, metavar="STEP", help="train again with an interruption, and compare")
    args = parser.parse_args()
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    settings, dataset = args.folder / "settings.json", args.folder / "rows"
    write_json(settings, settings_of(args))
    write_rows(dataset, args.rows, args.mean, args.max_length)
    runs = {"once": train(settings, args.model, dataset, args.folder / "once")}
    if args.twice:
        runs["again"] = train(settings, args.model, dataset, args.folder / "again")
    if args.interrupt:
        runs["interrupted"] = train(settings, args.model, dataset, args.folder / "interrupted", args.interrupt)
    config = read_json(args.model.parent / read_json(args.model)["weights"] / "config.json")
    write_json(args.out, {"config": config, "settings": settings_of(args), "runs": runs})
    for name, run in runs.items():
        print(
            f"{name}: {run['steps']} steps, {run['tokens']} tokens, {run['train_seconds']} s, {run['tokens_per_second']} tokens/s, "
            f"{max(run['peak_memory_bytes']) / 1e9:.1f} GB, revision {run['revision'][:12]}, loss {run['losses'][0]} -> {run['losses'][-1]}"
        )


if __name__ == "__main__":
    main()
