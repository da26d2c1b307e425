"""Training a student: plan, launch the ranks, resume, and publish the model whole."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json
from ..common.command import Record, deadline_of, recorded, settings_of
from ..common.deadline import Deadline
from ..common.errors import OutOfTime, UserError
from ..common.files import atomic_directory, read_json, sha256_file, write_json, write_text
from ..common.finished import FOLDER, keep, restore
from ..common.lease import Lease
from ..common.progress import Progress
from ..machines.launch import CONTAINERS, free_port, launcher, time_left
from . import checkpoints, hardware, sft, universal
from .artifact import WEIGHTS, content_revision, file_hashes, read_model
from .configure import accumulation_steps, zero_of
from .conversation import read_conversations, rows_path
from .launch import command, node_words, rank_variables, supervise
from .pace import Pace

HEADER, PACE, STEP, UNIVERSAL, NODES, CHOSEN = "header.json", "pace.json", "step", "universal", "nodes", "zero.json"
TOO_LONG = "prompt_fills_max_length"
"""Reason for which a row is dropped: nothing of its reply is left within max_length."""


def check(settings: dict[str, Any], base: dict[str, Any], nodes: int, processes: int) -> None:
    """Refuse settings that cannot work with this base or on so many ranks, before anything is launched.

    Args:
        processes: ranks in all; the recipe's `ranks`, or as many as the machine has for it.
    """
    if settings["max_length"] > base["context_length"]:
        raise UserError(
            "max_length",
            f"{settings['max_length']} is longer than the context of {base['name']}, {base['context_length']} tokens",
            f"use at most {base['context_length']}",
        )
    if settings["zero"] != "auto" and settings["zero"]["offload_parameters"] and settings["zero"]["stage"] != 3:
        raise UserError(
            "zero.offload_parameters", "parameters stay whole below stage 3", "use stage 3, or do not offload them"
        )
    micro_batches, rest = divmod(settings["global_batch"], settings["micro_batch"])
    if rest or micro_batches % processes:
        share = settings["micro_batch"] * processes
        fitting = ", ".join(str(n) for n in range(1, micro_batches + 1) if micro_batches % n == 0 and not rest)
        where = "global_batch" if processes == settings["ranks"] else "--processes"
        raise UserError(
            where,
            f"global_batch {settings['global_batch']} is not divisible by micro_batch x ranks = {share}",
            f"numbers of ranks that fit: {fitting}" if fitting else f"use a multiple of {settings['micro_batch']}",
        )
    if processes % nodes:
        raise UserError("--nodes", f"{processes} ranks cannot be shared evenly by {nodes} nodes", "choose a divisor")


def header(settings: dict[str, Any], base: dict[str, Any], dataset: Path) -> dict[str, Any]:
    """All that a checkpoint depends on; one made under another header is not resumed from.

    `ranks` is left out: a checkpoint of any number of ranks can be gone on from.
    """
    kept = {key: value for key, value in settings.items() if key != "ranks"}
    return {"settings": kept, "base": base["revision"], "dataset": sha256_file(rows_path(dataset))}


def settle_zero(work: Path, settings: dict[str, Any], chosen: str) -> dict[str, Any]:
    """The settings with the ZeRO settings that are used: what was chosen when this training began, since its checkpoints are of that form.

    Args:
        work: the work folder, prepared.
        chosen: one of configure.ZERO, for a recipe that leaves it to the machine.
    """
    if settings["zero"] != "auto":
        return settings
    path = work / CHOSEN
    if not path.is_file():
        write_json(path, zero_of(chosen))
    zero = read_json(path)
    if zero != zero_of(chosen):
        print(f"ZeRO settings stay those that this training began with: {canonical_json(zero)}", flush=True)
    return {**settings, "zero": zero}


def prepare_work(work: Path, new: dict[str, Any]) -> None:
    """Keep the work folder if it belongs to `new`, else empty it."""
    path = work / HEADER
    if path.is_file() and canonical_json(read_json(path)) == canonical_json(new):
        return
    for each in work.iterdir():
        if each.name != "lease":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    write_json(path, new)


class Steps:
    """Shows the steps that the ranks note in WORK/steps.jsonl, and how long steps and checkpoints take."""

    def __init__(self, path: Path, label: str, pace: Pace) -> None:
        self.path, self.label, self.pace, self.progress = path, label, pace, None
        path.unlink(missing_ok=True)
        self._offset, self._first, self._before = 0, {}, 0.0

    def watch(self) -> None:
        """Take in what was added since the last call."""
        if not self.path.is_file():
            return
        with open(self.path, "rb") as stream:
            stream.seek(self._offset)
            lines = stream.read().rpartition(b"\n")[0]
        self._offset += len(lines) + bool(lines)
        for row in map(json.loads, lines.splitlines()):
            if "step" in row:
                self._show(row)
            if self._before:
                self.pace.slower(**{"save" if "saved" in row else "step": row["time"] - self._before})
            self._before = row["time"]

    def _show(self, row: dict[str, Any]) -> None:
        if self.progress is None:
            self.progress, self._first = Progress(row["steps"], self.label, "steps", row["step"] - 1, every=30), row
        seconds = row["time"] - self._first["time"]
        rate = f", {(row['step'] - self._first['step']) / seconds:.2f} steps/s" if seconds > 0 else ""
        self.progress.advance(1, f"loss {row['loss']:.3f}{rate}")

    def close(self) -> None:
        """Say how it ended."""
        if self.progress is not None:
            self.progress.close()


@dataclass(frozen=True)
class Where:
    """What a training runs on; no part of what it makes, but of its rounding."""

    nodes: int
    processes: int
    """Ranks, on all nodes together."""
    threads: int | None = None
    """CPU threads a rank; None: the node's share."""

    @property
    def ranks(self) -> int:
        """Ranks a node."""
        return self.processes // self.nodes

    @property
    def spread(self) -> bool:
        """Whether ranks are started through machines.launch: on several nodes, or from outside of their container."""
        return self.nodes > 1 or CONTAINERS in os.environ


