"""Rows that a mixture leaves are planned as `thoughtline datasets` takes them."""

import pytest
from test_planner import ROOT, line, planned
from thoughtline.common.errors import UserError
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import parse

RECIPE = ROOT / "recipes/r1-distill.yaml"
TRACES = {"code": 112000, "science": 15000}
"""Four for each question of the recipe's sets."""


def with_mixture(mixture, folder, **keys):
    data = read_layers(RECIPE).data
    data["datasets"]["distill-800k"] |= {"mixture": mixture, **keys}
    del data["expect"]["datasets"]
    return planned(parse(data, RECIPE), "p5", folder)


def dataset(*arguments, **keys):
    return line(with_mixture(*arguments, **keys), "datasets", "distill-800k")


@pytest.mark.parametrize(
    ("weights", "total", "rows"),
    [
        ({"science": 1}, 8_000_000, TRACES["science"]),
        ({"math": 0.5, "code": 0.5}, 800_000, 2 * TRACES["code"]),
        ({"math": 3, "code": 1}, 100_000, 100_000),
    ],
)
def test_shares_are_kept(weights, total, rows, tmp_path):
    made = dataset({"weights": weights, "total": total}, tmp_path)
    assert made.rows == rows
    short = [note for note in made.notes if "shares are kept" in note]
    assert short == (
        [] if rows == total else [f"at most {rows:,} of mixture.total {total:,} rows: {short[0].split('rows: ')[1]}"]
    )


def test_training_learns_from_what_the_mixture_leaves(tmp_path):
    plan = with_mixture({"weights": {"science": 1}, "total": 8_000_000}, tmp_path)
    training = line(plan, "train", "r1-distill-qwen-7b")
    assert training.rows == 2 * TRACES["science"]
    # Science is shorter than mathematics: only its lengths count.
    assert training.tokens / training.rows == pytest.approx(4929 + 250, rel=0.02)


def test_counts_are_upper_limits_of_each_domain(tmp_path):
    assert dataset({"counts": {"science": 500_000, "code": 1000}}, tmp_path).rows == TRACES["science"] + 1000


def test_one_trace_a_question_is_chosen_before_the_mixture(tmp_path):
    made = dataset({"weights": {"science": 1}, "total": 60_000}, tmp_path, keep="random_correct")
    assert made.rows == TRACES["science"] / 4


def test_a_mixture_that_takes_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"datasets\.distill-800k\.mixture: takes no row"):
        dataset({"counts": {"science": 10}}, tmp_path, traces=["v3"])
