"""Own scores beside published ones."""

import copy
import csv

import pytest
from pydantic import ValidationError
from report_page import Page
from report_tree import RECIPE
from thoughtline.recipe.schema.evaluation import PublishedScore
from thoughtline.report.published import compared
from thoughtline.scores.statistics import Z, wilson


def own(share, questions):
    low, high = wilson(share, Z * Z / questions)
    return {"mean": share, "low": low, "high": high, "questions": questions}


def published(score, **more):
    return PublishedScore(score=score, source="a paper", **more)


@pytest.mark.parametrize(
    ("share", "questions", "score", "margin", "word"),
    [
        # Thirty questions tell little: 43.3 and 36.7 on AIME24 are not distinguishable, 43.3 and 3.3 are different.
        (13 / 30, 30, 36.7, 5.0, "not distinguishable"),
        (13 / 30, 30, 43.3, 5.0, "not distinguishable"),
        (13 / 30, 30, 3.3, 5.0, "different"),
        (0.0, 30, 60.0, 5.0, "different"),
        # Equal scores of many questions are reproduced, of too few for the margin not.
        (0.9, 500, 90.0, 5.5, "reproduced"),
        (0.9, 500, 90.0, 1.0, "not distinguishable"),
        (0.9, 500, 80.0, 5.0, "different"),
        # A difference that is there, but smaller than what counts.
        (0.90, 100_000, 91.0, 5.0, "reproduced"),
        (0.90, 100_000, 91.0, 1.0, "different"),
    ],
)
def test_the_word_for_a_difference(share, questions, score, margin, word):
    found = compared(own(share, questions), published(score), margin)
    assert found["conclusion"] == word
    assert found["difference_low"] <= found["difference"] <= found["difference_high"]
    assert found["difference"] == pytest.approx(share - score / 100)


def test_the_interval_of_the_difference_is_open_where_all_answers_agree():
    found = compared(own(1.0, 30), published(100.0), 5.0)
    assert found["difference_low"] < -0.05 and found["difference_high"] > 0.05


def test_a_published_score_has_the_interval_of_its_own_questions():
    few, many = (compared(own(0.5, 30), published(50.0, questions=number), 5.0) for number in (30, 3000))
    assert few["published_high"] - few["published_low"] > 5 * (many["published_high"] - many["published_low"])
    assert compared(own(0.5, 30), published(50.0), 5.0) == few
    assert compared(own(0.5, 30), published(50.0, runs=64), 5.0) == few


@pytest.fixture
def recipe():
    found = copy.deepcopy(RECIPE)
    scores = {
        "sums-heldout": {"score": 99.0, "source": "https://example.org/paper"},
        "school-heldout": {"score": 1.0, "source": "s"},
    }
    found["published"] = {"scores": {"base": scores, "verified": {"sums-heldout": {"score": 50.0, "source": "s"}}}}
    return found


def test_page_and_table_show_them(tree, written, recipe):
    for name in recipe["benchmarks"]:
        tree.curate(name)
    tree.answer("base", "sums-heldout", 2, 0.0)
    score = tree.score("base", "sums-heldout")["accuracy"]
    page = Page(written(tree, recipe))
    rows = page.table("model", "benchmark", "here", "published")
    assert [row[:2] for row in rows] == [
        ["base", "sums-heldout"],
        ["base", "school-heldout"],
        ["verified", "sums-heldout"],
    ]
    assert rows[0][2].startswith(f"{100 * score['mean']:.1f}") and rows[0][3].startswith("99.0")
    assert rows[0][5] == "different https://example.org/paper"
    assert rows[1][2] == "–" and rows[1][5].startswith("not scored yet")
    assert (
        "1 of 3 published scores have one of this run beside them: 0 reproduced, 0 not distinguishable, 1 different"
        in page.text
    )
    with open(tree.root / "report/tables/published.csv", encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert float(table[0]["mean"]) == score["mean"] and table[0]["conclusion"] == "different"
    assert table[1]["mean"] == table[1]["conclusion"] == ""


def test_a_majority_vote_is_held_against_a_vote_of_as_many_answers_alone(tree, written, recipe):
    for name in recipe["benchmarks"]:
        tree.curate(name)
    tree.answer("base", "sums-heldout", 3, 0.5)
    vote = tree.score("base", "sums-heldout", 3)["majority_vote"]
    tree.answer("base", "school-heldout", 3, 0.8)
    tree.score("base", "school-heldout", 3)
    scores = recipe["published"]["scores"]["base"]
    scores["sums-heldout"] |= {"runs": 3, "majority_vote": 100 * vote["mean"]}
    scores["school-heldout"] |= {"runs": 64, "majority_vote": 80.0}
    recipe["evaluation"]["samples"] = 3
    page = Page(written(tree, recipe))
    rows = page.table("model", "benchmark", "here", "published")[:4]
    assert [row[1] for row in rows] == [
        "sums-heldout",
        "sums-heldout majority vote of 3",
        "school-heldout",
        "school-heldout majority vote of 64",
    ]
    assert rows[1][2].startswith(f"{100 * vote['mean']:.1f}") and rows[1][4].startswith("0.0")
    assert rows[0][2] != rows[1][2]
    assert rows[3][2] == "–" and rows[3][5].startswith("no vote of as many here")
    with open(tree.root / "report/tables/published.csv", encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["metric"] for row in table[:2]] == ["accuracy", "majority vote"]
    assert float(table[1]["mean"]) == vote["mean"] and float(table[1]["low"]) == vote["interval"][0]


def test_a_published_majority_vote_says_of_how_many_answers():
    with pytest.raises(ValidationError, match="needs `runs`, at least 3"):
        published(50.0, majority_vote=60.0)


def test_a_note_on_published_scores_stands_above_them(tree, written, recipe):
    assert "of other models" not in Page(written(tree, recipe)).text
    recipe["published"]["note"] = "They are of other models."
    text = Page(written(tree, recipe)).text
    assert text.index("They are of other models.") < text.index("0 of 3 published scores")


def test_without_published_scores_there_is_no_table(tree, written):
    assert "The recipe has no published scores" in Page(written(tree)).text
    assert not (tree.root / "report/tables/published.csv").exists()
