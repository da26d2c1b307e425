"""What each job depends on: one canonical, keyed JSON per job.

These settings are the job's only parameter under Snakemake, the `--settings` of its command, and the
`settings` of its sidecar. They hold everything of the recipe that can change the job's result, and nothing
else, so a change of the recipe reruns exactly the jobs whose settings changed and what follows from them.
`code` is the digest of the stage's source, `environment` that of its lock or container image.
"""

from __future__ import annotations

from typing import Any

from ..common.canonical import canonical_json
from ..common.environments import ENVIRONMENTS
from ..provenance.digest import code_digest
from ..provenance.environment import environment_digest
from .expand import origin
from .schema.evaluation import Benchmark
from .schema.judging import judge_of
from .schema.models import Model
from .schema.recipe import Recipe
from .schema.sources import Source
from .schema.traces import TraceRun

ENTRY_MODULES = {
    "questions": ["questions.curate"],
    "questions.rated": ["questions.rated"],
    "traces": ["traces.generate"],
    "verdicts": ["verdicts.verify"],
    "verdicts.agreement": ["verdicts.agreement"],
    "datasets": ["datasets.assemble"],
    "models.fetch": ["models.fetch"],
    "models.train": ["models.train"],
    "scores": ["scores.score", "scores.files"],
    "drafts": ["drafts.measure"],
    "report": ["report.write"],
}
VERIFIER_MODULES = {
    "math_verify": ["verdicts.math"],
    "code": ["verdicts.code"],
    "judge": ["verdicts.judge"],
    "combined": ["verdicts.combine"],
    "exact": ["verdicts.exact"],
    "choice": ["verdicts.choice"],
    "instructions": ["verdicts.instructions"],
    "rating": ["verdicts.rating"],
    "none": [],
}
"""verdicts.verify loads the verifier in use by name, so one verifier's code does not rerun another's verdicts."""


def modules_of_verifier(verifier: dict[str, Any]) -> list[str]:
    """The modules that judge by these settings of a verifier, those of its parts (parser, judge) among them."""
    parts = [verifier[side] for side in ("parser", "judge") if side in verifier]
    return VERIFIER_MODULES[verifier["verifier"]] + [name for part in parts for name in modules_of_verifier(part)]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _with_digests(stage: str, settings: dict[str, Any], modules: list[str] | None = None) -> dict[str, Any]:
    noun = stage.partition(".")[0]
    return {
        **settings,
        "code": code_digest(*(ENTRY_MODULES[stage] + (modules or []))),
        "environment": environment_digest(ENVIRONMENTS[noun]),
    }


def question_set(recipe: Recipe, name: str) -> Any:
    """The training set or benchmark called `name`."""
    return recipe.questions.get(name) or recipe.benchmarks[name]


def questions(recipe: Recipe, name: str) -> dict[str, Any]:
    """Settings of `curate_questions`."""
    chosen = question_set(recipe, name)
    if chosen.rated:
        rule = {"rated": _plain(chosen.rated), "partition": _plain(chosen.partition), "limit": chosen.limit}
        return _with_digests("questions.rated", {"set": name, "domain": chosen.domain, "shards": chosen.shards, **rule})
    return _with_digests(
        "questions",
        {
            "set": name,
            "domain": chosen.domain,
            "shards": chosen.shards,
            "sources": [
                {"name": key, **source.model_dump(mode="json", exclude={"licence", "credit"})}
                for key, source in chosen.sources.items()
            ],
            "deduplicate": _plain(chosen.deduplicate),
            "partition": _plain(chosen.partition),
            "limit": chosen.limit,
        },
    )


def sources_of(recipe: Recipe, name: str) -> dict[str, Source]:
    """The sources of a question set, or of the set that it was chosen from."""
    chosen = question_set(recipe, name)
    while chosen.rated:
        chosen = question_set(recipe, chosen.rated.questions)
    return chosen.sources


def engine_of(recipe: Recipe, name: str) -> dict[str, Any]:
    """Engine settings of a model: its own, or those of the model that it was trained from."""
    model = recipe.models[name]
    while model.engine is None and model.base is not None:
        model = recipe.models[model.base]
    return _plain(model.engine) if model.engine else {}


def _endpoint(model: Model) -> dict[str, Any] | None:
    return _plain(model.endpoint) if model.endpoint else None


def answerer(recipe: Recipe, name: str, set_name: str) -> dict[str, Any]:
    """Who answers `set_name` in traces/{name}/, and how: a trace run on training questions, or a model on a benchmark."""
    if set_name in recipe.benchmarks:
        benchmark: Benchmark = recipe.benchmarks[set_name]
        protocol = recipe.evaluation
        return {
            "model": name,
            "samples": benchmark.samples or protocol.samples,
            "sampling": benchmark.sampling or protocol.sampling,
            "prompt": benchmark.prompt or protocol.prompt,
        }
    run = recipe.traces[name]
    return {
        "model": run.model,
        "samples": run.samples,
        "sampling": run.sampling,
        "prompt": run.prompt,
        **run.model_dump(include=TraceRun.LATER),
    }


def traces(recipe: Recipe, name: str, set_name: str) -> dict[str, Any]:
    """Settings of `generate_traces`: traces/{name}/{set_name}/."""
    how = answerer(recipe, name, set_name)
    domain = question_set(recipe, set_name).domain
    return _with_digests(
        "traces",
        {
            "model": how["model"],
            "engine": engine_of(recipe, how["model"]),
            "endpoint": _endpoint(recipe.models[how["model"]]),
            "samples": how["samples"],
            "sampling": _plain(how["sampling"]),
            "prompt": _plain(recipe.prompts[how["prompt"]][domain]),
            "seed": recipe.seed,
            **{key: how[key] for key in TraceRun.LATER & how.keys()},
        },
    )


