"""Every mistake stops before any job with one message that names the key and what would be right."""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.containers.table import Table
from thoughtline.machines.schema import Machine
from thoughtline.recipe.checks.questions import may_share
from thoughtline.recipe.execution import Execution
from thoughtline.recipe.load import load
from thoughtline.recipe.overlay import Overlay
from thoughtline.recipe.schema.recipe import Recipe
from thoughtline.recipe.schema.sources import Source
from thoughtline.recipe.wording import PATTERNS

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())


def change(*path, value=None, remove=False):
    """A copy of the demo with one key changed or removed."""
    recipe = copy.deepcopy(DEMO)
    *way, last = path
    place = recipe
    for key in way:
        place = place[key]
    if remove:
        del place[last]
    else:
        place[last] = value
    return recipe


def combined(model, template="{{ answer }}"):
    """A combined verifier whose judge is `model`."""
    judge = {"verifier": "judge", "model": model, "template": template}
    return {"verifier": "combined", "parser": {"verifier": "math_verify"}, "judge": judge, "rule": "either"}


def local_weights(path):
    """The demo with its weights in a folder."""
    model = {key: value for key, value in DEMO["models"]["smollm2"].items() if key != "package"}
    return change("models", "smollm2", value={**model, "local": {"path": path}})


def another_run(name, **keys):
    """The demo with one more trace run, which writes the teacher's traces anew unless `keys` say otherwise."""
    run = {
        "model": "smollm2",
        "rewrites": "teacher",
        "sampling": {"temperature": 0.7, "max_tokens": 96},
        "prompt": "few_shot",
    }
    return change("traces", name, value={key: value for key, value in (run | keys).items() if value is not None})


def rated_set(**keys):
    """The demo with a set of mathematics questions that the run `rating` chose."""
    recipe = another_run("rating", rewrites=None, questions=["math-train"])
    rated = {"questions": "math-train", "traces": "rating", "at_least": 5.0} | keys.pop("rated", {})
    recipe["questions"]["math-hard"] = {"domain": "math", "rated": rated} | keys
    return recipe