def find_nodes(where: Where, work: Path) -> list[hardware.Node]:
    """What each node has, asked inside its container. Each writes a file: srun would mix long lines of several nodes.

    Raises:
        UserError: they cannot be asked.
    """
    if not where.spread:
        return [hardware.this_node()]
    folder = work / NODES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    words = [*launcher(where.nodes, "train", folders=[work]), "-m", hardware.__name__, f"{folder}/{{node_rank}}.json"]
    answer = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = hardware.read_nodes(folder)
    if answer.returncode or len(found) != where.nodes:
        told = answer.stderr.strip()[-500:] or f"{len(found)} answered"
        raise UserError(
            "--nodes", f"{where.nodes} nodes cannot be started ({told})", "check the job's nodes and the image"
        )
    return found


def convert(checkpoint: Path, where: Where, work: Path, deadline: Deadline) -> Path:
    """The universal form of `checkpoint`, made now; whatever else had been converted is replaced."""
    words = ["-m", universal.__name__, str(checkpoint), str(work / UNIVERSAL)]
    variables = {"DS_ACCELERATOR": "cpu"}
    python = launcher(1, "train", variables=variables, folders=[work], step=work / STEP)
    supervise(
        [*(python if where.spread else [sys.executable]), *words],
        {**os.environ, **variables},
        sft.die_with_parent,
        deadline,
        *(work / name for name in (sft.STOP, sft.ERROR, sft.CRASH, "log.txt")),
        lambda: None,
        step=work / STEP,
    )
    return work / UNIVERSAL / checkpoint.name


