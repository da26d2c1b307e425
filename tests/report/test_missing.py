"""Runs that are not finished, or have no such part: the page says so."""

import copy

import pytest
from report_page import Page
from report_tree import RECIPE
from thoughtline.common.errors import UserError
from thoughtline.report.write import recipe_of, write_report


def test_nothing_made_yet(tree, written):
    page = Page(written(tree))
    assert page.faults == []
    for text in (
        "No scores yet",
        "No questions have been curated",
        "No training traces yet",
        "No student has been trained",
    ):
        assert text in page.text
    assert "Nothing has been timed" in page.text
    assert "questions/sums/0001.parquet" in page.text


def test_what_the_targets_do_not_need_is_not_missed(tree, written):
    recipe = {**RECIPE, "targets": {"evaluate": ["base", "verified"]}}
    text = Page(written(tree, recipe)).text
    assert "datasets/kept/rows.parquet" in text and "models/verified-seed2/model.json" in text
    assert "datasets/raw/" not in text and "models/unverified-seed" not in text


def test_questions_alone(tree, written):
    tree.curate("sums")
    page = Page(written(tree))
    assert ["curate rows read → questions", "11", "4", "dropped: duplicate 3, has_answer 4"] in page.table("step")


def test_scores_of_one_benchmark_of_two(tree, written):
    for name in RECIPE["benchmarks"]:
        tree.curate(name)
    tree.answer("base", "sums-heldout", 2, 0.5)
    tree.score("base", "sums-heldout")
    page = Page(written(tree))
    row = page.table("model", "sums-heldout 4 questions, k = 2")[0]
    assert row[0] == "base" and row[1] != "–" and row[2] == "–"
    assert "open, scores for 0 of 2 benchmarks" in page.text
    assert "verified-seed1 on sums-heldout" in page.text


def test_traces_without_verdicts(tree, written):
    tree.curate("sums")
    tree.answer("teacher", "sums", 3, 0.5)
    for path in (tree.root / "verdicts").rglob("*.parquet*"):
        path.unlink()
    page = Page(written(tree))
    assert page.table("run", "domain")[0][:4] == ["teacher", "math", "4 × 3", "0 of 12"]
    assert "not judged" in page.table("run", "domain")[0][4]
    assert "no verdict yet" in page.text


def test_endpoint_teacher_and_no_training(tree, written):
    recipe = copy.deepcopy(RECIPE)
    recipe["models"] = {
        "service": {"endpoint": {"url": "https://models.example/v1", "model": "big", "revision": "2025-01"}}
    }
    recipe["traces"]["teacher"]["model"] = "service"
    recipe["targets"] = {"evaluate": ["service"]}
    tree.curate("sums")
    tree.answer("teacher", "sums", 3, 0.5)
    page = Page(written(tree, recipe))
    assert page.loads == []
    assert "service https://models.example/v1, model big" in page.text
    assert "This recipe trains no model" in page.text
    assert "The recipe asks for no comparison" in page.text


def test_no_benchmarks_at_all(tree, written):
    recipe = {**RECIPE, "benchmarks": {}, "evaluation": None, "targets": {"evaluate": ["base"]}}
    page = Page(written(tree, recipe))
    assert "This recipe evaluates no model" in page.text


def test_leftovers_of_another_recipe_stay_out(tree, written):
    tree.curate("sums")
    tree.model("stranger", "base")
    assert "stranger" not in written(tree)


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        write_report({"recipe": RECIPE}, tmp_path / "nowhere", tmp_path / "index.html")


def test_broken_parquet_is_named(tree, written):
    tree.curate("school")
    path = tree.root / "questions" / "school" / "0000.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"school/0000\.parquet: cannot be read"):
        written(tree)


def test_broken_training_log_is_named_with_its_line(tree, written):
    tree.model("verified-seed1", "base")
    path = tree.root / "models" / "verified-seed1" / "training.jsonl"
    path.write_text(path.read_text() + "{torn\n")
    with pytest.raises(UserError, match=r"training\.jsonl:15: is not JSON"):
        written(tree)


def test_settings_without_a_recipe():
    with pytest.raises(UserError, match="lacks `recipe`"):
        recipe_of({"code": "x"})


def test_settings_with_a_bad_recipe():
    with pytest.raises(UserError, match=r"--settings: recipe\.targets\.evaluate: is missing; Targets needs this key"):
        recipe_of({"recipe": {**RECIPE, "targets": {}}})