HUB = {"id": "a/b", "revision": "main"}
MISTAKES = {
    "unknown key": (change("tittle", value="x"), r"tittle: unknown key; did you mean 'title'\?"),
    "unknown nested key": (
        change("traces", "teacher", "sampling", "temprature", value=1.0),
        r"traces\.teacher\.sampling\.temprature: unknown key; did you mean 'temperature'\?",
    ),
    "unknown key of a verifier": (
        change("verdicts", "code", "second", value=2),
        r"verdicts\.code\.second: unknown key; did you mean 'seconds'",
    ),
    "expecting a set that is not there": (
        change("expect", value={"rows": {"algebra": 10}}),
        r"expect\.rows\.algebra: the recipe has no 'algebra'; known: .*math-train",
    ),
    "missing key": (change("targets", remove=True), r"targets: is missing; every recipe needs this key"),
    "missing key of a part": (
        change("traces", "teacher", "sampling", "max_tokens", remove=True),
        r"sampling\.max_tokens: is missing; Sampling needs this key \(see docs/reference\.md#sampling\)",
    ),
    "a key renamed": (
        {("tite" if key == "title" else key): value for key, value in DEMO.items()},
        r"tite: unknown key; did you mean 'title'\? \(and 1 more mistake in this file\)",
    ),
    "a verifier by its name alone": (
        change("verdicts", "code", value="code"),
        r"verdicts\.code: 'code' is a text, not a mapping; .* \{\"verifier\": \"code\"\}",
    ),
    "a word that was true before YAML 1.2": (
        change("verdicts", "puzzle", "ignore_case", value="yes"),
        r"ignore_case: 'yes' is a text, not true or false; write true",
    ),
    "a seed that NumPy refuses": (change("seed", value=-1), r"seed: -1 is too small; at least 0"),
    "a seed that torch refuses": (
        change("models", "verified", "seeds", value=[5_000_000_000]),
        r"models\.verified\.seeds\.0: 5000000000 is too large; at most 4294967295",
    ),
    "betas that AdamW refuses": (
        change("models", "verified", "stages", 0, "betas", value=[1.5, 0.9]),
        r"stages\.0\.betas\.0: 1\.5 is too large; less than 1",
    ),
    "an option of vLLM that is ours": (
        change("models", "smollm2", "engine", "arguments", value={"port": 99}),
        r"engine\.arguments: port is set by the pipeline itself; leave it out",
    ),
    "an option of vLLM that has a key": (
        change("models", "smollm2", "engine", "arguments", value={"max-model-len": 99}),
        r"engine\.arguments: max-model-len has a key of its own; give it as engine\.max_model_len",
    ),
    "prefill in chunks as an option of vLLM": (
        change("models", "smollm2", "engine", "arguments", value={"enable_chunked_prefill": True}),
        r"engine\.arguments: enable_chunked_prefill has a key of its own; give it as engine\.chunked_prefill",
    ),
    "an option of vLLM in two spellings": (
        change("models", "smollm2", "engine", "arguments", value={"max-num-seqs": 9, "max_num_seqs": 8}),
        r"engine\.arguments: max-num-seqs and max_num_seqs are the same option; keep one",
    ),
    "more than a whole GPU's memory": (
        change("models", "smollm2", "engine", "arguments", value={"gpu_memory_utilization": 2}),
        r"gpu_memory_utilization is a share of a GPU's memory, more than 0 and at most 1, not 2",
    ),
    "a chat template that is none": (
        change("models", "smollm2", "changes", value={"chat_template": "{% for"}),
        r"changes\.chat_template: is no Jinja template \(",
    ),
    "a context in words": (
        change("models", "smollm2", "changes", value={"config": {"max_position_embeddings": "long"}}),
        r"changes\.config: max_position_embeddings is a number of tokens, 16 or more, not 'long'",
    ),
    "a comparison with itself": (
        change("targets", "compare", 0, "b", value="smollm2"),
        r"targets\.compare\.0: compares 'smollm2' with itself; two models",
    ),
    "a target given twice": (
        change("targets", "evaluate", value=["smollm2", "verified", "unverified", "smollm2"]),
        r"targets\.evaluate: 'smollm2' is given twice; keep one of them",
    ),
    "decontaminated against nothing": (
        change("datasets", "verified", "decontaminate", "benchmarks", value=[]),
        r"datasets\.verified\.decontaminate: compares nothing: name benchmarks, or",
    ),
    "rows whose column has no value": (
        change("questions", "code-train", "sources", "basics", "where", value={"level": []}),
        r"where\.level: is empty; give one or more",
    ),
    "wrong type": (change("seed", value="many"), r"seed: 'many' is not a whole number; write a whole number, say 4"),
    "number as text": (
        change("models", "verified", "stages", 0, "learning_rate", value="1e-4"),
        r"models\.verified\.stages\.0\.learning_rate: '1e-4' is text in YAML, not a number; write 1\.0e-4",
    ),
    "out of range": (
        change("traces", "teacher", "sampling", "temperature", value=-1.0),
        r"sampling\.temperature: -1\.0 is too small; at least 0",
    ),
    "a name with a slash": (
        change("name", value="a/b"),
        r"name: 'a/b' cannot stand here; small letters, digits and _ \. - only",
    ),
    "unknown domain": (
        change("questions", "math-train", "domain", value="maths"),
        r"domain: 'maths' is not allowed; did you mean 'math'\? use one of 'math'",
    ),
    "unknown verifier": (
        change("verdicts", "math", value={"verifier": "mathverify"}),
        r"verdicts\.math: there is no verifier 'mathverify'; did you mean 'math_verify'\? use one of 'math_verify'",
    ),
    "a value of a verifier": (
        change("verdicts", "math", "seconds", value=-1),
        r":\d+: verdicts\.math\.seconds: -1 is too small",
    ),
    "a value of a benchmark's own verifier": (
        change("benchmarks", "math-heldout", "verifier", value={"verifier": "math_verify", "extraction": 3}),
        r":\d+: benchmarks\.math-heldout\.verifier\.extraction: 3 is not a mapping",
    ),
    "an unknown verifier within a combined one": (
        change("questions", "math-train", "verifier", value={**combined("smollm2"), "parser": {"verifier": "code"}}),
        r":\d+: questions\.math-train\.verifier\.parser: there is no verifier 'code'",
    ),
    "a value of a judge within a combined verifier": (
        change("verdicts", "math", value={**combined("smollm2"), "judge": {**combined("smollm2")["judge"], "yes": 3}}),
        r":\d+: verdicts\.math\.judge\.yes: 3 is not a text",
    ),
    "verifier left out": (
        change("verdicts", "math", value={"seconds": 3.0}),
        r"verdicts\.math: does not say which verifier",
    ),
    "unknown filter": (
        change("questions", "code-train", "sources", "basics", "filters", value=["has_test"]),
        r"unknown filter 'has_test'; did you mean 'has_tests'\? known: .*has_tests",
    ),
    "filter argument": (
        change("questions", "code-train", "sources", "basics", "filters", value=[{"min_length": {"chars": 3}}]),
        r"filters\.0: filter\.min_length: unknown argument 'chars'; it takes characters",
    ),
    "two origins": (
        change("questions", "code-train", "sources", "basics", "hub", value={**HUB, "revision": "0" * 40}),
        r"needs exactly one of hub, local, reasoning_gym, has hub and local",
    ),
    "a moving revision": (
        change("questions", "code-train", "sources", "basics", value={"hub": HUB, "licence": "MIT", "credit": "x"}),
        r"hub\.revision: 'main' is no full commit hash; give the 40 hex digits",
    ),
    "no licence": (
        change("questions", "code-train", "sources", "basics", "licence", remove=True),
        r"basics\.licence: is missing",
    ),
    "unknown model": (
        change("traces", "teacher", "model", value="smollm"),
        r"traces\.teacher\.model: there is no model 'smollm'; did you mean 'smollm2'\? known: smollm2",
    ),
    "unknown question set": (
        change("traces", "teacher", "questions", value=["maths"]),
        r"there is no question set 'maths'",
    ),
    "training on a benchmark": (
        change("traces", "teacher", "questions", value=["math-heldout"]),
        r"'math-heldout' is a benchmark; training on it would make its scores worthless",
    ),
    "a benchmark that training contains": (
        change("benchmarks", "math-heldout", "partition", remove=True),
        r"benchmarks\.math-heldout\.sources\.sums: may take the same rows as questions\.math-train\.sources\.sums",
    ),
    "a context longer than the model's": (
        change("models", "smollm2", "engine", "max_model_len", value=16384),
        r"models\.smollm2\.engine\.max_model_len: 16384 is longer than the model's context_length, 8192 tokens; at most 8192",
    ),
    "a number of questions that cannot be": (
        change("expect", value={"rows": {"math-train": -5}}),
        r"expect\.rows\.math-train: -5",
    ),
    "replies without a length": (change("expect", value={"replies": {"teacher": 0}}), r"expect\.replies\.teacher"),
    "unknown prompt": (
        change("traces", "teacher", "prompt", value="fewshot"),
        r"traces\.teacher\.prompt: there is no prompt 'fewshot'",
    ),
    "a domain without a prompt": (
        change("prompts", "few_shot", "code", remove=True),
        r"prompt 'few_shot' has no entry for domain 'code'",
    ),
    "a broken template": (
        change("prompts", "zero_shot", "math", "template", value="{{ problem"),
        r"zero_shot\.math\.template: is no usable template",
    ),
    "a template with an unknown variable": (
        change("prompts", "zero_shot", "math", "template", value="{{ problem }} {{ question }}"),
        r"'question' is undefined.*; it may use problem, choices",
    ),
    "a template without the problem": (
        change("prompts", "zero_shot", "math", "template", value="Go."),
        r"does not show the problem",
    ),
    "unknown dataset": (
        change("models", "verified", "stages", 0, "dataset", value="verify"),
        r"stages\.0\.dataset: there is no dataset 'verify'",
    ),
    "batch not divisible": (
        change("models", "verified", "stages", 0, "global_batch", value=9),
        r"global_batch 9 is not divisible by micro_batch x ranks",
    ),
    "parameters offloaded that each rank needs whole": (
        change("models", "verified", "stages", 0, "zero", value={"stage": 2, "offload_parameters": True}),
        r"models\.verified\.stages\.0\.zero: offload_parameters needs stage 3: at stage 2 ",
    ),
    "cutoff longer than the context": (
        change("models", "verified", "stages", 0, "max_length", value=10000),
        r"max_length: 10000 tokens do not fit into the context of 'smollm2' \(8192\)",
    ),
    "a base that is missing": (
        change("models", "verified", "base", value="qwen"),
        r"models\.verified\.base: there is no model 'qwen'",
    ),
    "bases in a circle": (
        change("models", "verified", "base", value="verified"),
        r"models\.verified\.base: goes in a circle: verified -> verified",
    ),
    "local weights that are missing": (
        local_weights("/nonexistent-model"),
        r":\d+: models\.smollm2\.local\.path: there is no folder '/nonexistent-model'; a path from the repository's root",
    ),
    "local weights that are a file": (local_weights("README.md"), r"local\.path: 'README\.md' is no folder; a path"),
    "a local folder without a model": (
        local_weights("data"),
        r"local\.path: 'data' has no config\.json; name the folder",
    ),
    "weights of two kinds": (
        change("models", "smollm2", "local", value={"path": "x"}),
        r"needs exactly one of hub, package, local, endpoint, base, has package and local",
    ),
    "stages without a base": (
        change("models", "verified", value={k: v for k, v in DEMO["models"]["verified"].items() if k != "base"}),
        r"models\.verified: needs exactly one of",
    ),
    "repeated seeds": (change("models", "verified", "seeds", value=[1, 1]), r"seeds \[1, 1\] repeat"),
    "no room for the prompt": (
        change("traces", "teacher", "sampling", "max_tokens", value=2048),
        r"max_tokens: 2048 tokens leave no room for the prompt in the context of 'smollm2' \(2048\)",
    ),
    "samples that are all the same": (
        change("traces", "teacher", "sampling", "temperature", value=0.0),
        r"traces\.teacher\.samples: 4 samples at temperature 0 are all the same",
    ),
    "a set's own verifier of another domain": (
        change("questions", "math-train", "verifier", value={"verifier": "code"}),
        r"questions\.math-train\.verifier\.verifier: unit tests cannot judge the domain 'math'",
    ),
    "a broken template of a set's own judge": (
        change("questions", "math-train", "verifier", value=combined("smollm2", "{{ gold }}")),
        r"questions\.math-train\.verifier\.judge\.template: is no usable template",
    ),
    "a set's own judge trained on its own verdicts": (
        change("questions", "math-train", "verifier", value=combined("verified-seed2")),
        r"models\.verified\.stages: .* before it exists",
    ),
    "a benchmark without a verifier": (
        change("verdicts", "math", value={"verifier": "none"}),
        r"benchmarks\.math-heldout: has no verifier for domain 'math'",
    ),
    "unit tests for mathematics": (
        change("verdicts", "math", value={"verifier": "code"}),
        r"verdicts\.math\.verifier: unit tests cannot judge the domain 'math'",
    ),
    "a judge that is missing": (
        change("verdicts", "math", value={"verifier": "judge", "model": "gpt", "template": "{{ problem }}"}),
        r"verdicts\.math\.model: there is no model 'gpt'",
    ),
    "a judge's bad pattern": (
        change("verdicts", "math", value={"verifier": "judge", "model": "smollm2", "template": "x", "yes": "("}),
        r"'\(' is no regular expression",
    ),
    "arms in a circle": (
        change("datasets", "verified", "same_questions_as", value="unverified"),
        r"same_questions_as: goes in a circle",
    ),
    "length without a tokenizer": (
        change("datasets", "verified", "tokenizer", remove=True),
        r"max_tokens and tokenizer go together",
    ),
    "counts and weights": (
        change("datasets", "verified", "mixture", value={"counts": {"math": 1}, "weights": {"math": 1.0}, "total": 3}),
        r"needs exactly one of counts, sources, weights, has counts and weights",
    ),
    "a model trained on its own traces": (
        change("traces", "teacher", "model", value="verified-seed1"),
        r"models\.verified\.stages: 'verified-seed1' would be trained on traces or verdicts of its own",
    ),
    "a judge trained on its own verdicts": (
        change(
            "verdicts", "math", value={"verifier": "judge", "model": "verified-seed2", "template": "{{ response }}"}
        ),
        r"models\.verified\.stages: 'verified-seed2' would be trained on traces or verdicts of its own",
    ),
    "a group as the judge": (
        change("verdicts", "math", value={"verifier": "judge", "model": "verified", "template": "{{ response }}"}),
        r"verdicts\.math\.model: 'verified' is a group of seeds; name one of them: verified-seed1, verified-seed2",
    ),
    "a group as the tokenizer": (
        change("datasets", "verified", "tokenizer", value="verified"),
        r"datasets\.verified\.tokenizer: 'verified' is a group of seeds",
    ),
    "a template that fails": (
        change("prompts", "zero_shot", "math", "template", value="{{ problem }} {{ 1 / 0 }}"),
        r"zero_shot\.math\.template: is no usable template \(division by zero\)",
    ),
    "a judge's broken template": (
        change("verdicts", "math", value={"verifier": "judge", "model": "smollm2", "template": "{{ gold }}"}),
        r"verdicts\.math\.template: is no usable template \('gold' is undefined\); it may use problem, reference, answer, response",
    ),
    "a judge that is not there": (
        change("verdicts", "math", value=combined("nobody")),
        r"verdicts\.math\.judge\.model: there is no model 'nobody'",
    ),
    "a broken template of a combined verifier's judge": (
        change("verdicts", "math", value=combined("smollm2", template="{{ gold }}")),
        r"verdicts\.math\.judge\.template: is no usable template \('gold' is undefined\)",
    ),
    "a combined verifier's judge trained on its own verdicts": (
        change("verdicts", "math", value=combined("verified-seed2")),
        r"models\.verified\.stages: 'verified-seed2' would be trained on traces or verdicts of its own",
    ),
    "a rule that never asks the judge": (
        change("verdicts", "math", value={**combined("smollm2"), "rule": "parser"}),
        r"verdicts\.math.*the rule `parser` never needs the judge",
    ),
    "unit tests as a parser": (
        change("verdicts", "math", value={**combined("smollm2"), "parser": {"verifier": "code"}}),
        r"verdicts\.math.*parser",
    ),
    "instructions that no column holds": (
        change("benchmarks", next(iter(DEMO["benchmarks"])), "verifier", value={"verifier": "instructions"}),
        r"fields: names no column of instructions, but the verifier `instructions` judges by them",
    ),
    "instructions without arguments": (
        change("questions", "code-train", "sources", "basics", "fields", "instructions", value="instruction_id_list"),
        r"instructions and instruction_arguments go together",
    ),
    "a local file that is missing": (
        change("questions", "code-train", "sources", "basics", "local", "path", value="data/code/none.jsonl"),
        r"local\.path: there is no file 'data/code/none\.jsonl'",
    ),
    "a name that seeds make": (
        {**DEMO, "models": {**DEMO["models"], "verified-seed3": DEMO["models"]["smollm2"]}},
        r"models\.verified-seed3: ends like the names that `seeds` and `stages` make",
    ),
    "no benchmark at all": (change("targets", "benchmarks", value=[]), r"targets\.benchmarks: is empty"),
    "an unknown target": (
        change("targets", "evaluate", value=["verifed"]),
        r"targets\.evaluate: there is no model 'verifed'",
    ),
    "a comparison with nobody": (
        change("targets", "compare", value=[{"title": "t", "a": "smollm2", "b": "other"}]),
        r"targets\.compare\.0: compares 'other', which is not evaluated",
    ),
    "one name for two licences": (
        change("benchmarks", "code-heldout", "sources", "basics", "licence", value="MIT"),
        r"sources\.basics: has another licence or credit than the source 'basics' of code-train",
    ),
    "a run that is rewritten but missing": (
        another_run("new", rewrites="teachers"),
        r"traces\.new\.rewrites: there is no trace run 'teachers'; did you mean 'teacher'\? known: new, teacher",
    ),
    "runs that rewrite each other": (
        another_run("new", rewrites="new"),
        r"traces\.new\.rewrites: goes in a circle: new -> new",
    ),
    "traces that are rewritten several times": (
        another_run("new", samples=2),
        r"traces\.new\.samples: each trace is rewritten once; leave it out",
    ),
    "rewriting what was not asked": (
        another_run("new", questions=["math-heldout"]),
        r"traces\.new\.questions: 'math-heldout' was not asked in 'teacher'",
    ),
    "traces too long to be rewritten": (
        another_run("new", sampling={"temperature": 0.7, "max_tokens": 2000}),
        r"traces\.new\.sampling\.max_tokens: a trace of up to 96 tokens and 2000 of reply do not fit .* \(2048\); less than 1952",
    ),
    "a run that asks nothing": (
        another_run("new", rewrites=None),
        r"traces\.new\.questions: is missing; name question sets, or a run that this one rewrites",
    ),
    "a rating of another set": (
        rated_set(rated={"questions": "code-train"}),
        r"questions\.math-hard\.domain: 'code-train' has the domain 'code'",
    ),
    "a rating by a run that was not asked": (
        rated_set(rated={"traces": "ratings"}),
        r"questions\.math-hard\.rated\.traces: there is no trace run 'ratings'",
    ),
    "sets that are chosen from each other": (
        rated_set(rated={"questions": "math-hard"}),
        r"questions\.math-hard\.rated\.questions: goes in a circle: math-hard -> math-hard",
    ),
    "a rating that chooses nothing": (
        rated_set(rated={"at_least": None}),
        r"questions\.math-hard\.rated: chooses nothing: give at_least, at_most or highest",
    ),
    "ratings the wrong way round": (
        rated_set(rated={"at_least": 9.0, "at_most": 3.0}),
        r"questions\.math-hard\.rated: at_least 9 is more than at_most 3: no number is both",
    ),
    "a rating without a group": (
        rated_set(rated={"pattern": "[0-9]"}),
        r"rated\.pattern: '\[0-9\]' has 0 groups; the rating needs exactly one",
    ),
    "sources and a rating": (
        rated_set(sources=DEMO["questions"]["math-train"]["sources"]),
        r"questions\.math-hard: needs either sources or rated, has both",
    ),
    "a set without rows": (
        change("questions", "math-train", "sources", value={}),
        r"questions\.math-train: needs either sources or rated, has none of them",
    ),
    "a mixture of unknown sources": (
        change("datasets", "verified", "mixture", value={"sources": {"sum": 3}}),
        r"datasets\.verified\.mixture\.sources\.sum: is no source of its questions; did you mean 'sums'\? known: basics, needles, products, school, sums",
    ),
    "lengths the wrong way round": (
        change("datasets", "verified", "min_tokens", value=600),
        r"datasets\.verified: min_tokens 600 is more than max_tokens 512",
    ),
    "decontamination by nothing": (
        change("datasets", "verified", "decontaminate", value={"ngram": None}),
        r"decontaminate: compares nothing: without ngram it needs similarity",
    ),
    "a benchmark's own cutoff": (
        change("benchmarks", "math-heldout", "sampling", value={"temperature": 0.7, "max_tokens": 4096}),
        r"benchmarks\.math-heldout\.sampling\.max_tokens: 4096 tokens leave no room for the prompt in the context of 'smollm2'",
    ),
    "a published score of nobody": (
        change("published", value={"scores": {"qwen": {"math-heldout": {"score": 1.0, "source": "x"}}}}),
        r"published\.scores\.qwen: is no model of this recipe; known: smollm2, unverified, verified",
    ),
    "a published score on nothing": (
        change("published", value={"scores": {"verified": {"aime": {"score": 1.0, "source": "x"}}}}),
        r"published\.scores\.verified\.aime: is no benchmark of this recipe; known: code-heldout",
    ),
    "changes of what is not published": (
        change("models", "verified", "changes", value={"config": {"rope_theta": 1.0}}),
        r"models\.verified: `changes` are for published weights",
    ),
    "a partition that is not there": (
        change("questions", "math-train", "partition", value={"parts": 2, "keep": [2]}),
        r"keep \[2\] must name parts 0 to 1",
    ),
}