def verifier_of(recipe: Recipe, set_name: str) -> Any:
    """The verifier of a question set: its own, or its domain's, or none."""
    chosen = question_set(recipe, set_name)
    return chosen.verifier or recipe.verdicts.get(chosen.domain)


def verdicts(recipe: Recipe, set_name: str) -> dict[str, Any]:
    """Settings of `verify_traces` for a question set, whoever answered."""
    chosen = verifier_of(recipe, set_name)
    verifier = _plain(chosen) or {"verifier": "none"}
    settings: dict[str, Any] = {"verifier": verifier}
    environment = ENVIRONMENTS["verdicts"]
    if judge := judge_of(chosen):
        settings["seed"] = recipe.seed
        settings["engine"] = engine_of(recipe, judge.model)
        settings["endpoint"] = _endpoint(recipe.models[judge.model])
        if settings["endpoint"] is None:  # its weights are served by another environment than the verifier's
            settings["judge_environment"] = environment_digest(ENVIRONMENTS["traces"])
            if "container" in settings["judge_environment"]:  # that image holds both
                environment = ENVIRONMENTS["traces"]
    return _with_digests("verdicts", settings, modules_of_verifier(verifier)) | {
        "environment": environment_digest(environment)
    }


def agreement(recipe: Recipe, set_name: str) -> dict[str, Any]:
    """Settings of `verdict_agreement`: nothing but the code, for the verdicts themselves say who judged and how."""
    return _with_digests("verdicts.agreement", {})


def decontaminated_against(recipe: Recipe, name: str) -> list[str]:
    """Names of the benchmarks that a dataset is decontaminated against."""
    rule = recipe.datasets[name].decontaminate
    if rule is None:
        return []
    return sorted(recipe.benchmarks) if rule.benchmarks == "all" else sorted(rule.benchmarks)


def datasets(recipe: Recipe, name: str) -> dict[str, Any]:
    """Settings of `assemble_dataset`."""
    chosen = recipe.datasets[name]
    sets = sorted({each for run in chosen.traces for each in recipe.traces[run].questions})
    sources = {
        key: {"licence": source.licence, "credit": source.credit}
        for each in sets
        for key, source in sources_of(recipe, each).items()
    }
    models = {recipe.traces[each].model for run in chosen.traces for each in origin(recipe, run)}
    return _with_digests(
        "datasets",
        {
            "dataset": name,
            "recipe": recipe.name,
            **_plain(chosen),
            "decontaminate_against": decontaminated_against(recipe, name),
            "prompts": {domain: _plain(prompt) for domain, prompt in recipe.prompts[chosen.prompt].items()},
            "sources": sources,
            "teachers": {
                each: {"licence": recipe.models[each].licence, "credit": recipe.models[each].credit}
                for each in sorted(models)
            },
            "seed": recipe.seed if chosen.seed is None else chosen.seed,
        },
    )


def fetch(recipe: Recipe, name: str) -> dict[str, Any]:
    """Settings of `fetch_model`."""
    model = recipe.models[name]
    return _with_digests(
        "models.fetch",
        {
            "model": name,
            **{
                key: _plain(getattr(model, key))
                for key in ("hub", "package", "local", "licence", "credit", "context_length")
            },
            **({"changes": _plain(model.changes)} if model.changes else {}),
        },
    )


def train(recipe: Recipe, name: str) -> dict[str, Any]:
    """Settings of `train_model`; stages and seeds have been expanded, so a trained model has one stage."""
    model = recipe.models[name]
    (stage,) = model.stages
    return _with_digests("models.train", {"model": name, "base": model.base, **_plain(stage)})


def scores(recipe: Recipe, benchmark: str) -> dict[str, Any]:
    """Settings of `score_model` on a benchmark."""
    how = answerer(recipe, "", benchmark)
    return _with_digests(
        "scores",
        {
            "benchmark": benchmark,
            "samples": how["samples"],
            "sampling": _plain(how["sampling"]),
            "prompt": _plain(recipe.prompts[how["prompt"]][question_set(recipe, benchmark).domain]),
            "verifier": _plain(verifier_of(recipe, benchmark)),
        },
    )


def drafts(recipe: Recipe, name: str) -> dict[str, Any]:
    """Settings of `measure_draft`."""
    chosen = recipe.drafts[name]
    domains = {question_set(recipe, each).domain for each in chosen.questions}
    return _with_digests(
        "drafts",
        {
            **chosen.model_dump(mode="json", exclude={"published", "source"}),
            "target_dtype": engine_of(recipe, chosen.target).get("dtype", "auto"),
            "draft_dtype": engine_of(recipe, chosen.draft).get("dtype", "auto"),
            "prompts": {domain: _plain(recipe.prompts[chosen.prompt][domain]) for domain in sorted(domains)},
        },
    )


def report(recipe: Recipe) -> dict[str, Any]:
    """Settings of `write_report`: the whole recipe, since the report shows it."""
    return _with_digests("report", {"recipe": recipe.model_dump(mode="json", exclude_defaults=True)})


def text(settings: dict[str, Any]) -> str:
    """Settings as the one canonical JSON text that is compared between runs."""
    return canonical_json(settings)
