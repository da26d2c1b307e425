"""Where each artifact of a recipe is, and what it is made from: the graph of a recipe, as file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..common.rows import shard_name
from ..stage.needs import Need, of_model, of_question_set, of_recipe
from .expand import group, origin
from .schema.judging import Combined, judge_of
from .schema.recipe import Recipe
from .settings import decontaminated_against, question_set, verifier_of


class Paths:
    """File names under `results/{recipe}/`. Each method returns what Snakemake needs: strings and lists of strings."""

    def __init__(self, recipe: Recipe, results: str, stage: str = "stage") -> None:
        self.recipe, self.root, self.stage = recipe, f"{results}/{recipe.name}", stage

    def shards(self, set_name: str) -> list[str]:
        """["0000", "0001", ...]"""
        return [shard_name(number) for number in range(question_set(self.recipe, set_name).shards)]

    def rows(self, kind: str, *folders: str) -> list[str]:
        """All shards of questions/{set}, traces/{answerer}/{set} or verdicts/{answerer}/{set}."""
        return [f"{self.root}/{kind}/{'/'.join(folders)}/{shard}.parquet" for shard in self.shards(folders[-1])]

    def model(self, name: str) -> str:
        """A model's manifest."""
        return f"{self.root}/models/{name}/model.json"

    def model_if_local(self, name: str) -> list[str]:
        """The manifest of a model with weights; nothing for an endpoint."""
        return [] if self.recipe.models[name].endpoint else [self.model(name)]

    def traces_work(self, answerer: str, set_name: str, shard: str) -> str:
        """Where the journal of traces/{answerer}/{set}/{shard} is."""
        return f"{self.root}/work/traces/{answerer}/{set_name}/{shard}"

    def sharing_plan(self, answerer: str) -> str:
        """What an answerer's jobs may do for each other (traces/helping.py)."""
        return f"{self.root}/work/sharing/{answerer}/plan.json"

    def rewritten(self, answerer: str, set_name: str, shard: str) -> list[str]:
        """The traces that traces/{answerer}/{set_name}/{shard} are written anew from."""
        if set_name in self.recipe.benchmarks or (run := self.recipe.traces[answerer].rewrites) is None:
            return []
        return [f"{self.root}/traces/{run}/{set_name}/{shard}.parquet"]

    def rated_inputs(self, set_name: str) -> dict[str, list[str]]:
        """Named inputs of a question set that is chosen by rating: the set to choose from, and what was said of it."""
        rated = question_set(self.recipe, set_name).rated
        return {
            "questions": self.rows("questions", rated.questions),
            "traces": self.rows("traces", rated.traces, rated.questions),
        }

    def answerer_model(self, answerer: str, set_name: str) -> list[str]:
        """Weights that traces/{answerer}/{set_name} need."""
        name = answerer if set_name in self.recipe.benchmarks else self.recipe.traces[answerer].model
        return self.model_if_local(name)

    def judge_model(self, set_name: str) -> list[str]:
        """Weights that the judge of a question set needs."""
        judge = judge_of(verifier_of(self.recipe, set_name))
        return self.model_if_local(judge.model) if judge else []

    def agreement(self, answerer: str, set_name: str) -> str:
        """How far the judge and the parser of a question set agree on one answerer's traces."""
        return f"{self.root}/agreement/{answerer}/{set_name}.json"

    def agreements(self) -> list[tuple[str, str]]:
        """(answerer, question set) of the targets' verdicts whose verifier hears both sides on every trace."""
        datasets = self.datasets_in_use() or list(self.recipe.datasets)
        pairs = [pair for name in datasets for pair in self.trace_sets(name)]
        pairs += [(model, each) for model in self.evaluated() for each in self.benchmarks()]
        if not pairs:
            pairs = [(name, each) for name, run in self.recipe.traces.items() for each in run.questions]
        verifiers = {pair: verifier_of(self.recipe, pair[1]) for pair in pairs}
        return [pair for pair, each in verifiers.items() if isinstance(each, Combined) and each.hears_both]

    def runs_in_use(self) -> list[tuple[str, str]]:
        """(trace run, question set) pairs that the targets are made from: those of the datasets, what they rewrite, and what
        rated their questions."""
        recipe = self.recipe
        names = self.datasets_in_use() or list(recipe.datasets)
        queue = [pair for name in names for pair in self.trace_sets(name)]
        if not recipe.datasets:
            queue = [(name, each) for name, run in recipe.traces.items() for each in run.questions]
        found: list[tuple[str, str]] = []
        while queue:
            run, set_name = pair = queue.pop(0)
            if pair in found:
                continue
            found.append(pair)
            queue += [(each, set_name) for each in origin(recipe, run)[1:]]
            if rated := question_set(recipe, set_name).rated:
                queue.append((rated.traces, rated.questions))
        return found

    def judged_runs(self) -> list[str]:
        """Trace runs whose traces are judged: those that datasets are made from, or all where there is no dataset."""
        runs = {run for dataset in self.recipe.datasets.values() for run in dataset.traces}
        return [name for name in self.recipe.traces if name in runs or not self.recipe.datasets]

    def trace_sets(self, dataset: str) -> list[tuple[str, str]]:
        """(trace run, question set) pairs that a dataset is made from."""
        return [
            (run, each) for run in self.recipe.datasets[dataset].traces for each in self.recipe.traces[run].questions
        ]

    def dataset_inputs(self, dataset: str) -> dict[str, Any]:
        """Named inputs of `assemble_dataset`."""
        chosen, pairs = self.recipe.datasets[dataset], self.trace_sets(dataset)
        inputs: dict[str, Any] = {
            "questions": [
                path for each in dict.fromkeys(pair[1] for pair in pairs) for path in self.rows("questions", each)
            ],
            "traces": [path for pair in pairs for path in self.rows("traces", *pair)],
            "verdicts": [path for pair in pairs for path in self.rows("verdicts", *pair)],
            "benchmarks": [
                path for each in decontaminated_against(self.recipe, dataset) for path in self.rows("questions", each)
            ],
            "tokenizer": [self.model(chosen.tokenizer)] if chosen.tokenizer else [],
            "same": [f"{self.dataset(chosen.same_questions_as)}/rows.parquet"] if chosen.same_questions_as else [],
        }
        return inputs

    def dataset(self, name: str) -> str:
        """A dataset's folder."""
        return f"{self.root}/datasets/{name}"

    def evaluated(self) -> list[str]:
        """Models to score, groups of seeds written out."""
        return [each for name in self.recipe.targets.evaluate for each in group(self.recipe, name)]

    def benchmarks(self) -> list[str]:
        """Benchmarks to score on."""
        chosen = self.recipe.targets.benchmarks
        return list(self.recipe.benchmarks) if chosen == "all" else list(chosen)

    def scores(self) -> list[str]:
        """Every score file of the targets."""
        return [f"{self.root}/scores/{model}/{each}.json" for model in self.evaluated() for each in self.benchmarks()]

    def trained(self) -> list[str]:
        """Names of models that are trained here."""
        return [name for name, model in self.recipe.models.items() if model.base is not None]

    def published(self) -> list[str]:
        """Names of models whose weights are fetched."""
        return [name for name, model in self.recipe.models.items() if model.base is None and model.endpoint is None]

    def datasets_in_use(self) -> list[str]:
        """Datasets that the evaluated models, or the models that they start from, learn from."""
        found: list[str] = []
        queue = [
            *self.evaluated(),
            *(name for draft in self.recipe.drafts.values() for name in (draft.target, draft.draft)),
        ]
        while queue:
            model = self.recipe.models[queue.pop()]
            found += [stage.dataset for stage in model.stages]
            queue += [model.base] if model.base else []
        return sorted(set(found))

    def targets(self) -> list[str]:
        """What `snakemake` makes by default: the report stands on everything else."""
        return [f"{self.root}/report/index.html"]

    def report_inputs(self) -> list[str]:
        """Artifacts that the report shows. With no benchmarks, the datasets alone."""
        found = self.scores()
        found += [f"{self.dataset(name)}/README.md" for name in (self.datasets_in_use() or self.recipe.datasets)]
        found += [self.model(name) for name in self.evaluated() if self.recipe.models[name].endpoint is None]
        found += [self.draft(name) for name in self.recipe.drafts]
        if not found:  # generation and verification alone
            found += [
                path
                for name, run in self.recipe.traces.items()
                for each in run.questions
                for path in self.rows("verdicts", name, each)
            ]
        return sorted({*found, *(self.agreement(*pair) for pair in self.agreements())})

    def draft(self, name: str) -> str:
        """What was measured of a draft model."""
        return f"{self.root}/drafts/{name}/measured.json"

    def draft_inputs(self, name: str) -> dict[str, Any]:
        """Named inputs of `measure_draft`."""
        chosen = self.recipe.drafts[name]
        return {
            "target": self.model(chosen.target),
            "draft": self.model(chosen.draft),
            "questions": [path for each in chosen.questions for path in self.rows("questions", each)],
        }

    def local_sources(self, set_name: str) -> list[str]:
        """Local files that a question set is read from."""
        return [source.local.path for source in question_set(self.recipe, set_name).sources.values() if source.local]

    def needs(self) -> dict[str, Need]:
        """Manifest in the stage -> what is needed of the hub."""
        return {str(need.manifest(self.stage)): need for need in of_recipe(self.recipe)}

    def sets_in_use(self) -> list[str]:
        """Question sets and benchmarks that the targets are made from."""
        datasets = self.datasets_in_use() or list(self.recipe.datasets)
        found = [each for _, each in self.runs_in_use()]
        found += [each for name in datasets for each in decontaminated_against(self.recipe, name)]
        found += self.benchmarks()
        found += [each for draft in self.recipe.drafts.values() for each in draft.questions]
        return sorted(set(found))

    def models_in_use(self) -> list[str]:
        """Models that the targets are made with: those that are scored, that answer, judge or count, and what they come from."""
        datasets = self.datasets_in_use() or list(self.recipe.datasets)
        queue = self.evaluated() + [self.recipe.traces[run].model for run, _ in self.runs_in_use()]
        queue += [name for each in datasets if (name := self.recipe.datasets[each].tokenizer)]
        queue += [name for draft in self.recipe.drafts.values() for name in (draft.target, draft.draft)]
        queue += [judge.model for each in self.sets_in_use() if (judge := judge_of(verifier_of(self.recipe, each)))]
        found: set[str] = set()
        while queue:
            name = queue.pop()
            base = self.recipe.models[name].base
            queue += [base] if base and name not in found else []
            found.add(name)
        return sorted(found)

    def staged(self) -> list[str]:
        """Manifests of all that the targets need of the hub."""
        found = [path for name in self.models_in_use() for path in self.staged_weights(name)]
        found += [path for name in self.sets_in_use() for path in self.staged_sources(name)]
        return list(dict.fromkeys(found))

    def staged_sources(self, set_name: str) -> list[str]:
        """Manifests of the hub data that a question set is read from."""
        return [str(need.manifest(self.stage)) for need in of_question_set(question_set(self.recipe, set_name))]

    def staged_weights(self, model: str) -> list[str]:
        """The manifest of a model that is read from the hub."""
        hub = self.recipe.models[model].hub
        return [str(of_model(hub.model_dump()).manifest(self.stage))] if hub else []

    def local_weights(self, model: str) -> list[str]:
        """Files of a model that is read from a local folder."""
        local = self.recipe.models[model].local
        return sorted(str(path) for path in Path(local.path).iterdir() if path.is_file()) if local else []

    def local_folders(self) -> list[str]:
        """Folders of the machine from which local models and sources are read."""
        sets = {**self.recipe.questions, **self.recipe.benchmarks}
        sources = [str(Path(path).parent) for name in sets for path in self.local_sources(name)]
        return sorted({*sources, *(model.local.path for model in self.recipe.models.values() if model.local)})

    def training_rows(self, model: str) -> str:
        """The rows that a student learns from. Not their card: a new credit trains nobody again."""
        return f"{self.dataset(self.recipe.models[model].stages[0].dataset)}/default/train.parquet"
