"""From a recipe and a machine to its plan. Refuses what does not fit, and says what would."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..machines.demands import PARALLEL, Demands
from ..machines.place import Place, Placer
from ..machines.schema import Machine, NodeShape
from ..recipe.paths import Paths
from ..recipe.schema import Recipe, Stage, judge_of
from ..recipe.settings import answerer, engine_of, question_set, verifier_of
from . import choice, memory, probe
from .architecture import BF16, Architecture, of_model
from .calibration import calibrate
from .done import Done
from .expected import Expected
from .generation import IN_FLIGHT, GenerationRun, Serving, fits, smallest, start_seconds
from .lengths import Lengths
from .plan import Area, Line, Plan
from .rates import Gpu, Rates
from .training import TrainingRun
from .work import Item, Work

JUDGEMENT = 200.0
"""Tokens of a judge's reply: a sentence of reasons and a word."""
TEXT = 3.5
"""Bytes of a token of text, uncompressed."""
STRAGGLER = 1.43
"""Time of the slowest of 8 and of 16 evaluation jobs over their mean, as published for Leonardo (1.39 and 1.47)."""
PROBED = 0.1
"""Standard deviation of the logarithm of measured over predicted time after a probe; assumed, since lengths of rows still differ."""
CHECKPOINT = 14
"""Bytes a parameter of a training checkpoint: weights in bfloat16 and the optimiser's state. Two are on disk at a time."""


def gpu_of(node: NodeShape) -> Gpu | None:
    """A node's GPUs as the model of cost sees them; None where there are none, or where nobody wrote down what they can do."""
    if not node.gpus or node.gpu_speed is None or node.gpu_memory_mb is None:
        return None
    speed = node.gpu_speed
    return Gpu(speed.bf16_tflops * 1e12, speed.bandwidth_gb_s * 1e9, node.gpu_memory_mb * 2**20, node.gpus)


