"""What the keys of a recipe must say together. Each check yields (key path, what is wrong, what would be right)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..common.environments import ROOT
from ..common.errors import UserError
from ..questions.filters import check_filter
from .expand import expand, origin, seed_names, with_questions
from .schema.evaluation import Benchmark
from .schema.judging import Combined, Rating, judge_of
from .schema.models import Model
from .schema.recipe import Recipe
from .settings import sources_of, verifier_of

Problem = tuple[tuple[Any, ...], str, str]


def _model_named(recipe: Recipe, name: str) -> Model | None:
    """The model called `name`, also where it is one seed of a group."""
    return expand(recipe).models.get(name)


def _one_model(recipe: Recipe, at: tuple[Any, ...], name: str, weights: bool = False) -> Iterator[Problem]:
    """`name` must be one model, not a group; with weights where these are needed."""
    model = _model_named(recipe, name)
    if model is None and name in recipe.models:
        seeds = seed_names(name, recipe.models[name])
        yield at, f"{name!r} is a group of seeds", f"name one of them: {', '.join(seeds)}"
    elif model is None:
        yield at, f"there is no model {name!r}", _known(expand(recipe).models)
    elif weights and model.endpoint is not None:
        yield at, f"{name!r} is an endpoint; its weights are not to be had", "name a model with weights"


def _known(names: Any) -> str:
    return f"known: {', '.join(sorted(names)) or 'none yet'}"


def _names(recipe: Recipe) -> Iterator[Problem]:
    for name in recipe.benchmarks:
        if name in recipe.questions:
            yield ("benchmarks", name), "is a training question set too", "a benchmark must have a name of its own"
    for name, run in recipe.traces.items():
        if name in recipe.models and run.model != name:
            yield (
                ("traces", name),
                f"bears the name of the model {name!r} but is answered by {run.model!r}",
                "rename the trace run: both have a folder under traces/",
            )
    for name in recipe.models:
        if re.search(r"-seed\d+$|\.stage\d+$", name):
            yield (
                ("models", name),
                "ends like the names that `seeds` and `stages` make",
                "another name, without -seedN or .stageN at its end",
            )


def _traces(recipe: Recipe) -> Iterator[Problem]:
    for name, run in recipe.traces.items():
        at = ("traces", name)
        yield from _one_model(recipe, (*at, "model"), run.model)
        if run.prompt not in recipe.prompts:
            yield (*at, "prompt"), f"there is no prompt {run.prompt!r}", _known(recipe.prompts)
        if not run.questions:
            yield (*at, "questions"), "is missing", "name question sets, or a run that this one rewrites"
        for set_name in run.questions:
            if set_name in recipe.benchmarks:
                yield (
                    (*at, "questions"),
                    f"{set_name!r} is a benchmark; training on it would make its scores worthless",
                    "name training question sets only",
                )
            elif set_name not in recipe.questions:
                yield (*at, "questions"), f"there is no question set {set_name!r}", _known(recipe.questions)
            elif run.prompt in recipe.prompts and recipe.questions[set_name].domain not in recipe.prompts[run.prompt]:
                domain = recipe.questions[set_name].domain
                yield (
                    (*at, "prompt"),
                    f"prompt {run.prompt!r} has no entry for domain {domain!r}",
                    f"add prompts.{run.prompt}.{domain}",
                )
        if len(set(run.questions)) != len(run.questions):
            yield (*at, "questions"), "names a set twice", "name each once"


def _rewriting(recipe: Recipe) -> Iterator[Problem]:
    """A run may rewrite traces of another, all of whose questions it asks about, one for one."""
    for name, run in recipe.traces.items():
        at = ("traces", name)
        if run.rewrites is None:
            continue
        chain = origin(recipe, name)
        last = recipe.traces[chain[-1]].rewrites
        if last is not None and last not in recipe.traces:
            yield ("traces", chain[-1], "rewrites"), f"there is no trace run {last!r}", _known(recipe.traces)
            return
        if last is not None:
            yield (
                (*at, "rewrites"),
                f"goes in a circle: {' -> '.join([*chain, last])}",
                "one run must answer questions itself",
            )
            return
        before = recipe.traces[run.rewrites]
        for each in run.questions:
            if each not in before.questions:
                yield (*at, "questions"), f"{each!r} was not asked in {run.rewrites!r}", _known(before.questions)
        yield from _fits(
            recipe, (*at, "sampling", "max_tokens"), run.model, run.sampling.max_tokens, before.sampling.max_tokens
        )


def _samples_of_rewriting(recipe: Recipe) -> Iterator[Problem]:
    for name, run in recipe.traces.items():
        if run.rewrites is not None and run.samples != 1:
            yield ("traces", name, "samples"), "each trace is rewritten once", "leave it out"


def _rated(recipe: Recipe) -> Iterator[Problem]:
    """A set that is chosen from another one needs a run that was asked about that one, before."""
    for name, benchmark in recipe.benchmarks.items():
        if benchmark.rated:
            yield ("benchmarks", name, "rated"), "is for training sets", "a benchmark has sources"
    for name, chosen in recipe.questions.items():
        at, rated = ("questions", name, "rated"), chosen.rated
        if rated is None:
            continue
        seen, current = [name], rated
        while current is not None:
            if current.questions in seen:
                yield (
                    (*at, "questions"),
                    f"goes in a circle: {' -> '.join([*seen, current.questions])}",
                    "one set must have sources",
                )
                return
            if current.questions not in recipe.questions:
                break
            seen.append(current.questions)
            current = recipe.questions[current.questions].rated
        if rated.questions not in recipe.questions:
            yield (*at, "questions"), f"there is no question set {rated.questions!r}", _known(recipe.questions)
        elif recipe.questions[rated.questions].domain != chosen.domain:
            domain = recipe.questions[rated.questions].domain
            yield ("questions", name, "domain"), f"{rated.questions!r} has the domain {domain!r}", domain
        if rated.traces not in recipe.traces:
            yield (*at, "traces"), f"there is no trace run {rated.traces!r}", _known(recipe.traces)
        elif rated.questions not in recipe.traces[rated.traces].questions:
            yield (
                (*at, "traces"),
                f"{rated.traces!r} was not asked about {rated.questions!r}",
                f"add it to traces.{rated.traces}.questions",
            )


def _drafts(recipe: Recipe) -> Iterator[Problem]:
    for name, chosen in recipe.drafts.items():
        at = ("drafts", name)
        yield from _one_model(recipe, (*at, "target"), chosen.target, weights=True)
        yield from _one_model(recipe, (*at, "draft"), chosen.draft, weights=True)
        if chosen.target == chosen.draft:
            yield (*at, "draft"), "is the target itself", "name a smaller model"
        if chosen.prompt not in recipe.prompts:
            yield (*at, "prompt"), f"there is no prompt {chosen.prompt!r}", _known(recipe.prompts)
        for each in chosen.questions:
            known = {**recipe.questions, **recipe.benchmarks}
            if each not in known:
                yield (*at, "questions"), f"there is no question set {each!r}", _known(known)
            elif chosen.prompt in recipe.prompts and known[each].domain not in recipe.prompts[chosen.prompt]:
                domain = known[each].domain
                yield (
                    (*at, "prompt"),
                    f"prompt {chosen.prompt!r} has no entry for domain {domain!r}",
                    f"add prompts.{chosen.prompt}.{domain}",
                )
        if chosen.target in expand(recipe).models:
            yield from _fits(recipe, (*at, "max_tokens"), chosen.target, chosen.max_tokens)


def _published(recipe: Recipe) -> Iterator[Problem]:
    for name, scores in recipe.published.scores.items() if recipe.published else ():
        if name not in recipe.models and name not in expand(recipe).models:
            yield ("published", "scores", name), "is no model of this recipe", _known(recipe.models)
        for benchmark in scores:
            if benchmark not in recipe.benchmarks:
                at = ("published", "scores", name, benchmark)
                yield at, "is no benchmark of this recipe", _known(recipe.benchmarks)


def _same_source(recipe: Recipe) -> Iterator[Problem]:
    """A benchmark must not be drawn from the very rows that a training set is drawn from."""

    def rows(source: Any) -> str:
        key = source.model_dump(mode="json", include={"hub", "local", "reasoning_gym", "where"}, exclude_none=True)
        key.get("reasoning_gym", {}).pop("size", None)
        return repr(sorted(key.items()))

    def apart(one: Any, other: Any) -> bool:
        one, other = one.partition, other.partition
        return bool(one and other and one.parts == other.parts and not set(one.keep) & set(other.keep))

    for name, benchmark in recipe.benchmarks.items():
        for key, source in benchmark.sources.items():
            for other_name, other in recipe.questions.items():
                for other_key, other_source in other.sources.items():
                    if rows(source) == rows(other_source) and not apart(benchmark, other):
                        yield (
                            ("benchmarks", name, "sources", key),
                            f"takes the same rows as questions.{other_name}.sources.{other_key}",
                            "give it another split, `where` or seed, or both sets a `partition` that keeps other parts",
                        )


def _models(recipe: Recipe) -> Iterator[Problem]:
    models = expand(recipe).models
    for name, model in recipe.models.items():
        at = ("models", name)
        if model.base is None:
            continue
        if model.base != name:
            yield from _one_model(recipe, (*at, "base"), model.base, weights=True)
        first = seed_names(name, model)[0]
        seen, current = [first], models[first]
        while current.base is not None:
            if current.base in seen or current.base == name:
                yield (
                    (*at, "base"),
                    f"goes in a circle: {' -> '.join([name, *seen[1:], current.base])}",
                    "a chain must end at published weights",
                )
                return
            if current.base not in models:
                return  # said above, or where that model stands
            seen.append(current.base)
            current = models[current.base]
        if current.endpoint is not None:
            continue
        for number, stage in enumerate(model.stages):
            where = (*at, "stages", number)
            if stage.dataset not in recipe.datasets:
                yield (*where, "dataset"), f"there is no dataset {stage.dataset!r}", _known(recipe.datasets)
            if current.context_length and stage.max_length > current.context_length:
                yield (
                    (*where, "max_length"),
                    f"{stage.max_length} tokens do not fit into the context of {seen[-1]!r} ({current.context_length})",
                    f"at most {current.context_length}",
                )


def _fits(recipe: Recipe, at: tuple[Any, ...], model: str, max_tokens: int, shown: int = 0) -> Iterator[Problem]:
    """`max_tokens` of reply must leave room for a prompt that shows a trace of up to `shown` tokens."""
    models = expand(recipe).models
    current = models.get(model) or models.get(
        seed_names(model, recipe.models[model])[0] if model in recipe.models else ""
    )
    served = None
    while current is not None:
        served = served or (current.engine.max_model_len if current.engine else None)
        served = served or current.context_length
        current = models.get(current.base) if current.base else None
    if served and shown and max_tokens + shown >= served:
        yield (
            at,
            f"a trace of up to {shown} tokens and {max_tokens} of reply do not fit into the context of {model!r} ({served})",
            f"less than {served - shown}" if served > shown else "a model with a longer context",
        )
    elif served and max_tokens >= served:
        yield (
            at,
            f"{max_tokens} tokens leave no room for the prompt in the context of {model!r} ({served})",
            f"less than {served}, or a larger engine.max_model_len",
        )


def _sampling(recipe: Recipe) -> Iterator[Problem]:
    for name, run in recipe.traces.items():
        yield from _fits(recipe, ("traces", name, "sampling", "max_tokens"), run.model, run.sampling.max_tokens)
        if run.samples > 1 and run.sampling.temperature == 0 and run.rewrites is None:
            yield (
                ("traces", name, "samples"),
                f"{run.samples} samples at temperature 0 are all the same",
                "1, or a temperature above 0",
            )
    if recipe.evaluation:
        for name in recipe.targets.evaluate:
            if name in recipe.models:
                yield from _fits(
                    recipe, ("evaluation", "sampling", "max_tokens"), name, recipe.evaluation.sampling.max_tokens
                )
                for key, benchmark in recipe.benchmarks.items():
                    if benchmark.sampling:
                        at = ("benchmarks", key, "sampling", "max_tokens")
                        yield from _fits(recipe, at, name, benchmark.sampling.max_tokens)
        if recipe.evaluation.samples > 1 and recipe.evaluation.sampling.temperature == 0:
            yield ("evaluation", "samples"), "runs at temperature 0 are all the same", "1, or a temperature above 0"


def _judge_at(at: tuple[Any, ...], verifier: Any) -> tuple[Any, ...]:
    """Where the judge of the verifier at `at` stands."""
    return (*at, "judge") if isinstance(verifier, Combined) else at


def _instructions(recipe: Recipe) -> Iterator[Problem]:
    """A set that is judged by its instructions must have them."""
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            verifier = verifier_of(recipe, name)
            if verifier is None or verifier.verifier != "instructions":
                continue
            for key, source in chosen.sources.items():
                if source.fields.instructions is None:
                    yield (
                        (kind, name, "sources", key, "fields"),
                        "names no column of instructions, but the verifier `instructions` judges by them",
                        "instructions and instruction_arguments (IFEval: instruction_id_list and kwargs)",
                    )


def _written_verifiers(recipe: Recipe) -> Iterator[tuple[tuple[Any, ...], Any, str]]:
    """(key path, verifier, domain) of each verifier that the recipe names: a domain's, or a set's own."""
    for domain, verifier in recipe.verdicts.items():
        yield ("verdicts", domain), verifier, domain
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            if chosen.verifier:
                yield (kind, name, "verifier"), chosen.verifier, chosen.domain


def _verifiers(recipe: Recipe) -> Iterator[Problem]:
    for at, verifier, domain in _written_verifiers(recipe):
        if judge := judge_of(verifier):
            yield from _one_model(recipe, (*_judge_at(at, verifier), "model"), judge.model)
        if verifier.verifier == "code" and domain != "code":
            yield (
                (*at, "verifier"),
                f"unit tests cannot judge the domain {domain!r}",
                "math_verify, exact, choice, judge or none",
            )
    yield from _instructions(recipe)
    used = {run for dataset in recipe.datasets.values() for run in dataset.traces}
    judged = used or set(recipe.traces)
    asked = {("traces", name): set(run.questions) for name, run in recipe.traces.items() if name in judged}
    for at, sets in asked.items():
        for each in sets & set(recipe.questions):
            if verifier_of(recipe, each) is None:
                yield (
                    ("verdicts",),
                    f"has no verifier for domain {recipe.questions[each].domain!r} (asked in {'.'.join(at)})",
                    "add one, or `verifier: none`",
                )
    for name, benchmark in recipe.benchmarks.items():
        verifier = verifier_of(recipe, name)
        if verifier is None or verifier.verifier == "none":
            yield (
                ("benchmarks", name),
                f"has no verifier for domain {benchmark.domain!r}",
                "a benchmark needs one: set verdicts or its own verifier",
            )


def _datasets(recipe: Recipe) -> Iterator[Problem]:
    for name, dataset in recipe.datasets.items():
        at = ("datasets", name)
        for run in dataset.traces:
            if run not in recipe.traces:
                yield (*at, "traces"), f"there is no trace run {run!r}", _known(recipe.traces)
        if dataset.prompt not in recipe.prompts:
            yield (*at, "prompt"), f"there is no prompt {dataset.prompt!r}", _known(recipe.prompts)
        else:
            sets = [s for run in dataset.traces if run in recipe.traces for s in recipe.traces[run].questions]
            for domain in sorted({recipe.questions[s].domain for s in sets if s in recipe.questions}):
                if domain not in recipe.prompts[dataset.prompt]:
                    yield (
                        (*at, "prompt"),
                        f"prompt {dataset.prompt!r} has no entry for domain {domain!r}",
                        f"add prompts.{dataset.prompt}.{domain}",
                    )
        if dataset.tokenizer is not None:
            yield from _one_model(recipe, (*at, "tokenizer"), dataset.tokenizer, weights=True)
        if dataset.mixture and dataset.mixture.sources:
            runs = [recipe.traces[run] for run in dataset.traces if run in recipe.traces]
            sets = [each for run in runs for each in run.questions if each in recipe.questions]
            known = {source for each in sets for source in sources_of(recipe, each)}
            for source in dataset.mixture.sources:
                if source not in known:
                    yield (*at, "mixture", "sources", source), "is no source of its questions", _known(known)
        rule = dataset.decontaminate
        for benchmark in rule.benchmarks if rule and rule.benchmarks != "all" else []:
            if benchmark not in recipe.benchmarks:
                yield (
                    (*at, "decontaminate", "benchmarks"),
                    f"there is no benchmark {benchmark!r}",
                    _known(recipe.benchmarks),
                )
        seen, other = [name], dataset.same_questions_as
        while other is not None:
            if other not in recipe.datasets:
                yield (*at, "same_questions_as"), f"there is no dataset {other!r}", _known(recipe.datasets)
                break
            if other in seen:
                yield (
                    (*at, "same_questions_as"),
                    f"goes in a circle: {' -> '.join([*seen, other])}",
                    "one dataset must stand by itself",
                )
                return
            seen.append(other)
            other = recipe.datasets[other].same_questions_as


def _training_order(recipe: Recipe) -> Iterator[Problem]:
    """No model may be needed, directly or not, before it has been trained."""
    models = expand(recipe).models

    def of_run(name: str, above: tuple[str, ...]) -> set[str]:
        """Who answers, rewrites, and rated the questions."""
        found = {recipe.traces[each].model for each in origin(recipe, name)}
        for each in recipe.traces[name].questions:
            rated = recipe.questions[each].rated if each in recipe.questions else None
            if rated and rated.traces in recipe.traces and rated.traces not in above:
                found |= of_run(rated.traces, (*above, name))
        return found

    def of_dataset(name: str) -> set[str]:
        dataset = recipe.datasets[name]
        found = {dataset.tokenizer} if dataset.tokenizer else set()
        for run in (each for each in dataset.traces if each in recipe.traces):
            found |= of_run(run, ())
            for each in (name for name in recipe.traces[run].questions if name in recipe.questions):
                judge = judge_of(verifier_of(recipe, each))
                found |= {judge.model} if judge else set()
        other = dataset.same_questions_as
        return found | (of_dataset(other) if other in recipe.datasets else set())

    def needs(model: str) -> set[str]:
        found = {models[model].base} if models[model].base else set()
        for stage in models[model].stages:
            found |= of_dataset(stage.dataset) if stage.dataset in recipe.datasets else set()
        return found & set(models)

    for name in models:
        reached: set[str] = set()
        queue = [name]
        while queue:
            for other in needs(queue.pop()):
                if other == name:
                    group = re.sub(r"(-seed\d+)?(\.stage\d+)?$", "", name)
                    yield (
                        ("models", group, "stages"),
                        f"{name!r} would be trained on traces or verdicts of its own, before it exists",
                        "use another teacher, judge or tokenizer",
                    )
                    return
                if other not in reached:
                    reached.add(other)
                    queue.append(other)


def _rating_templates(at: tuple[Any, ...], rating: Rating) -> Iterator[tuple[tuple[Any, ...], str, dict[str, Any]]]:
    """The texts of a rater's prompts with what they see: `first` turn 1, `later` turn 2."""
    for turn, key in ((1, "first"), (2, "later")):
        prompt = getattr(rating, key)
        variables: dict[str, Any] = {"question": "q", "answer": "a", "reference": "r", "turn": turn}
        for number in range(1, turn + 1):
            variables |= {f"question_{number}": "q", f"answer_{number}": "a", f"ref_answer_{number}": "r"}
        for name in ("system", "template") if prompt else ():
            if (text := getattr(prompt, name)) is not None:
                yield (*at, key, name), text, variables


