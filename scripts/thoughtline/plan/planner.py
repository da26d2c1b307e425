"""From a recipe and a machine to its plan. Refuses what does not fit, and says what would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..common.errors import UserError
from ..machines.demands import Demands
from ..machines.place import Place, Placer
from ..machines.schema import Machine
from ..recipe.order import tokens_of
from ..recipe.paths import Paths
from ..recipe.schema.judging import judge_of
from ..recipe.schema.recipe import Recipe
from ..recipe.schema.training import Stage
from ..recipe.settings import answerer, question_set, verifier_of
from . import choice, memory, places, probe, storage
from .calibration import calibrate
from .done import Done
from .expected import Expected
from .fit import Fit, check_here
from .generation import IN_FLIGHT, GenerationRun, alone_seconds, start_seconds
from .layout import Layout
from .lengths import Lengths
from .measured import Measured
from .models import Models
from .plan import Line, Plan
from .rates import Gpu, Rates
from .training import TrainingRun, working_bytes
from .work import Item, Work

JUDGEMENT = 200.0
"""Tokens of a judge's reply: a sentence of reasons and a word."""
TEXT = 3.5
"""Bytes of a token of text, uncompressed."""
STRAGGLER = 1.43
"""Time of the slowest of 8 and of 16 evaluation jobs over their mean, as published for Leonardo (1.39 and 1.47)."""
PROBED = 0.15
"""Standard deviation of the logarithm of measured over predicted time after a probe; assumed, since lengths of rows still differ and the
probe is short (docs/plan.md has what the demo's was)."""
DRAFTS = 0.5
"""Standard deviation of the logarithm of measured over predicted time of draft models: a guess, since nothing was published to fit."""
ACROSS = (
    "tensor parallel over nodes: its all-reduces of each layer go over the network, which is not in the model of cost; "
    "tensor parallel inside a node and pipeline parallel between nodes is faster"
)