SUMS = ("questions", "math-train", "sources", "sums")
STAGE = ("models", "verified", "stages", 0)
KINDS = [
    (change("seed", value=1.5), r"seed: 1\.5 is not a whole number; write a whole number, say 4"),
    (change("seed", value=None), r"seed: null is not a whole number"),
    (change("seed", value="7"), r"seed: '7' is a text, not a number; write 7 without quotes"),
    (change("name", value=7), r'name: 7 is not a text to YAML; put it in quotes: "7"'),
    (change("title", value=["a"]), r"title: \['a'\] is not a text; write a text"),
    (change("name", value="x" * 70), r"name: 'x+\.\.\. is too long; give at most 64 characters"),
    (change("models", value=[]), r"models: \[\] is not a mapping of keys; write a mapping of keys, `key: value`"),
    (change("models", "My Model", value={}), r"models\.My Model: 'My Model' cannot stand here; small letters"),
    (change("traces", "teacher", "samples", value=5000), r"samples: 5000 is too large; at most 1024"),
    (change("traces", "teacher", "questions", value="math-train"), r"questions: 'math-train' is not a list; write \[math-train\]"),
    (change("traces", "teacher", "sampling", "top_p", value=0), r"top_p: 0 is too small; more than 0"),
    (change("targets", "evaluate", value=[]), r"targets\.evaluate: is empty; give one or more"),
    (change("targets", "benchmarks", value="some"), r"targets\.benchmarks: 'some' cannot stand here; write a list or 'all'"),
    (change(*STAGE, "epochs", value=10000), r"epochs: 10000 is too large; at most 100"),
    (change(*STAGE, "learning_rate", value=1), r"learning_rate: 1 is too large; less than 1"),
    (change(*STAGE, "packing", value="maybe"), r"packing: 'maybe' is not true or false; write true or false"),
    (change(*STAGE, "betas", value=[0.9]), r"betas\.1: is missing: the list has too few entries; add it"),
    (change("models", "x", value={"endpoint": {"url": "ftp://x", "model": "m"}}), r"url: 'ftp://x' cannot stand here; an address"),
    (change("expect", value={"replies": {"teacher": "x"}}), r"expect\.replies\.teacher: 'x' cannot stand here; write a number or a mapping"),
    (
        change("expect", value={"datasets": {"verified": {"tokens": {"mena": 3}}}}),
        r"expect\.datasets\.verified\.tokens\.mena: unknown key; did you mean 'mean'\?",
    ),
    (change("traces", "function-calls", value={"sampling": 3}), r"traces\.function-calls\.sampling: 3 is not a mapping of keys"),
    (change("datasets", "verified", "mixture", value={"counts": {"maths": 3}}), r"counts\.maths: 'maths' is not allowed; did you mean 'math'\?"),
    (change(*SUMS, "where", value={"a": [1.5]}), r"where\.a\.0: 1\.5 cannot stand here; write a text or a whole number or true or false"),
]  # fmt: skip


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_no_sentence_of_pydantic_is_shown(tmp_path, kind):
    recipe, message = KINDS[kind]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert error.value.right and not re.search("[Ii]nput should|[Ss]tring should|[Ff]ield required", str(error.value))


