"""Expansion, settings, paths, and the pages that are generated from the schema."""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.recipe import settings
from thoughtline.recipe.expand import expand, group
from thoughtline.recipe.load import load, parse
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.reference import reference_page, schema_text
from thoughtline.recipe.schema.base import Strict
from thoughtline.recipe.yaml_text import read_yaml

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())


@pytest.fixture(scope="module")
def demo():
    return load(ROOT / "recipes/demo.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_good(path):
    assert load(path).name == path.stem


def test_generated_pages_have_not_drifted():
    assert (ROOT / "docs/recipe.schema.json").read_text() == schema_text(), "run `make reference`"
    assert (ROOT / "docs/reference.md").read_text() == reference_page(), "run `make reference`"


def test_seeds_become_models(demo):
    assert group(demo, "verified") == ["verified-seed1", "verified-seed2"]
    assert [demo.models[name].stages[0].seed for name in group(demo, "verified")] == [1, 2]
    assert expand(demo) == demo


def test_stages_become_a_chain():
    data = copy.deepcopy(DEMO)
    stages = data["models"]["verified"]["stages"]
    data["models"]["verified"]["stages"] = [stages[0], {**stages[0], "dataset": "unverified"}]
    recipe = parse(data, ROOT / "recipes/demo.yaml")
    assert recipe.models["verified-seed1.stage1"].base == "smollm2"
    assert recipe.models["verified-seed1"].base == "verified-seed1.stage1"
    assert recipe.models["verified-seed1"].stages[0].dataset == "unverified"
    assert group(recipe, "verified") == ["verified-seed1", "verified-seed2"]


def test_a_trained_model_is_served_as_its_base(demo):
    assert settings.engine_of(demo, "verified-seed1") == settings.engine_of(demo, "smollm2")


def test_settings_change_only_with_what_they_depend_on(demo):
    data = copy.deepcopy(DEMO)
    data["traces"]["teacher"]["sampling"]["temperature"] = 0.8
    changed = parse(data, ROOT / "recipes/demo.yaml")
    assert settings.traces(demo, "teacher", "math-train") != settings.traces(changed, "teacher", "math-train")
    assert settings.traces(demo, "smollm2", "math-heldout") == settings.traces(changed, "smollm2", "math-heldout")
    assert settings.questions(demo, "math-train") == settings.questions(changed, "math-train")
    assert settings.verdicts(demo, "math-train") == settings.verdicts(changed, "math-train")
    assert settings.train(demo, "verified-seed1") == settings.train(changed, "verified-seed1")


def test_only_true_and_false_are_booleans(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text("{yes: on, no: Off, Y: n, true: True, keep: [TRUE, false, FALSE], tRUE: truest}")
    found = {"yes": "on", "no": "Off", "Y": "n", True: True, "keep": [True, False, False], "tRUE": "truest"}
    assert read_yaml(path) == found


def test_a_judge_s_words_are_written_as_the_reference_says(tmp_path):
    text = (ROOT / "recipes/demo.yaml").read_text()
    judge = "{verifier: judge, model: smollm2, template: x, yes: right, no: wrong}"
    path = tmp_path / "judge.yaml"
    path.write_text(text.replace("{verifier: choice}", judge))
    found = load(path).verdicts["science"]
    assert (found.yes, found.no) == ("right", "wrong")
    path.write_text(text.replace("{verifier: choice}", judge.replace("right", '"("')))
    line = text[: text.index("{verifier: choice}")].count("\n") + 1
    with pytest.raises(UserError, match=rf":{line}: verdicts\.science\.judge\.yes: '\(' is no regular expression"):
        load(path)


def with_combined(**changes):
    """The demo with a combined verifier for mathematics."""
    data = copy.deepcopy(DEMO)
    judge = {"verifier": "judge", "model": "smollm2", "template": "{{ answer }}"}
    parser = {"verifier": "math_verify"}
    data["verdicts"]["math"] = {"verifier": "combined", "parser": parser, "judge": judge, "rule": "either", **changes}
    return parse(data, ROOT / "recipes/demo.yaml")


def test_a_combined_verifier_needs_its_judge_and_counts_the_code_of_both_sides(demo):
    recipe = with_combined()
    assert Paths(recipe, "results").judge_model("math-train") == ["results/demo/models/smollm2/model.json"]
    found = settings.verdicts(recipe, "math-train")
    assert {"engine", "seed", "judge_environment"} <= set(found) and found["endpoint"] is None
    modules = settings.modules_of_verifier(found["verifier"])
    assert modules == ["verdicts.combine", "verdicts.math", "verdicts.judge"]
    exact = settings.verdicts(with_combined(parser={"verifier": "exact"}), "math-train")
    assert exact["code"] != found["code"] != settings.verdicts(demo, "math-train")["code"]


def test_agreement_is_measured_where_both_sides_are_always_heard(demo):
    def agreements(recipe):
        paths = Paths(recipe, "results")
        return [path for path in paths.report_inputs() if path.startswith("results/demo/agreement/")]

    assert agreements(demo) == agreements(with_combined()) == []
    found = agreements(with_combined(ask="always"))
    assert "results/demo/agreement/teacher/math-train.json" in found and len(found) == 1 + 5
    assert agreements(with_combined(rule="judge")) == found


def with_two_code_sets(comparison):
    """The demo with half of its code problems in a set that is compared in another way."""
    data = copy.deepcopy(DEMO)
    whole = data["questions"]["code-train"]
    own = {"verifier": "code", "comparison": comparison}
    data["questions"]["code-more"] = {**whole, "partition": {"parts": 2, "keep": [1]}, "verifier": own}
    data["questions"]["code-train"] = {**whole, "partition": {"parts": 2, "keep": [0]}}
    data["traces"]["teacher"]["questions"].append("code-more")
    return parse(data, ROOT / "recipes/demo.yaml")


def test_two_sets_of_a_domain_have_two_verifiers():
    recipe, changed = with_two_code_sets("tokens"), with_two_code_sets("numeric")
    comparisons = [settings.verdicts(recipe, each)["verifier"]["comparison"] for each in ("code-train", "code-more")]
    assert comparisons == ["lines", "tokens"]
    sets = [*recipe.questions, *recipe.benchmarks]
    assert [each for each in sets if settings.verdicts(recipe, each) != settings.verdicts(changed, each)] == [
        "code-more"
    ]
    for each in recipe.questions:
        assert settings.questions(recipe, each) == settings.questions(changed, each)
        assert settings.traces(recipe, "teacher", each) == settings.traces(changed, "teacher", each)
    for each in recipe.datasets:
        assert settings.datasets(recipe, each) == settings.datasets(changed, each)


def test_a_set_s_own_verifier_brings_its_judge_and_its_agreement():
    data = copy.deepcopy(DEMO)
    judge = {"verifier": "judge", "model": "smollm2", "template": "{{ answer }}"}
    own = {"verifier": "combined", "parser": {"verifier": "math_verify"}, "judge": judge, "rule": "judge"}
    data["questions"]["math-train"]["verifier"] = own
    del data["verdicts"]["math"]
    for benchmark in data["benchmarks"].values():
        if benchmark["domain"] == "math":
            benchmark["verifier"] = {"verifier": "math_verify"}
    paths = Paths(parse(data, ROOT / "recipes/demo.yaml"), "results")
    assert paths.judge_model("math-train") == ["results/demo/models/smollm2/model.json"]
    assert paths.agreements() == [("teacher", "math-train")]


def test_names_of_jobs_are_no_settings_of_what_they_share(demo):
    """Two arms with equal settings differ by name and seed only."""
    one, two = settings.train(demo, "verified-seed1"), settings.train(demo, "verified-seed2")
    assert {key for key in one if one[key] != two[key]} == {"model", "seed"}


def test_the_graph_of_files(demo):
    paths = Paths(demo, "results")
    assert paths.rows("traces", "teacher", "math-train") == ["results/demo/traces/teacher/math-train/0000.parquet"]
    assert paths.targets() == ["results/demo/report/index.html"]
    assert len(paths.scores()) == 5 * 4
    assert paths.dataset_inputs("unverified")["same"] == ["results/demo/datasets/verified/rows.parquet"]
    assert len(paths.dataset_inputs("verified")["benchmarks"]) == 4
    assert paths.answerer_model("teacher", "math-train") == ["results/demo/models/smollm2/model.json"]
    assert paths.answerer_model("verified-seed1", "math-heldout") == ["results/demo/models/verified-seed1/model.json"]
    assert paths.local_sources("code-train") == ["data/code/problems.jsonl"]


def test_examples_of_the_documentation_are_good(tmp_path):
    examples = [
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/recipes.md").read_text(), re.S)
    ]
    examples = [each for each in examples if "benchmarks" in each]
    assert len(examples) == 2
    (tmp_path / "rows.jsonl").write_text("{}\n")
    for example in examples:
        data = copy.deepcopy(DEMO)
        ((name, benchmark),) = example["benchmarks"].items()
        for source in benchmark["sources"].values():
            source["local"]["path"] = str(tmp_path / "rows.jsonl")
        if "model" in benchmark["verifier"]:
            benchmark["verifier"]["model"] = data["targets"]["evaluate"][0]
        data["benchmarks"] = {name: benchmark}
        data["evaluation"]["prompt"] = "plain"
        data["prompts"] |= example["prompts"]
        for dataset in data["datasets"].values():
            if isinstance(rule := dataset.get("decontaminate"), dict) and rule.get("benchmarks") != "all":
                rule.pop("benchmarks", None)
        recipe = expand(parse(data, ROOT / "recipes/demo.yaml"))
        chosen = settings.verdicts(recipe, name)
        assert chosen["verifier"]["verifier"] in ("instructions", "rating")
        assert settings.questions(recipe, name)["sources"][0]["fields"]["turns"] == (
            "turns" if chosen["verifier"]["verifier"] == "rating" else None
        )


def test_a_raters_templates_are_tried(tmp_path):
    data = copy.deepcopy(DEMO)
    rating = {"verifier": "rating", "model": data["targets"]["evaluate"][0], "first": {"template": "{{ question_2 }}"}}
    next(iter(data["benchmarks"].values()))["verifier"] = rating
    with pytest.raises(UserError, match=r"first\.template: is no usable template \('question_2' is undefined\)"):
        parse(data, ROOT / "recipes/demo.yaml")


def test_keys_that_came_later_change_no_settings_of_a_recipe_without_them(demo):
    """Else every finished job of such a recipe would run again."""
    made = [
        *(settings.questions(demo, each) for each in [*demo.questions, *demo.benchmarks]),
        *(settings.traces(demo, "teacher", each) for each in demo.questions),
        *(settings.verdicts(demo, each) for each in demo.questions),
        *(settings.datasets(demo, each) for each in demo.datasets),
        settings.fetch(demo, "smollm2"),
        settings.train(demo, "verified-seed1"),
        settings.report(demo),
    ]
    later = {key for model in Strict.__subclasses__() for key in model.LATER} - {"format", "sources"}

    def keys(value):
        if isinstance(value, dict):
            return set(value) | {key for each in value.values() for key in keys(each)}
        return {key for each in value for key in keys(each)} if isinstance(value, list) else set()

    assert {"rewrites", "per_question", "errors_pass", "published", "changes", "rated"} <= later
    assert not {key for each in made for key in keys(each)} & later
    assert "format" not in settings.traces(demo, "teacher", "math-train")
    assert "sources" not in settings.datasets(demo, "verified")["mixture"]


def test_settings_of_rewriting_and_rated_sets():
    data = copy.deepcopy(DEMO)
    again = {"model": "smollm2", "rewrites": "teacher", "sampling": {"temperature": 0.7, "max_tokens": 96}}
    data["traces"]["again"] = {**again, "format": "openthoughts", "prompt": "few_shot"}
    data["questions"]["hard"] = {
        "domain": "math",
        "rated": {"questions": "math-train", "traces": "teacher", "measure": "tokens", "highest": 5},
    }
    data["datasets"]["verified"]["traces"] = ["again"]
    recipe = parse(data, ROOT / "recipes/demo.yaml")
    assert (
        recipe.traces["again"].questions == recipe.traces["teacher"].questions and recipe.traces["again"].samples == 4
    )
    found = settings.traces(recipe, "again", "math-train")
    assert (found["rewrites"], found["format"], found["samples"]) == ("teacher", "openthoughts", 4)
    hard = settings.questions(recipe, "hard")
    assert hard["rated"]["measure"] == "tokens" and "sources" not in hard and hard["code"] != found["code"]
    paths = Paths(recipe, "results")
    assert paths.rewritten("again", "math-train", "0000") == ["results/demo/traces/teacher/math-train/0000.parquet"]
    assert paths.rewritten("teacher", "math-train", "0000") == []
    assert paths.rated_inputs("hard")["traces"] == ["results/demo/traces/teacher/math-train/0000.parquet"]
    assert ("teacher", "math-train") in paths.runs_in_use() and "teacher" in paths.judged_runs()
    assert set(settings.sources_of(recipe, "hard")) == {"sums", "products"}


def test_an_expanded_recipe_says_that_it_is_for_reading():
    run = subprocess.run(
        [sys.executable, "-m", "thoughtline", "recipe", "show", "smallthinker"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0 and run.stdout.startswith(
        "# smallthinker, for reading: seeds and stages are written out"
    )
    assert "smallthinker.stage1" in yaml.safe_load(run.stdout)["models"]