class Planner:
    """Plans one recipe on one machine."""

    def __init__(
        self, recipe: Recipe, machine: Machine, paths: Paths, placer: Placer, done: Done, concurrency: int = 64,
        rates: Rates | None = None,
    ) -> None:  # fmt: skip
        """`concurrency`: requests in flight to a server (`execution.concurrency`)."""
        self.recipe, self.machine, self._paths, self._placer, self._done = recipe, machine, paths, placer, done
        self._layout = Layout(recipe, machine, placer, concurrency)
        self._demands = Demands(recipe, machine, self._layout.gpus)
        self._models = Models(recipe, paths)
        probed = done.probe()
        self._measured = Measured(probed, machine, self._models)
        self._expected = Expected(recipe, paths, done, probed)
        self._concurrency = min(concurrency, IN_FLIGHT)
        self._rates = rates or calibrate()[0]

    @property
    def root(self) -> str:
        """The recipe's results."""
        return self._paths.root

    @property
    def probed(self) -> bool:
        """Whether rates of this machine were measured."""
        return self._measured.date is not None

    def plan(self) -> Plan:
        """The plan.

        Raises:
            UserError: nobody knows how many questions there are, a job fits nowhere, or a model does not fit into the GPUs.
        """
        self._expected.check()
        work = Work(self.recipe, self._paths, self._demands)
        fit = Fit(self.recipe, self.machine, self._placer, self._layout, self._models)
        fit.check(work.items.values())
        self._placer.check(self._demands.needed(self._paths))
        lines = [self._line(item) for item in work.items.values()]
        if not self.machine.is_slurm:
            left = [item for item, line in zip(work.items.values(), lines, strict=True) if line.left]
            check_here(self._models, (name for item in left if (name := fit.loaded(item))))
        placed = [self._placer.place(item.demand) for item in work.items.values() if item.demand.gpus]
        nodes = [node for place in placed if (node := places.node_of(self.machine, place))]
        price = next((node.price for node in nodes if node.price), None)
        source = f"a probe of {self._measured.date}" if self._measured.date else self._rates.source
        rates = replace(self._rates, source=source)
        plan = Plan(self.recipe.name, self.machine.name, rates, lines, work.targets, not self.machine.is_slurm, price)
        plan.probed = self.probed
        plan.areas = storage.areas(self.machine, lines)
        plan.limits = places.queue(self.machine, lines)
        plan.exceeded = [*storage.exceeded(self.machine, lines, work.targets), *places.too_long(lines)]
        return plan

    def collect(self) -> dict[str, Any]:
        """What a probe's files tell: work/probe.json."""
        return probe.collect(self.recipe, choice.Probe(self.recipe, self._paths, self.machine), self._models)

    def _line(self, item: Item) -> Line:
        line = Line(item.key, item.after)
        place = self._placer.place(item.demand)
        line.nodes, line.gpus = place.nodes, place.nodes * place.gpus
        line.resumable = item.demand.resumable
        if place.partition:
            partition = self.machine.partitions[place.partition]
            line.node_gpus, line.shared = self.machine.node_of(place.partition).gpus, partition.shared
            line.where, line.limit_minutes = f"{place.partition}/{place.qos}", place.minutes
        getattr(self, f"_{item.stage}")(line, place, *item.names)
        return line

    def _finished(self, line: Line, place: Place, jobs: int, finished: int) -> None:
        line.jobs, line.left = jobs, jobs - finished
        line.done = finished / jobs
        line.at_once = places.at_once(self.machine, place, line.left or 1)

    def _questions(self, line: Line, place: Place, set_name: str) -> None:
        rows = self._expected.rows(set_name)
        line.rows = rows
        line.bytes = {"results": rows * self._expected.prompt * TEXT}
        self._finished(line, place, 1, int(self._done.questions(set_name) is not None))

    def _fetch(self, line: Line, place: Place, model: str) -> None:
        weights = self._models.weights(model)
        published = self.recipe.models[model]
        # The same bytes: `models fetch` links what was staged.
        line.bytes = {"stage" if published.hub else "results": weights}
        self._finished(line, place, 1, int(self._done.model(model)))

    def _traces(self, line: Line, place: Place, name: str, set_name: str) -> None:
        how = answerer(self.recipe, name, set_name)
        shards, done = question_set(self.recipe, set_name).shards, self._done.traces(name, set_name)
        total = self._expected.rows(set_name) * how["samples"]
        left = max(0, total - done.rows)
        self._finished(line, place, shards, done.shards)
        line.done = min(1.0, done.rows / total) if total else 1.0
        self._generate(line, place, how["model"], left, self._expected.replies(name, set_name), answerer_name=name)
        # The rows, and the journal that they were collected in.
        tokens = total * self._expected.replies(name, set_name).longer(self._expected.prompt).mean
        line.bytes = {"results": 2 * tokens * TEXT}
        if set_name in self.recipe.benchmarks and shards > 1:
            line.notes.append(f"the slowest job may take {STRAGGLER:.2f} times the mean")

    def _verdicts(self, line: Line, place: Place, name: str, set_name: str) -> None:
        shards, finished = question_set(self.recipe, set_name).shards, self._done.verdicts(name, set_name)
        self._finished(line, place, shards, finished)
        line.rows = self._expected.rows(set_name) * answerer(self.recipe, name, set_name)["samples"] * (1 - line.done)
        judge = judge_of(verifier_of(self.recipe, set_name))
        if judge:
            line.judge = judge.model
            replies = Lengths.of(JUDGEMENT, limit=judge.sampling.max_tokens)
            self._generate(line, place, judge.model, line.rows, replies, answerer_name=judge.model)

    def _datasets(self, line: Line, place: Place, name: str) -> None:
        rows, lengths, most = self._expected.dataset(name)
        line.rows, line.tokens = rows, rows * lengths.mean
        line.bytes = {"results": 2 * rows * lengths.mean * TEXT}
        line.notes += ["rows are the most that there can be: give expect.datasets a number"] if most else []
        line.notes += [words] if (words := self._expected.short_of(name)) else []
        self._finished(line, place, 1, int(self._done.dataset(name) is not None))

    def _scores(self, line: Line, place: Place, model: str, benchmark: str) -> None:
        self._finished(line, place, 1, int(self._done.scores(model, benchmark)))

    def _drafts(self, line: Line, place: Place, name: str) -> None:
        chosen = self.recipe.drafts[name]
        self._finished(line, place, 1, int(self._done.draft(name)))
        replies = [
            (min(chosen.limit, self._expected.rows(each)), tokens_of(self.recipe, each)) for each in chosen.questions
        ]
        line.rows = sum(rows for rows, _ in replies)
        # Each question is answered with the draft and without it.
        line.tokens = 2 * sum(rows * Lengths.of(tokens, limit=chosen.max_tokens).mean for rows, tokens in replies)
        line.computes, line.spread = True, DRAFTS
        architecture, gpu = (
            self._models.architecture(chosen.target),
            places.gpu_of(self.machine, place, f"drafts.{name}"),
        )
        line.flops = line.tokens * architecture.decoding(0)
        if gpu is not None:
            line.hours = (start_seconds(architecture) + alone_seconds(architecture, gpu, line.tokens)) / 3600

    def _report(self, line: Line, place: Place) -> None:
        self._finished(line, place, 1, int(self._done.report()))

    def _generate(
        self, line: Line, place: Place, model: str, requests: float, replies: Lengths, answerer_name: str
    ) -> None:
        """Fill in what `requests` to a model take, in the jobs that are left."""
        line.rows, line.tokens = requests, requests * replies.mean
        if self.recipe.models[model].endpoint is not None:
            line.notes.append("asks a service: its time and its price are not known here")
            return
        line.computes = True
        gpu = places.gpu_of(self.machine, place, f"models.{model}.engine")
        serving = self._layout.server(model, self._models.architecture(model))
        run = GenerationRun(serving, requests / max(1, line.left), self._expected.prompt, replies, self._concurrency)
        line.flops = run.flops * line.left
        if gpu is not None:
            line.held = serving.context(gpu) * serving.data / run.mean_context
            line.fit = f"tensor {serving.tensor} x pipeline {serving.pipeline}" + (
                f" x data {serving.data}" if serving.data > 1 else ""
            )
            line.fit += " (chosen)" if self._layout.chosen(model) else ""
            if serving.tensor > gpu.per_node:
                line.notes.append(ACROSS)
            if min(line.held, run.requests) > 1.5 * self._concurrency:
                line.notes.append(
                    f"a server holds the context of more requests than execution.concurrency, {self._concurrency}, sends it"
                )
        measured = self._measured.generation(answerer_name, line.key[1][-1], model, run.tokens)
        if measured is not None:
            line.hours, line.spread = measured / 3600, PROBED
        elif gpu is not None:
            line.hours = (start_seconds(serving.architecture) + run.seconds(gpu, self._rates)) / 3600
            line.spread = self._rates.generation_spread
        if not requests:
            line.hours = 0.0

    def _training_run(self, model: str, stage: Stage) -> TrainingRun:
        rows, lengths, _ = self._expected.dataset(stage.dataset)
        return TrainingRun(
            self._models.architecture(model), rows, lengths, stage.epochs, stage.max_length, stage.global_batch, stage.micro_batch,
            stage.ranks, stage.packing, stage.gradient_checkpointing, self._layout.zero(model).stage, masked=True,
        )  # fmt: skip

    def _train(self, line: Line, place: Place, model: str) -> None:
        (stage,) = self.recipe.models[model].stages
        run = self._training_run(model, stage)
        made = self._done.model(model)
        self._finished(line, place, 1, int(made))
        line.done = 1.0 if made else min(1.0, self._done.steps(model) / run.steps)
        share = 1 - line.done
        line.computes, line.rows = True, run.rows * stage.epochs * share
        line.tokens, line.flops = run.tokens * share, run.flops * share
        line.bytes = {"results": self._models.weights(model)}
        gpu = places.gpu_of(self.machine, place, f"models.{model}.stages")
        if gpu is not None:
            line.fit = self._zero(model, stage, run, gpu, place)
            if stage.precision == "float32":
                line.notes.append("hours are those of bfloat16; float32 takes several times as long")
        measured = self._measured.training(model, run, share)
        if measured is not None:
            line.hours, line.spread = measured / 3600, PROBED
        elif gpu is not None:
            line.hours = run.seconds(gpu, self._rates) * share / 3600
            line.spread = self._rates.training_spread
        if gpu is not None and line.limit_minutes and not made:
            # Its first checkpoint comes after its first step.
            least = start_seconds(run.architecture) + run.seconds(gpu, self._rates) / run.steps
            if 60 * line.limit_minutes <= least:
                what = f"takes about {least:.0f} s to its first checkpoint, and {places.ends_after(place)}: it would never get on"
                raise UserError(f"models.{model}.stages", what, places.LONGER)
        if made:
            line.hours = 0.0
        # On a cluster a checkpoint is written after the first step too, and at the end of each segment.
        written = (run.steps - 1) // stage.save_steps + (line.segments if line.limit_minutes else 0)
        line.temporary = working_bytes(run, self._models.weights(model), written)

    def _zero(self, model: str, stage: Stage, run: TrainingRun, gpu: Gpu, place: Place) -> str:
        """Words on a training's memory."""
        host, zero = place.mem_mb * 2**20 / place.gpus, self._layout.zero(model)
        found = memory.need(run.architecture, stage, zero, stage.ranks)
        chosen = " (chosen)" if stage.zero == "auto" else ""
        words = f"{memory.words(zero)}{chosen}: {found.gpu / 1e9:.0f} of {gpu.memory / 1e9:.0f} GB"
        if stage.gradient_checkpointing:
            words += ", activations recomputed"
        least = memory.least(run.architecture, stage, stage.ranks, gpu, host)
        if least and least != zero and memory.settings_before(least, zero):
            words += f"; {memory.words(least)} would fit too"
        return words