def patterns_of(schema):
    """All patterns of a JSON schema, of values and of keys."""
    if isinstance(schema, list):
        return {each for part in schema for each in patterns_of(part)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    return own.union(schema.get("patternProperties", {}), *map(patterns_of, schema.values()))


@pytest.mark.parametrize("model", [Recipe, Overlay, Machine, Execution, Table])
def test_patterns_have_words(model):
    found = patterns_of(model.model_json_schema())
    assert found and found <= PATTERNS.keys()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_clear_message(tmp_path, mistake):
    recipe, message = MISTAKES[mistake]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    with pytest.raises(UserError) as error:
        load(path)
    text = str(error.value)
    assert re.search(message, text), text
    assert text.startswith(str(path)) and "\n" not in text and len(text) < 700
    assert error.value.right


REWRITER = {"math": {"template": "{{ problem }} {{ reasoning }} {{ response }}"}}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {},
            r"prompts\.again\.math\.template: .*'reasoning' is undefined.*none uses it: remove it, .*`prompts: \{again: null\}`",
        ),
        (
            {"rewrites": None, "questions": ["math-train"]},
            r"prompts\.again\.math\.template: .* that a run `rewrites`; traces\.more need a prompt without them",
        ),
    ],
)
def test_a_prompt_that_shows_a_trace_where_nothing_is_rewritten(tmp_path, keys, message):
    recipe = another_run("more", prompt="again", **keys) if keys else copy.deepcopy(DEMO)
    recipe["prompts"]["again"] = REWRITER
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    with pytest.raises(UserError, match=message):
        load(path)