def _templates(recipe: Recipe) -> Iterator[Problem]:
    environment = Environment(undefined=StrictUndefined)
    question = {
        "problem": "THE PROBLEM",
        "choices": ["x", "y"],
        "letters": ["A", "B"],
        "starter_code": "def f():",
        "function": True,
    }
    judged = {"problem": "p", "reference": "r", "answer": "a", "response": "s", "choices": ["x"], "letters": ["A"]}
    runs = recipe.traces.values()
    rewriting = {run.prompt for run in runs if run.rewrites} - {run.prompt for run in runs if not run.rewrites}
    trace = {"reasoning": "the thinking", "response": "the answer"}
    found: list[tuple[tuple[Any, ...], str, dict[str, Any]]] = [
        (("prompts", name, domain, "template"), prompt.template, question | trace if name in rewriting else question)
        for name, by_domain in recipe.prompts.items()
        for domain, prompt in by_domain.items()
    ]
    for at, verifier, _ in _written_verifiers(recipe):
        if isinstance(verifier, Rating):
            found += _rating_templates(at, verifier)
        elif judge := judge_of(verifier):
            found.append(((*_judge_at(at, verifier), "template"), judge.template, judged))
    for at, template, variables in found:
        try:
            texts = [environment.from_string(template).render(variables | {"function": each}) for each in (True, False)]
        except Exception as error:  # a template may raise whatever Python can
            yield at, f"is no usable template ({error})", f"it may use {', '.join(variables)}"
            continue
        if variables.get("problem") == question["problem"] and any(question["problem"] not in text for text in texts):
            yield at, "does not show the problem", "use {{ problem }}"


