"""Training a student: plan, launch the ranks, resume, and publish the model whole."""

from __future__ import annotations

import json
import math
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json
from ..common.command import Record, deadline_of, recorded, settings_of
from ..common.deadline import Deadline
from ..common.errors import OutOfTime, UserError
from ..common.files import atomic_directory, read_json, sha256_file, write_json, write_text
from ..common.lease import Lease
from ..common.progress import Progress
from . import checkpoints, sft
from .artifact import WEIGHTS, content_revision, file_hashes, read_model
from .configure import accumulation_steps
from .conversation import read_conversations, rows_path
from .hardware import choose_device, cpu_flags, gpu_capabilities, usable_cpus
from .launch import command, environment, supervise

HEADER = "header.json"
TOO_LONG = "prompt_fills_max_length"
"""Reason for which a row is dropped: nothing of its reply is left within max_length."""


def check(settings: dict[str, Any], base: dict[str, Any], processes: int | None) -> None:
    """Refuse settings that cannot work with this base, before anything is launched."""
    if settings["max_length"] > base["context_length"]:
        raise UserError(
            "max_length",
            f"{settings['max_length']} is longer than the context of {base['name']}, {base['context_length']} tokens",
            f"use at most {base['context_length']}",
        )
    rows, share = settings["global_batch"], settings["micro_batch"] * settings["ranks"]
    if accumulation_steps(settings) * share != rows:
        raise UserError(
            "global_batch", f"{rows} is not divisible by micro_batch x ranks = {share}", f"use a multiple of {share}"
        )
    if settings["zero"]["offload_parameters"] and settings["zero"]["stage"] != 3:
        raise UserError(
            "zero.offload_parameters", "parameters stay whole below stage 3", "use stage 3, or do not offload them"
        )
    if processes is not None and processes != settings["ranks"]:
        raise UserError(
            "--processes",
            f"{processes} processes for a recipe of {settings['ranks']} ranks",
            "the number of ranks is part of the recipe: change `ranks` there",
        )


def header(settings: dict[str, Any], base: dict[str, Any], dataset: Path) -> dict[str, Any]:
    """All that a checkpoint depends on; one made under another header is not resumed from."""
    return {"settings": settings, "base": base["revision"], "dataset": sha256_file(rows_path(dataset))}


def prepare_work(work: Path, new: dict[str, Any]) -> None:
    """Keep the work folder if it belongs to `new`, else empty it.

    Raises:
        UserError: it holds checkpoints of the same training on another number of ranks.
    """
    path = work / HEADER
    if path.is_file():
        old = read_json(path)
        if canonical_json(old) == canonical_json(new):
            return
        ranks = old["settings"]["ranks"]
        same_but_ranks = {**old, "settings": {**old["settings"], "ranks": new["settings"]["ranks"]}}
        if canonical_json(same_but_ranks) == canonical_json(new) and checkpoints.newest(work / sft.RUN):
            raise UserError(
                str(work),
                f"its checkpoints are of {ranks} ranks, now {new['settings']['ranks']} should go on",
                f"set ranks back to {ranks}, or delete the folder to start anew",
            )
    for each in work.iterdir():
        if each.name != "lease":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    write_json(path, new)


class Steps:
    """Shows the steps that the ranks note in WORK/steps.jsonl."""

    def __init__(self, path: Path, label: str) -> None:
        self.path, self.label, self.progress = path, label, None
        path.unlink(missing_ok=True)
        self._offset, self._first = 0, {}

    def watch(self) -> None:
        """Take in what was added since the last call."""
        if not self.path.is_file():
            return
        with open(self.path, "rb") as stream:
            stream.seek(self._offset)
            lines = stream.read().rpartition(b"\n")[0]
        self._offset += len(lines) + bool(lines)
        for row in map(json.loads, lines.splitlines()):
            if self.progress is None:
                self.progress, self._first = Progress(row["steps"], self.label, "steps", row["step"] - 1, every=30), row
            seconds = row["time"] - self._first["time"]
            rate = f", {(row['tokens'] - self._first['tokens']) / seconds:.0f} tokens/s" if seconds > 0 else ""
            self.progress.advance(1, f"loss {row['loss']:.3f}{rate}")

    def close(self) -> None:
        """Say how it ended."""
        if self.progress is not None:
            self.progress.close()