def test_what_to_do_about_expectations_of_what_was_removed(tmp_path):
    path = tmp_path / "raw.yaml"
    path.write_text(
        f"extends: {ROOT}/recipes/sky-t1.yaml\nname: raw\ntraces: {{reformatted: null}}\nprompts: {{reformat: null}}\n"
        "datasets: {full: {traces: [qwq]}, math-only: {traces: [qwq]}, math-apps: {traces: [qwq]}}\n"
    )
    with pytest.raises(UserError, match=r"expect\.replies\.reformatted: .*; or remove it, .* by `reformatted: null`"):
        load(path)
    path.write_text(path.read_text() + "expect: {replies: {reformatted: null}}\n")
    assert "reformatted" not in load(path).traces


def test_a_local_model_without_weights(tmp_path):
    path, model = tmp_path / "recipe.yaml", tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    path.write_text(yaml.safe_dump(local_weights(str(model)), sort_keys=False))
    with pytest.raises(UserError, match=r"recipe\.yaml:\d+: models\.smollm2\.local\.path: .* has no weights \(\*\.saf"):
        load(path)
    (model / "model.safetensors").touch()
    assert load(path).models["smollm2"].local.path == str(model)


def test_the_line_is_named(tmp_path):
    path = tmp_path / "recipe.yaml"
    lines = (ROOT / "recipes/demo.yaml").read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if "temperature: 0.7" in line)
    lines[number] = lines[number].replace("temperature: 0.7", "temperature: hot")
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=rf"recipe\.yaml:{number + 1}: traces\.teacher\.sampling\.temperature"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nname: y\n", r":2: key 'name' is given twice"),
        ("name: [x\n", r":2: is not YAML"),
        ("- a\n", "is no mapping of keys"),
        ("", "is no mapping of keys"),
        ("[a, b]: c\n", r":1: a key is no plain text"),
        ("name: x\nseed: 010\n", r':2: 010 is the number 8 to YAML; write 8, or "010" in quotes if it is a name'),
        ("name: x\nseed: 1:30\n", r":2: 1:30 is the number 90 to YAML"),
    ],
)
def test_yaml_mistakes(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(
        UserError, match=r"recipe: there is no recipe '.*/none\.yaml'.*known: demo, openthinker, .*ends in \.yaml"
    ):
        load(tmp_path / "none.yaml")


def test_a_recipe_is_found_by_name_or_path():
    assert load("openthinker") == load(ROOT / "recipes/openthinker.yaml")
    for near in ("openthinkr", "recipes/openthinker", "recipes/openthinkr.yaml"):
        with pytest.raises(
            UserError, match=rf"no recipe '{near}'.*did you mean 'openthinker'\? known: demo, openthinker"
        ):
            load(near)


def test_snakemake_says_it_before_any_job(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(change("seed", value="many"), sort_keys=False))
    command = [Path(sys.executable).parent / "snakemake", "--profile", "profiles/local", "--config", f"recipe={path}"]
    run = subprocess.run(
        [*command, f"results={tmp_path.name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert run.returncode != 0
    assert "seed: 'many' is not a whole number; write a whole number, say 4" in run.stderr
    assert "Traceback" not in run.stderr and "jobid" not in run.stderr
    assert not (ROOT / tmp_path.name).exists()


HUB = {"id": "HuggingFaceH4/MATH-500", "revision": "0" * 39 + "1", "split": "test"}


@pytest.mark.parametrize(
    ("trained", "where", "shared"),
    [
        ({**HUB}, {}, True),
        ({**HUB, "id": "huggingfaceh4/math-500"}, {}, True),
        ({**HUB, "revision": "0" * 39 + "2"}, {}, True),
        ({**HUB, "split": "train", "data_files": "test.jsonl"}, {}, True),
        ({**HUB}, {"level": [5]}, True),
        ({**HUB, "split": "train"}, {}, False),
        ({**HUB, "id": "other/data"}, {}, False),
        ({**HUB, "split": "test[:100]"}, {}, True),
        ({**HUB, "split": "train+test"}, {}, True),
        ({**HUB, "split": "train+validation[10%:]"}, {}, False),
        ({**HUB, "split": "all"}, {}, True),
    ],
)
def test_sources_that_may_share_rows(trained, where, shared):
    """A benchmark takes all of a split; the training set some selection of the hub."""
    make = {"licence": "MIT", "credit": "who"}
    benchmark = Source(hub=HUB, **make)
    assert may_share(benchmark, Source(hub=trained, where=where, **make)) is shared


@pytest.mark.parametrize(
    "one, other, shared",
    [
        ("test[.2345]*", "test.jsonl", True),
        ("test[.2345]*", "test*", True),
        ("test[.2]*", "train.jsonl", False),
        ("ALL/train-*.parquet", "ALL/test-*.parquet", False),
        ("data/*.parquet", "data/*.jsonl", False),
        ("**/train/*.parquet", "data/train_1M-*.parquet", True),
        ("a.jsonl", "b.jsonl", False),
    ],
)
def test_files_that_may_be_the_same(one, other, shared):
    make = {"licence": "MIT", "credit": "who"}
    left, right = (Source(hub={**HUB, "data_files": each}, **make) for each in (one, other))
    assert may_share(left, right) is may_share(right, left) is shared


def test_a_file_by_another_path_is_the_same_file(tmp_path):
    (tmp_path / "link.jsonl").symlink_to(ROOT / "data/science/questions.jsonl")
    make = {"licence": "MIT", "credit": "who"}
    plain = Source(local={"path": "data/science/questions.jsonl"}, **make)
    for path in (
        ROOT / "data/science/questions.jsonl",
        "data/../data/science/questions.jsonl",
        tmp_path / "link.jsonl",
    ):
        assert may_share(plain, Source(local={"path": str(path)}, **make))
    assert not may_share(plain, Source(local={"path": "data/math/questions.jsonl"}, **make))


def test_only_a_column_that_both_name_keeps_sources_apart():
    make = {"licence": "MIT", "credit": "who", "hub": HUB}
    easy, hard, topic = ({"level": [1, 2]}, {"level": [5]}, {"topic": ["algebra"]})
    assert not may_share(Source(where=easy, **make), Source(where=hard, **make))
    assert may_share(Source(where=easy, **make), Source(where=topic, **make))