class Planner:
    """Plans one recipe on one machine."""

    def __init__(
        self, recipe: Recipe, machine: Machine, paths: Paths, placer: Placer, done: Done, concurrency: int = 64,
        rates: Rates | None = None,
    ) -> None:  # fmt: skip
        """`concurrency`: requests in flight to a server (`execution.concurrency`)."""
        self.recipe, self.machine, self._paths, self._placer, self._done = recipe, machine, paths, placer, done
        self._demands = Demands(recipe, machine)
        self._probe = done.probe()
        self._expected = Expected(recipe, paths, done, self._probe)
        self._concurrency = min(concurrency, IN_FLIGHT)
        self._rates = rates or calibrate()[0]
        self._started: set[str] = set()
        """Models whose server this machine's jobs share from here on."""

    @property
    def root(self) -> str:
        """The recipe's results."""
        return self._paths.root

    def plan(self) -> Plan:
        """The plan.

        Raises:
            UserError: nobody knows how many questions there are, a job fits nowhere, or a model does not fit into the GPUs.
        """
        self._expected.check()
        self._placer.check(self._demands.needed(self._paths))
        work = Work(self.recipe, self._paths, self._demands)
        lines = [self._line(item) for item in work.items.values()]
        nodes = [self._node(self._placer.place(item.demand)) for item in work.items.values() if item.demand.gpus]
        price = next((node.price for node in nodes if node and node.price), None)
        probed = bool(self._probed("generation") or self._probed("training"))
        rates = replace(self._rates, source=f"a probe of {self._probe['date']}") if probed else self._rates
        plan = Plan(self.recipe.name, self.machine.name, rates, lines, work.targets, not self.machine.is_slurm, price)
        plan.areas = self._areas(lines)
        plan.limits, plan.exceeded = self._queue(lines), self._quotas(plan.areas)
        return plan

    def _node(self, place: Place) -> NodeShape | None:
        return self.machine.node_of(place.partition) if place.partition else None

    def _placed(self, line: Line, item: Item) -> Place:
        place = self._placer.place(item.demand)
        line.nodes, line.gpus = place.nodes, place.nodes * place.gpus
        if place.partition:
            line.where, line.limit_minutes = f"{place.partition}/{place.qos}", place.minutes
            line.at_once = self._at_once(place, line.jobs)
        return place

    def _at_once(self, place: Place, jobs: int) -> int:
        qos = next(each for each in self.machine.partitions[place.partition or ""].qos if each.name == place.qos)
        limits = [jobs, self.machine.scheduler.queued or jobs]
        for limit, each in (
            (qos.user_nodes, place.nodes if place.whole else 0),
            (qos.user_cores, place.nodes * place.cpus),
            (qos.user_gpus, place.nodes * place.gpus),
        ):
            limits += [limit // each] if limit and each else []
        return max(1, min(limits))

    def _gpu(self, place: Place, at: str) -> Gpu | None:
        node = self._node(place)
        if node is None or not place.gpus:
            return None
        gpu = gpu_of(node)
        if gpu is None:
            raise UserError(
                at,
                f"what the GPUs of {self.machine.name} can do is not known",
                "add gpu_speed to its node in the machine's file",
            )
        return gpu

    def _line(self, item: Item) -> Line:
        line = Line(item.key, item.after)
        place = self._placed(line, item)
        getattr(self, f"_{item.stage}")(line, place, *item.names)
        return line

    def _finished(self, line: Line, jobs: int, finished: int) -> None:
        line.jobs, line.left = jobs, jobs - finished
        line.done = finished / jobs
        line.at_once = min(line.at_once, max(1, jobs)) if line.where != "this machine" else 1

    def _questions(self, line: Line, place: Place, set_name: str) -> None:
        rows = self._expected.rows(set_name)
        line.rows = rows
        line.bytes = {"results": rows * self._expected.prompt * TEXT}
        self._finished(line, 1, int(self._done.questions(set_name) is not None))

    def _fetch(self, line: Line, place: Place, model: str) -> None:
        weights = self._weights(model)
        published = self.recipe.models[model]
        # The same bytes: `models fetch` links what was staged.
        line.bytes = {"stage" if published.hub else "results": weights}
        self._finished(line, 1, int(self._done.model(model)))

    def _traces(self, line: Line, place: Place, name: str, set_name: str) -> None:
        how = answerer(self.recipe, name, set_name)
        shards, done = question_set(self.recipe, set_name).shards, self._done.traces(name, set_name)
        total = self._expected.rows(set_name) * how["samples"]
        left = max(0, total - done.rows)
        self._finished(line, shards, done.shards)
        line.at_once = self._at_once(place, line.left or 1) if place.partition else 1
        line.done = min(1.0, done.rows / total) if total else 1.0
        self._generate(line, place, how["model"], left, self._expected.replies(name, set_name), answerer_name=name)
        line.bytes = {
            "results": total * self._expected.replies(name, set_name).longer(self._expected.prompt).mean * TEXT
        }
        if set_name in self.recipe.benchmarks and shards > 1:
            line.notes.append(f"the slowest job may take {STRAGGLER:.2f} times the mean")

    def _verdicts(self, line: Line, place: Place, name: str, set_name: str) -> None:
        shards, finished = question_set(self.recipe, set_name).shards, self._done.verdicts(name, set_name)
        self._finished(line, shards, finished)
        line.at_once = self._at_once(place, line.left or 1) if place.partition else 1
        line.rows = self._expected.rows(set_name) * answerer(self.recipe, name, set_name)["samples"] * (1 - line.done)
        judge = judge_of(verifier_of(self.recipe, set_name))
        if judge and self.recipe.models[judge.model].endpoint is None:
            replies = Lengths.of(JUDGEMENT, limit=judge.sampling.max_tokens)
            self._generate(line, place, judge.model, line.rows, replies, answerer_name=judge.model)

    def _datasets(self, line: Line, place: Place, name: str) -> None:
        rows, lengths, most = self._expected.dataset(name)
        line.rows, line.tokens = rows, rows * lengths.mean
        line.bytes = {"results": 2 * rows * lengths.mean * TEXT}
        line.notes += ["rows are the most that there can be: give expect.datasets a number"] if most else []
        self._finished(line, 1, int(self._done.dataset(name) is not None))

    def _scores(self, line: Line, place: Place, model: str, benchmark: str) -> None:
        self._finished(line, 1, int(self._done.scores(model, benchmark)))

    def _report(self, line: Line, place: Place) -> None:
        self._finished(line, 1, int(self._done.report()))

    def _published(self, model: str) -> str:
        """The published weights that a model comes from."""
        while (base := self.recipe.models[model].base) is not None:
            model = base
        return model

    def _architecture(self, model: str) -> Architecture:
        name = self._published(model)
        staged = [Path(path).parent for path in self._paths.staged_weights(name)]
        own = [Path(self._paths.root, "models", each, "weights") for each in (model, name)]
        return of_model(self.recipe.models[name], f"models.{name}", (*staged, *own))

    def _weights(self, model: str) -> float:
        architecture = self._architecture(model)
        return architecture.parameters * (BF16 if self.recipe.models[model].base else architecture.weight_bytes)

    def _longest(self, model: str) -> float:
        """Tokens of context that a server must be able to hold for one request."""
        engine = engine_of(self.recipe, model)
        return engine.get("max_model_len") or self.recipe.models[self._published(model)].context_length or 1

    def _serving(self, model: str) -> Serving:
        engine = engine_of(self.recipe, model)
        arguments = {key.replace("-", "_"): value for key, value in (engine.get("arguments") or {}).items()}
        return Serving(self._architecture(model), *(int(arguments.get(key) or 1) for key in PARALLEL))

    def _generate(
        self, line: Line, place: Place, model: str, requests: float, replies: Lengths, answerer_name: str
    ) -> None:
        """Fill in what `requests` to a model take, in the jobs that are left."""
        line.rows, line.tokens = requests, requests * replies.mean
        if self.recipe.models[model].endpoint is not None:
            line.notes.append("asks a service: its time and its price are not known here")
            return
        line.computes = True
        at = f"models.{model}.engine"
        gpu = self._gpu(place, at)
        serving = self._serving(model)
        run = GenerationRun(serving, requests / max(1, line.left), self._expected.prompt, replies, self._concurrency)
        line.flops = run.flops * line.left
        if gpu is not None:
            self._must_fit(at, serving, gpu, self._longest(model))
            line.held = serving.context(gpu) * serving.data / run.mean_context
            line.fit = f"tensor {serving.tensor} x pipeline {serving.pipeline}" + (
                f" x data {serving.data}" if serving.data > 1 else ""
            )
            if min(line.held, run.requests) > 1.5 * self._concurrency:
                line.notes.append(
                    f"a server holds the context of more requests than execution.concurrency, {self._concurrency}, sends it"
                )
        if measured := self._measured_generation(answerer_name, line.key[1][-1], model):
            line.hours = (measured["start_seconds"] + run.tokens / measured["tokens_per_second"]) / 3600
            line.spread = PROBED
        elif gpu is not None:
            line.hours = (start_seconds(serving.architecture) + run.seconds(gpu, self._rates)) / 3600
            line.spread = self._rates.generation_spread
        if not requests:
            line.hours = 0.0

    def _must_fit(self, at: str, serving: Serving, gpu: Gpu, longest: float) -> None:
        why = fits(serving, gpu, longest)
        if why is None:
            return
        better = smallest(serving.architecture, gpu, longest)
        right = "no number of its GPUs does: shorten engine.max_model_len, or choose another machine"
        if better:
            arguments = f"tensor_parallel_size: {better.tensor}, pipeline_parallel_size: {better.pipeline}"
            right = f"engine.arguments {{{arguments}}} would: {better.gpus} GPUs, {math.ceil(better.gpus / gpu.per_node)} nodes"
        raise UserError(at, f"does not fit on {self.machine.name}: {why}", right)

    def _measured_generation(self, name: str, set_name: str, model: str) -> dict[str, float] | None:
        """Tokens a second and seconds to start, as a probe measured them of this answerer, or of the weights that it comes from.

        Where jobs share a server (no Slurm) it starts with the first of them.
        """
        known = self._probed("generation")
        found = next((known[each] for each in (name, model, self._published(model)) if each in known), None)
        if found is None:
            return None
        measured = found["sets"].get(set_name) or next(iter(found["sets"].values()))
        start = found["start_seconds"]
        if not self.machine.is_slurm:
            start = found["joined_seconds"] if model in self._started else start
            self._started.add(model)
        return {"tokens_per_second": measured["tokens_per_second"], "start_seconds": start}

    def _probed(self, kind: str) -> dict[str, Any]:
        return self._probe.get(kind, {}) if self._probe.get("machine") == self.machine.name else {}

    def collect(self) -> dict[str, Any]:
        """What the probe's files tell: work/probe.json."""
        probed = choice.Probe(self.recipe, self._paths, self.machine)
        answerers: dict[str, Any] = {}
        for (name, set_name), path in zip(probed.pairs, probed.shards("traces"), strict=True):
            if found := probe.generation(Path(path)):
                answerers.setdefault(name, {"sets": {}})["sets"][set_name] = found
        for found in answerers.values():
            around = [each["around_seconds"] for each in found["sets"].values()]
            found.update(start_seconds=max(around), joined_seconds=min(around))
        trainings = {}
        for name, path in zip(probed.trained, probed.summaries(), strict=True):
            (stage,) = self.recipe.models[name].stages
            trainings[name] = probe.training(Path(path).parent, self._architecture(name), stage)
            trainings[name]["dataset"] = stage.dataset
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        facts = {"recipe": self.recipe.name, "machine": self.machine.name, "date": today}
        return {**facts, "generation": answerers, "training": trainings}

    def _training_run(self, model: str, stage: Stage) -> TrainingRun:
        rows, lengths, _ = self._expected.dataset(stage.dataset)
        return TrainingRun(
            self._architecture(model), rows, lengths, stage.epochs, stage.max_length, stage.global_batch, stage.micro_batch,
            stage.ranks, stage.packing, stage.gradient_checkpointing, stage.zero.stage,
        )  # fmt: skip

    def _train(self, line: Line, place: Place, model: str) -> None:
        (stage,) = self.recipe.models[model].stages
        run = self._training_run(model, stage)
        made = self._done.model(model)
        self._finished(line, 1, int(made))
        line.done = 1.0 if made else min(1.0, self._done.steps(model) / run.steps)
        share = 1 - line.done
        line.computes, line.rows = True, run.rows * stage.epochs * share
        line.tokens, line.flops = run.tokens * share, run.flops * share
        line.bytes = {"results": run.architecture.parameters * (BF16 + 2 * CHECKPOINT)}
        gpu = self._gpu(place, f"models.{model}.stages")
        if gpu is not None:
            line.fit = self._zero(model, stage, run, gpu, place)
        known = self._probed("training")
        if measured := known.get(model) or next(
            (each for name, each in known.items() if self._published(name) == self._published(model)), None
        ):
            seconds = run.micro_steps * run.slowest / measured["flops_per_second"]
            line.hours = (measured["around_seconds"] + seconds * share) / 3600
            line.spread = PROBED
        elif gpu is not None:
            line.hours = run.seconds(gpu, self._rates) * share / 3600
            line.spread = self._rates.training_spread
        if made:
            line.hours = 0.0

    def _zero(self, model: str, stage: Stage, run: TrainingRun, gpu: Gpu, place: Place) -> str:
        """Words on a training's memory.

        Raises:
            UserError: it does not fit.
        """
        node = self._node(place)
        host = (node.memory_mb if node else 0) * 2**20
        found = memory.need(run.architecture, stage, stage.zero, stage.ranks, place.gpus)
        if why := memory.misfit(found, gpu, host):
            right = memory.would_fit(run.architecture, stage, gpu, host)
            raise UserError(
                f"models.{model}.stages",
                f"does not fit on {self.machine.name}: {memory.words(stage.zero)} {why}",
                right,
            )
        least = memory.least(run.architecture, stage, stage.ranks, gpu, host)
        words = f"{memory.words(stage.zero)}: {found.gpu / 1e9:.0f} of {gpu.memory / 1e9:.0f} GB"
        if least and least != stage.zero and memory.settings_before(least, stage.zero):
            words += f"; {memory.words(least)} would fit too"
        return words

    def _areas(self, lines: Sequence[Line]) -> list[Area]:
        needed: dict[str, float] = {}
        for line in lines:
            for folder, size in line.bytes.items():
                needed[folder] = needed.get(folder, 0.0) + size
        found = []
        for name, area in self.machine.storage.items():
            if area.holds:
                size = sum(needed.get(folder, 0.0) for folder in area.holds)
                found.append(Area(name, area.path, size, area.size_gb * 1e9 if area.size_gb else None, area.purge_days))
        return found or [Area("results and stage", ".", sum(needed.values()), None, None)]

    def _quotas(self, areas: Sequence[Area]) -> list[str]:
        return [
            f"storage {area.name} ({area.path}): {area.needed / 1e9:,.0f} GB are more than the quota of {area.quota / 1e9:,.0f} GB"
            for area in areas
            if area.quota and area.needed > area.quota
        ]

    def _queue(self, lines: Sequence[Line]) -> list[str]:
        if not self.machine.is_slurm:
            return []
        queued, jobs = self.machine.scheduler.queued, sum(line.left for line in lines)
        words = [f"{jobs} jobs" + (f"; at most {queued} are in the queue at a time" if queued else "")]
        for line in lines:
            if line.segments > 1 and line.left:
                words.append(
                    f"{line.stage} {line.what}: {line.segments} jobs in turn of at most {(line.limit_minutes or 0) / 60:g} h"
                )
        return words
