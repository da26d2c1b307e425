"""Checks of the question sets under data/ (standard library and pytest only)."""

import ast
import difflib
import functools
import json
import operator
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"


def load(name):
    text = (DATA / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


CODE = load("code/problems.jsonl")
SCIENCE = load("science/questions.jsonl")
MATH = load("math/problems.jsonl")
FUNCTION = [row for row in CODE if row["style"] == "function"]
STDIN = [row for row in CODE if row["style"] == "stdin"]

# Runs one function problem after the other; prints one JSON list of failures.
FUNCTION_DRIVER = """
import json, sys
failures = []
for row in json.load(sys.stdin):
    tests = row["tests"]
    try:
        space = {}
        exec(row["starter_code"] + "    pass\\n", {})
        exec(row["solution"], space)
        for args, want in zip(tests["inputs"], tests["outputs"]):
            shown = json.dumps(args)
            got = space[tests["fn_name"]](*args)
            if type(got) is not type(want) or got != want:
                failures.append([row["id"], shown, repr(want), repr(got)])
    except Exception as error:
        failures.append([row["id"], "exception", "", repr(error)])
print(json.dumps(failures))
"""

# Runs one stdin program on all its inputs, each time with fresh globals and
# streams; prints the JSON list of outputs. One process per program keeps this fast.
STDIN_DRIVER = """
import io, json, sys
row = json.load(sys.stdin)
real, outputs = sys.stdout, []
for text in row["tests"]["inputs"]:
    sys.stdin, sys.stdout = io.StringIO(text), io.StringIO()
    exec(row["solution"], {"__name__": "__main__"})
    outputs.append(sys.stdout.getvalue())
sys.stdout = real
print(json.dumps(outputs))
"""


# ---------------------------------------------------------------- code


def test_code_fields_and_counts():
    keys = ["id", "problem", "starter_code", "tests", "solution", "difficulty", "style", "split"]
    assert all(list(row) == keys for row in CODE)
    assert len(CODE) == 100
    assert [row["id"] for row in CODE] == [f"code-{i:03d}" for i in range(1, 101)]
    counts = Counter((row["split"], row["style"], row["difficulty"]) for row in CODE)
    assert counts == {
        ("train", "function", "trivial"): 26,
        ("train", "function", "easy"): 8,
        ("train", "function", "medium"): 4,
        ("train", "stdin", "trivial"): 17,
        ("train", "stdin", "easy"): 6,
        ("train", "stdin", "medium"): 3,
        ("heldout", "function", "trivial"): 14,
        ("heldout", "function", "easy"): 5,
        ("heldout", "function", "medium"): 3,
        ("heldout", "stdin", "trivial"): 9,
        ("heldout", "stdin", "easy"): 3,
        ("heldout", "stdin", "medium"): 2,
    }


@pytest.mark.parametrize("row", CODE, ids=lambda row: row["id"])
def test_code_shape(row):
    tests = row["tests"]
    assert row["problem"].strip() == row["problem"] != ""
    assert 6 <= len(tests["inputs"]) <= 10
    assert len(tests["inputs"]) == len(tests["outputs"])
    assert len({json.dumps(value) for value in tests["inputs"]}) == len(tests["inputs"])
    # One constant answer must not pass.
    assert len({json.dumps(value) for value in tests["outputs"]}) > 1
    if row["style"] == "function":
        name = tests["fn_name"]
        assert set(tests) == {"inputs", "outputs", "fn_name"}
        assert all(isinstance(args, list) for args in tests["inputs"])
        assert re.fullmatch(rf"def {name}\([a-z_, ]+\):\n", row["starter_code"])
        assert row["solution"].startswith(row["starter_code"])
        assert name in row["problem"]
    else:
        assert set(tests) == {"inputs", "outputs"}
        assert row["starter_code"] is None
        for text in tests["inputs"] + tests["outputs"]:
            assert isinstance(text, str) and text.endswith("\n")


def test_function_solutions_pass():
    done = subprocess.run(
        [sys.executable, "-I", "-c", FUNCTION_DRIVER],
        input=json.dumps(FUNCTION),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("row", STDIN, ids=lambda row: row["id"])
def test_stdin_solution_passes(row):
    done = subprocess.run(
        [sys.executable, "-I", "-c", STDIN_DRIVER],
        input=json.dumps(row),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == row["tests"]["outputs"]


class Blank(ast.NodeTransformer):
    """Replace constants by one value and names by numbers in order of appearance."""

    def __init__(self):
        self.names = {}

    def rename(self, name):
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant(0), node)

    def visit_FunctionDef(self, node):
        node.name = "f"
        self.generic_visit(node)
        return node

    def visit_arg(self, node):
        node.arg = self.rename(node.arg)
        return node

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store) or node.id in self.names:
            node.id = self.rename(node.id)
        return node


def skeleton(source):
    return ast.dump(Blank().visit(ast.parse(source)))


# ---------------------------------------------------------------- science


def test_science_fields_and_counts():
    keys = ["id", "problem", "choices", "answer", "solution", "topic", "split"]
    assert all(list(row) == keys for row in SCIENCE)
    assert len(SCIENCE) == 100
    assert [row["id"] for row in SCIENCE] == [f"science-{i:03d}" for i in range(1, 101)]
    counts = Counter((row["split"], row["topic"]) for row in SCIENCE)
    topics = ("physics", "chemistry", "biology", "earth")
    assert counts == {
        **{("train", topic): 16 for topic in topics},
        **{("heldout", topic): 9 for topic in topics},
    }


@pytest.mark.parametrize("row", SCIENCE, ids=lambda row: row["id"])
def test_science_shape(row):
    choices = row["choices"]
    assert len(choices) == 4
    assert len({choice.strip().lower() for choice in choices}) == 4
    assert all(choice.strip() == choice != "" for choice in choices)
    assert choices.count(row["answer"]) == 1
    assert row["problem"].endswith("?")
    assert row["solution"].endswith(".")


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_science_answer_positions(split):
    rows = [row for row in SCIENCE if row["split"] == split]
    positions = Counter(row["choices"].index(row["answer"]) for row in rows)
    assert positions == {i: len(rows) // 4 for i in range(4)}


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_science_answer_length_gives_nothing_away(split):
    rows = [row for row in SCIENCE if row["split"] == split]

    def share(better):
        hits = 0
        for row in rows:
            others = [len(c) for c in row["choices"] if c != row["answer"]]
            hits += all(better(len(row["answer"]), length) for length in others)
        return hits / len(rows)

    assert share(lambda a, b: a > b) < 0.3
    assert share(lambda a, b: a < b) < 0.3


# ---------------------------------------------------------------- mathematics


def test_math_fields_and_counts():
    assert all(list(row) == ["id", "problem", "answer", "solution", "split"] for row in MATH)
    assert [row["id"] for row in MATH] == [f"math-{i:03d}" for i in range(1, 101)]
    assert Counter(row["split"] for row in MATH) == {"train": 64, "heldout": 36}


@pytest.mark.parametrize("row", MATH, ids=lambda row: row["id"])
def test_math_shape(row):
    assert row["problem"].strip() == row["problem"] and row["problem"][-1] in "?."
    calculation, result = row["solution"].removesuffix(".").split(" = ")
    value = calculated(calculation)
    assert value == int(result) == int(row["answer"]) and 0 <= value <= 25


def calculated(text):
    """The value of "3 + 4", "3 * 4", "12 / 4" or "5 + 2 + 1"."""
    first, *steps = re.findall(r"[-+*/]? ?\d+", text)
    steps_of = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    return functools.reduce(lambda value, step: steps_of[step[0]](value, int(step[1:])), steps, int(first))


# ---------------------------------------------------------------- near-duplicates

# Words that say how a task is put, not what it asks for.
COMMON = {
    *("a", "an", "the", "of", "to", "in", "is", "are", "it", "its", "that", "this", "and", "or", "if", "for", "with"),
    *("as", "one", "on", "by", "be", "write", "function", "return", "returns", "input", "line", "print", "read"),
    *("integer", "integers", "string", "list", "which", "what", "these", "does", "do", "when", "called", "how", "you"),
    *("your", "from", "at"),
}


def tokens(row):
    return set(re.findall(r"[a-z0-9]+", row["problem"].lower())) - COMMON


def overlap(a, b):
    x, y = tokens(a), tokens(b)
    return len(x & y) / len(x | y)


def pairs(rows):
    return [(a, b) for i, a in enumerate(rows) for b in rows[i + 1 :]]


def similar(a, b, limit):
    """True when the difflib ratio of the two texts is at least limit."""
    matcher = difflib.SequenceMatcher(None, a["problem"].lower(), b["problem"].lower(), autojunk=False)
    return matcher.real_quick_ratio() >= limit and matcher.quick_ratio() >= limit and matcher.ratio() >= limit


@pytest.mark.parametrize("rows", [CODE, SCIENCE, MATH], ids=["code", "science", "math"])
def test_ids_and_problems_unique_and_splits_disjoint(rows):
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["problem"].lower() for row in rows}) == len(rows)
    assert {row["split"] for row in rows} == {"train", "heldout"}


