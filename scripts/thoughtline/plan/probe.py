"""A probe: a few rows and a few steps on the real machine, by the pipeline's own commands, and the rates that they tell.

rules/probe.smk runs it. Rows that it generates land in the journals of the shards that they belong to, so the real jobs do not make them again.
"""

from __future__ import annotations

import datetime
import math
import statistics
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.files import atomic_path, read_json
from ..common.rows import QUESTIONS, TRACES, read_rows
from ..datasets.tables import CONVERSATIONS
from ..datasets.text import assistant_text, system_and_user
from ..provenance.sidecar import sidecar_path
from ..recipe.schema.recipe import Recipe
from ..recipe.schema.training import Stage
from .architecture import Architecture
from .choice import STEPS, Probe
from .lengths import Lengths
from .models import Models
from .training import TrainingRun

SHARE = 2
"""A probe asks at most one in so many questions of a shard."""


def sample(questions: Path, most: int, out: Path) -> int:
    """Write the first questions of a shard (they are in the order of a hash), and return how many."""
    try:
        table = pq.read_table(questions)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(str(questions), f"cannot be read ({error})", "curate the set again") from None
    count = max(1, min(most, math.ceil(table.num_rows / SHARE)))
    with atomic_path(out) as part:
        pq.write_table(table.slice(0, count), part, use_dictionary=False)
    return min(count, table.num_rows)


def rows(settings: dict[str, Any], questions: list[Path], traces: list[Path], count: int, out: Path) -> None:
    """Write so many training rows made from probed traces, right or wrong, over and over if there are fewer.

    Args:
        settings: of the dataset (recipe.settings.datasets): its prompts and format.
        out: DATASET/default/train.parquet.
    """
    asked = {row["question_id"]: row for path in questions for row in read_rows(path, QUESTIONS)}
    found = []
    for path in traces:
        for trace in read_rows(path, TRACES):
            if trace["response"]:
                system, user = system_and_user(settings["prompts"], asked[trace["question_id"]])
                reply = assistant_text(settings["format"], trace["reasoning"], trace["response"])
                turns = [{"from": "user", "value": user}, {"from": "assistant", "value": reply}]
                found.append({"system": system, "conversations": turns})
    if not found:
        raise UserError(", ".join(map(str, traces)), "no probed trace has a reply", "see the logs of the probe")
    with atomic_path(out) as part:
        pq.write_table(
            pa.Table.from_pylist([found[number % len(found)] for number in range(count)], CONVERSATIONS), part
        )


def _wall(sidecar: dict[str, Any]) -> float:
    started, finished = (datetime.datetime.fromisoformat(sidecar[key]) for key in ("started", "finished"))
    return (finished - started).total_seconds()


def generation(traces: Path) -> dict[str, Any] | None:
    """What a file of probed traces tells; None where its rows were there already."""
    sidecar = read_json(sidecar_path(traces))
    details = sidecar["details"]
    if not details.get("output_tokens"):
        return None
    lengths = [
        each for each in pq.read_table(traces, columns=["completion_tokens"])["completion_tokens"].to_pylist() if each
    ]
    return {
        "tokens_per_second": details["output_tokens"] / details["seconds"],
        "requests": details["requests"],
        "mean": statistics.fmean(lengths),
        "median": statistics.median(lengths),
        "around_seconds": max(0.0, _wall(sidecar) - details["seconds"]),
    }


def training(folder: Path, architecture: Architecture, stage: Stage) -> dict[str, Any]:
    """What a probed training tells: the work of its steps, as the model of cost counts it, over their time."""
    facts = read_json(folder / "training.json")
    count = stage.global_batch * STEPS
    mean = facts["tokens"] / count
    run = TrainingRun(
        architecture, count, Lengths.of(mean), 1, stage.max_length, stage.global_batch, stage.micro_batch, facts["ranks"],
        stage.packing, stage.gradient_checkpointing, masked=True,
    )  # fmt: skip
    wall = _wall(read_json(sidecar_path(folder / "model.json")))
    return {
        "flops_per_second": run.micro_steps * run.slowest / facts["train_seconds"],
        "seconds_per_step": facts["train_seconds"] / run.steps,
        "tokens_a_row": mean,
        "ranks": facts["ranks"],
        "around_seconds": max(0.0, wall - facts["train_seconds"]),
    }


def collect(recipe: Recipe, probed: Probe, models: Models) -> dict[str, Any]:
    """What the files of a probe tell: work/probe.json."""
    answerers: dict[str, Any] = {}
    for (name, set_name), path in zip(probed.pairs, probed.shards("traces"), strict=True):
        if found := generation(Path(path)):
            answerers.setdefault(name, {"sets": {}})["sets"][set_name] = found
    for found in answerers.values():
        around = [each["around_seconds"] for each in found["sets"].values()]
        found.update(start_seconds=max(around), joined_seconds=min(around))
    trainings = {}
    for name, path in zip(probed.trained, probed.summaries(), strict=True):
        (stage,) = recipe.models[name].stages
        own = training(Path(path).parent, models.architecture(name), stage)
        trainings[name] = {**own, "dataset": stage.dataset}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    facts = {"recipe": recipe.name, "machine": probed.machine, "date": today}
    return {**facts, "generation": answerers, "training": trainings}