def run_ranks(
    settings: dict[str, Any], base: dict[str, Any], dataset: Path, work: Path, threads: int, deadline: Deadline
) -> None:
    """Train until work/finished.json is there.

    Raises:
        OutOfTime: stopped before that; a checkpoint is kept.
        UserError: what `choose_device` or a rank found.
    """
    device = choose_device(settings, gpu_capabilities(), cpu_flags())
    checkpoint = checkpoints.newest(work / sft.RUN)
    plan = {
        "settings": settings,
        "device": device,
        "threads": threads,
        "base": str(base["folder"]),
        "dataset": str(dataset),
        "checkpoint": str(checkpoint) if checkpoint else None,
    }
    write_json(work / sft.PLAN, plan)
    if checkpoint:
        print(f"going on from {checkpoint.name}", flush=True)
    steps = Steps(work / sft.STEPS, f"training {settings['model']}")
    supervise(
        command(sft.__name__, settings["ranks"], work),
        environment(device, settings["ranks"], threads, work),
        sft.die_with_parent,
        deadline,
        work / sft.STOP,
        work / sft.ERROR,
        work / sft.CRASH,
        work / "log.txt",
        steps.watch,
    )
    steps.close()
    if not (work / sft.FINISHED).is_file():
        raise OutOfTime


def summary(
    settings: dict[str, Any], plan: dict[str, Any], facts: dict[str, Any], segments: list[dict[str, Any]], tokens: int
) -> dict[str, Any]:
    """training.json: what was trained on how much, how fast. Segments are the runs between interruptions that ended well."""
    seconds = sum(each["train_seconds"] for each in segments)
    done = sum(each["last_step"] - each["first_step"] for each in segments) == facts["steps"]
    return {
        **facts,
        "tokens": tokens,
        "train_seconds": round(seconds, 1),
        "tokens_per_second": round(tokens / seconds, 1) if done and seconds else None,
        "load_seconds": round(sum(each["load_seconds"] for each in segments), 1),
        "save_seconds": round(sum(each["save_seconds"] for each in segments), 1),
        "peak_memory_bytes": [
            max(each) for each in zip(*(each["peak_memory_bytes"] for each in segments), strict=True)
        ],
        "interruptions": len(segments) - 1,
        "ranks": settings["ranks"],
        "accumulation_steps": accumulation_steps(settings),
        "device": plan["device"],
        "threads": plan["threads"],
        "precision": settings["precision"],
        "seed": settings["seed"],
    }


def publish(out: Path, work: Path, settings: dict[str, Any], base: dict[str, Any], record: Record) -> None:
    """Put weights, log and summary in their place; model.json, which vouches for them, last."""
    finished, plan = read_json(work / sft.FINISHED), read_json(work / sft.PLAN)
    segments = [json.loads(line) for line in (work / sft.SEGMENTS).read_text(encoding="utf-8").splitlines()]
    log, facts = finished["log"], finished["facts"]
    (out / "model.json").unlink(missing_ok=True)
    with atomic_directory(out / WEIGHTS) as folder:
        for path in sorted((work / sft.FINAL).iterdir()):
            shutil.copy(path, folder / path.name)
    write_text(out / "training.jsonl", "".join(canonical_json(row) + "\n" for row in log))
    training = summary(settings, plan, facts, segments, log[-1]["tokens"])
    write_json(out / "training.json", training)
    files = file_hashes(out / WEIGHTS)
    model = {
        "name": settings["model"],
        "revision": content_revision(files),
        "kind": "trained",
        "weights": WEIGHTS,
        "files": files,
        "licence": base.get("licence"),
        "credit": base.get("credit"),
        "context_length": base["context_length"],
        "base": settings["base"],
    }
    write_json(out / "model.json", model)
    record.counts = {
        "in": facts["rows"],
        "out": facts["rows"] - facts["dropped"],
        "dropped": {TOO_LONG: facts["dropped"]} if facts["dropped"] else {},
        "cut_off": facts["cut"],
    }
    record.details = {"revision": model["revision"], "base_revision": base["revision"], **training}
    last = f"loss {log[0]['loss']:.3f} -> {log[-1]['loss']:.3f}"
    print(
        f"{settings['model']}: {facts['steps']} steps, {last}, {training['tokens']} tokens, {training['train_seconds']} s"
    )


def run(args: Namespace) -> None:
    """`thoughtline models train`."""
    settings = settings_of(args)
    deadline = deadline_of(args)
    base = read_model(args.base)
    check(settings, base, args.processes)
    read_conversations(args.dataset)
    threads = args.threads or max(1, math.floor(usable_cpus() / settings["ranks"]))
    work = (args.work or args.out.with_name(f".{args.out.name}.work")).resolve()
    outputs = [args.out / name for name in ("model.json", "training.jsonl", "training.json")]
    with Lease(work), recorded(outputs, [args.base, rows_path(args.dataset)], settings) as record:
        prepare_work(work, header(settings, base, args.dataset))
        if not (work / sft.FINISHED).is_file():
            run_ranks(settings, base, args.dataset.resolve(), work, threads, deadline)
        publish(args.out, work, settings, base, record)
    shutil.rmtree(work)