@pytest.mark.parametrize("rows", [CODE, SCIENCE, MATH], ids=["code", "science", "math"])
def test_no_near_duplicate_problems(rows):
    close = []
    for a, b in pairs(rows):
        # Between the splits the limits are tighter than inside one split.
        across = a["split"] != b["split"]
        if overlap(a, b) >= (0.5 if across else 0.6) or similar(a, b, 0.8 if across else 0.85):
            close.append((a["id"], b["id"]))
    assert close == []


def test_no_code_pair_with_same_solution_and_like_wording():
    shapes = {row["id"]: skeleton(row["solution"]) for row in CODE}
    close = [(a["id"], b["id"]) for a, b in pairs(CODE) if shapes[a["id"]] == shapes[b["id"]] and overlap(a, b) >= 0.3]
    assert close == []


def test_no_code_solution_shape_in_both_splits():
    shapes = {"train": {}, "heldout": {}}
    for row in CODE:
        shapes[row["split"]][skeleton(row["solution"])] = row["id"]
    shared = set(shapes["train"]) & set(shapes["heldout"])
    assert [(shapes["train"][s], shapes["heldout"][s]) for s in shared] == []


def test_science_splits_share_no_fact():
    """A right answer that occurs in both splits must belong to clearly different questions."""
    close = [
        (a["id"], b["id"])
        for a, b in pairs(SCIENCE)
        if a["split"] != b["split"] and a["answer"].lower() == b["answer"].lower() and overlap(a, b) >= 0.2
    ]
    assert close == []
