"""The published releases: each recipe's whole graph is planned, and run for real where everything is tiny.

Run for real are all question sets, trace runs, verdicts, datasets and benchmarks; of the models to evaluate the first ones that are trained (STUDENTS),
since each costs a training and an engine's start. THOUGHTLINE_WHOLE=1 runs all of them.
"""

import os
import re
import shutil

import pytest
import yaml
from thoughtline.common.files import read_json
from thoughtline.common.rows import QUESTIONS, TRACES, read_rows
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.scale import DEFAULT, scaled_text
from workspace import ROOT, Workspace

RELEASES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml") if path.stem != "demo")
STUDENTS = 1
NAME = "tiny"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, tiny_model):
    """The repository's parts with all recipes, and an overlay whose model says noise."""
    workspace = Workspace(tmp_path_factory.mktemp("recipes"), tiny_model)
    shutil.copytree(ROOT / "recipes", workspace.folder / "recipes", dirs_exist_ok=True)
    shutil.copytree(ROOT / "data", workspace.folder / "data")
    overlay = yaml.safe_load(DEFAULT.read_text())
    overlay |= {"name": NAME, "questions": 4, "benchmarks": 2, "shards": 1, "max_tokens": 40, "stop": ["e", "a"]}
    overlay |= {"examples": {}, "keep_incorrect": True}
    overlay["model"] = {
        "local": {"path": str(tiny_model)},
        "licence": "Apache-2.0",
        "credit": "made by the test",
        "context_length": 1024,
        "engine": {"dtype": "float32", "max_model_len": 1024, "chunked_prefill": False},
    }
    # A few rows, packed, are one step an epoch, and the first step of a warm-up learns nothing.
    overlay["training"] |= {"epochs": 1.5, "max_length": 1000, "save_steps": 100}
    # Questions of a file in every domain: each task of reasoning-gym costs seconds to import.
    words = {
        kind: {**rows, "fields": {"problem": "problem", "answer": "answer"}}
        for kind, rows in overlay["standins"]["science"].items()
    }
    overlay["standins"] |= dict.fromkeys(("math", "puzzle", "chat"), words)
    (workspace.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay, sort_keys=False))
    return workspace


def count_of(text):
    """Jobs of a dry run by rule."""
    table = text[text.rindex("\njob ") :].split("\n\n")[0]
    return {rule: int(number) for rule, number in re.findall(r"^(\S+) +(\d+)$", table, re.M)}


@pytest.mark.parametrize("release", RELEASES)
def test_the_whole_graph_is_planned(workspace, release):
    run = workspace.snakemake("-n", "--config", f"recipe=recipes/{release}.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    recipe = load(ROOT / f"recipes/{release}.yaml")
    paths = Paths(recipe, "results")
    jobs = count_of(run.stdout)
    assert jobs["score_model"] == len(paths.scores()) and jobs["assemble_dataset"] == len(paths.datasets_in_use())
    assert jobs["train_model"] == len(set(paths.models_in_use()) & set(paths.trained()))
    answered = [*paths.runs_in_use(), *((model, each) for model in paths.evaluated() for each in paths.benchmarks())]
    assert jobs["generate_traces"] == sum(len(paths.shards(each)) for _, each in answered)
    curated = sum(count for rule, count in jobs.items() if rule.startswith(("curate_questions_", "select_questions_")))
    assert curated == len(paths.sets_in_use())
    assert jobs["stage_repository"] == len(paths.staged())


def tiny(workspace, release):
    """The release scaled down; evaluated are its first students."""
    data = yaml.safe_load(scaled_text(ROOT / f"recipes/{release}.yaml", workspace.folder / "overlay.yaml"))
    if not os.environ.get("THOUGHTLINE_WHOLE"):
        students = [name for name in data["targets"]["evaluate"] if "base" in data["models"][name]]
        data["targets"]["evaluate"] = students[:STUDENTS]
        data["targets"].pop("compare", None)
    for run in data["traces"].values():
        run["sampling"]["temperature"] = (
            0.7  # at 0 this model repeats one token, never reaches a stop, and nothing is left to write anew
        )
    path = workspace.folder / f"recipes/{data['name']}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@pytest.mark.parametrize("release", [name for name in RELEASES if not name.startswith("openthinker-")])
def test_the_whole_graph_runs_on_tiny_inputs(workspace, release):
    path = tiny(workspace, release)
    run = workspace.snakemake("--config", f"recipe={path}")
    assert run.returncode == 0, run.stdout[-8000:]
    recipe = load(path)
    root = workspace.folder / "results" / recipe.name
    paths = Paths(recipe, str(workspace.folder / "results"))
    for name, each in paths.runs_in_use():
        asked = [row for file in paths.rows("questions", each) for row in read_rows(file, QUESTIONS)]
        answered = [row for file in paths.rows("traces", name, each) for row in read_rows(file, TRACES)]
        assert len(answered) == len(asked) * recipe.traces[name].samples > 0
    for model in paths.evaluated():
        manifest = read_json(root / f"models/{model}/model.json")
        assert manifest["name"] == model and (root / f"models/{model}/training.json").is_file()
    page = (root / "report/index.html").read_text()
    assert "Rows do not add up" not in page and not re.search("of this recipe (is|are) not there", page)
    for name in recipe.drafts:
        assert read_json(paths.draft(name))["questions"] > 0