def _targets(recipe: Recipe) -> Iterator[Problem]:
    if recipe.benchmarks and recipe.evaluation is None:
        yield ("evaluation",), "is missing", "benchmarks need samples, sampling and prompt"
    elif recipe.evaluation and recipe.evaluation.prompt not in recipe.prompts:
        yield ("evaluation", "prompt"), f"there is no prompt {recipe.evaluation.prompt!r}", _known(recipe.prompts)
    for name, benchmark in recipe.benchmarks.items():
        prompt = benchmark.prompt or (recipe.evaluation.prompt if recipe.evaluation else None)
        if benchmark.prompt and benchmark.prompt not in recipe.prompts:
            yield ("benchmarks", name, "prompt"), f"there is no prompt {prompt!r}", _known(recipe.prompts)
        elif prompt in recipe.prompts and benchmark.domain not in recipe.prompts[prompt]:
            yield (
                ("benchmarks", name),
                f"prompt {prompt!r} has no entry for domain {benchmark.domain!r}",
                f"add prompts.{prompt}.{benchmark.domain}",
            )
    known = set(recipe.models) | set(expand(recipe).models)
    if recipe.targets.benchmarks == []:
        yield ("targets", "benchmarks"), "is empty", "name benchmarks, or `all`"
    for name in recipe.targets.evaluate:
        if name not in known:
            yield ("targets", "evaluate"), f"there is no model {name!r}", _known(recipe.models)
    if recipe.targets.benchmarks != "all":
        for name in recipe.targets.benchmarks:
            if name not in recipe.benchmarks:
                yield ("targets", "benchmarks"), f"there is no benchmark {name!r}", _known(recipe.benchmarks)
    for number, pair in enumerate(recipe.targets.compare):
        for side in (pair.a, pair.b):
            if side not in recipe.targets.evaluate:
                yield (
                    ("targets", "compare", number),
                    f"compares {side!r}, which is not evaluated",
                    f"add it to targets.evaluate ({', '.join(recipe.targets.evaluate)})",
                )