def run_ranks(
    settings: dict[str, Any], base: dict[str, Any], dataset: Path, work: Path, where: Where, deadline: Deadline
) -> None:
    """Train until work/finished.json is there.

    Raises:
        OutOfTime: stopped before that; a checkpoint is kept.
        UserError: what `choose_device` or a rank found, or the time limit is too short for a single step.
    """
    nodes = find_nodes(where, work)
    device = hardware.choose_device(settings["precision"], where.ranks, nodes)
    threads = where.threads or max(1, math.floor(min(node.cpus for node in nodes) / where.ranks))
    pace = Pace(**read_json(work / PACE)) if (work / PACE).is_file() else Pace()
    checkpoint = checkpoints.newest(work / sft.RUN)
    reshaped = checkpoint is not None and checkpoints.ranks_of(checkpoint) != where.processes
    if checkpoint:
        more = f", written by {checkpoints.ranks_of(checkpoint)} ranks, on {where.processes}" if reshaped else ""
        print(f"going on from {checkpoint.name}{more}", flush=True)
    plan = {
        "settings": settings,
        "device": device,
        "threads": threads,
        "ranks": where.processes,
        "nodes": where.nodes,
        "base": str(base["folder"].resolve()),
        "dataset": str(dataset),
        "checkpoint": str(convert(checkpoint, where, work, deadline) if reshaped else checkpoint)
        if checkpoint
        else None,
        "universal": reshaped,
        "save_first": deadline.limit < math.inf and not pace.save,
    }
    write_json(work / sft.PLAN, plan)
    steps = Steps(work / sft.STEPS, f"training {settings['model']}", pace)
    variables = rank_variables(device, where.ranks, threads, work, where.nodes)
    if where.spread:
        words = node_words(sft.__name__, where.nodes, where.ranks, free_port(), work)
        folders = [work, base["folder"], dataset]
        words = [*launcher(where.nodes, "train", variables=variables, folders=folders, step=work / STEP), *words]
    else:
        words = command(sft.__name__, where.ranks, work)
    first = checkpoints.step_of(checkpoint) if checkpoint else 0
    try:
        supervise(
            words,
            {**os.environ, **variables},
            sft.die_with_parent,
            deadline,
            *(work / name for name in (sft.STOP, sft.ERROR, sft.CRASH, "log.txt")),
            steps.watch,
            lambda: pace.reserve(deadline.limit),
            work / STEP,
        )
    except OutOfTime:
        require_progress(work, first, pace, deadline)
        raise
    finally:
        steps.close()
        segments = read_segments(work)
        pace.slower(load=segments[-1]["load_seconds"] if segments else 0.0)
        write_json(work / PACE, asdict(pace))
    shutil.rmtree(work / UNIVERSAL, ignore_errors=True)
    if not (work / sft.FINISHED).is_file():
        require_progress(work, first, pace, deadline)
        raise OutOfTime


def require_progress(work: Path, first: int, pace: Pace, deadline: Deadline) -> None:
    """Refuse to call a segment interrupted that added nothing for want of time: the next would add nothing either.

    Raises:
        UserError: the time limit, not SIGTERM, ended it before a new checkpoint was there.
    """
    newest = checkpoints.newest(work / sft.RUN)
    if deadline.terminated or (newest and checkpoints.step_of(newest) > first):
        return
    raise UserError(
        "--minutes",
        f"{deadline.limit / 60:.3g} minutes are too short for loading, one step and its checkpoint ({pace})",
        f"give the job at least {max(pace.least_minutes(), math.ceil(deadline.limit / 30))} minutes (`runtime`)",
    )


def read_segments(work: Path) -> list[dict[str, Any]]:
    """The runs so far that ended well."""
    path = work / sft.SEGMENTS
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


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
            max(each) for each in itertools.zip_longest(*(each["peak_memory_bytes"] for each in segments), fillvalue=0)
        ],
        "interruptions": len(segments) - 1,
        "ranks": plan["ranks"],
        "nodes": plan["nodes"],
        "segments": [{key: each[key] for key in ("first_step", "last_step", "ranks", "nodes")} for each in segments],
        "accumulation_steps": accumulation_steps(settings, plan["ranks"]),
        "device": plan["device"],
        "threads": plan["threads"],
        "zero": plan["settings"]["zero"],
        "precision": settings["precision"],
        "seed": settings["seed"],
    }


def publish(out: Path, work: Path, settings: dict[str, Any], base: dict[str, Any], record: Record) -> None:
    """Put weights, log and summary in their place; model.json, which vouches for them, last."""
    finished, plan = read_json(work / sft.FINISHED), read_json(work / sft.PLAN)
    segments = read_segments(work)
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
    deadline = deadline_of(args, time_left() / 60)
    base = read_model(args.base)
    where = Where(args.nodes, args.processes or settings["ranks"], args.threads)
    check(settings, base, where.nodes, where.processes)
    read_conversations(args.dataset)
    work = (args.work or args.out.with_name(f".{args.out.name}.work")).resolve()
    outputs = [args.out / name for name in ("model.json", "training.jsonl", "training.json")]
    with Lease(work):
        if restore(work, outputs, settings):
            return
        with recorded(outputs, [args.base, rows_path(args.dataset)], settings) as record:
            prepare_work(work, header(settings, base, args.dataset))
            if not (work / sft.FINISHED).is_file():
                run_ranks(settle_zero(work, settings, args.zero), base, args.dataset.resolve(), work, where, deadline)
            publish(args.out, work, settings, base, record)
        kept = keep(work, outputs, [args.out / WEIGHTS])
        for each in work.iterdir():
            if each.name not in ("lease", FOLDER):
                shutil.rmtree(each) if each.is_dir() else each.unlink()
    if not kept:
        shutil.rmtree(work)