def _credits(recipe: Recipe) -> Iterator[Problem]:
    """Dataset cards list sources by name: one name must mean one licence and one credit."""
    seen: dict[str, tuple[str, str, str]] = {}
    for name, chosen in {**recipe.questions, **recipe.benchmarks}.items():
        for key, source in chosen.sources.items():
            licence, credit, where = seen.setdefault(key, (source.licence, source.credit, name))
            if (licence, credit) != (source.licence, source.credit):
                kind = "benchmarks" if name in recipe.benchmarks else "questions"
                yield (
                    (kind, name, "sources", key),
                    f"has another licence or credit than the source {key!r} of {where}",
                    "give it a name of its own",
                )


def _sets(recipe: Recipe) -> Iterator[Problem]:
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            if (
                isinstance(chosen, Benchmark)
                and chosen.sampling
                and chosen.sampling.temperature == 0
                and (chosen.samples or 1) > 1
            ):
                yield (kind, name, "samples"), "runs at temperature 0 are all the same", "1, or a temperature above 0"
            for key, source in chosen.sources.items():
                for number, entry in enumerate(source.filters):
                    filter_name, arguments = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
                    try:
                        check_filter(filter_name, arguments, "filter")
                    except UserError as error:
                        yield (
                            (kind, name, "sources", key, "filters", number),
                            f"{error.where}: {error.what}",
                            error.right,
                        )
                if source.local and not (ROOT / source.local.path).is_file():
                    yield (
                        (kind, name, "sources", key, "local", "path"),
                        f"there is no file {source.local.path!r}",
                        "a path from the repository's root, or an absolute one",
                    )
                if source.take and source.take.per and source.reasoning_gym:
                    yield (
                        (kind, name, "sources", key, "take", "per"),
                        "reasoning-gym rows have no columns",
                        "leave it out",
                    )


def _expect(recipe: Recipe) -> Iterator[Problem]:
    """What is expected must be of something that the recipe has."""
    expect = recipe.expect
    if expect is None:
        return
    sets = {**recipe.questions, **recipe.benchmarks}
    answerers = {**expand(recipe).models, **recipe.models, **recipe.traces}
    for key, known in (("rows", sets), ("replies", answerers), ("datasets", recipe.datasets)):
        for name in getattr(expect, key):
            if name not in known:
                yield ("expect", key, name), f"the recipe has no {name!r}", _known(known)
    for name, value in expect.replies.items():
        for set_name in value if isinstance(value, dict) else ():
            if set_name not in sets:
                yield ("expect", "replies", name, set_name), f"the recipe has no {set_name!r}", _known(sets)


CHECKS = (
    _names,
    _models,
    _rewriting,
    _traces,
    _rated,
    _same_source,
    _sampling,
    _verifiers,
    _datasets,
    _training_order,
    _templates,
    _targets,
    _sets,
    _credits,
    _expect,
    _published,
    _drafts,
)


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem of the recipe, the most basic first."""
    yield from _samples_of_rewriting(recipe)
    whole = with_questions(recipe)
    for each in CHECKS:
        yield from each(whole)
