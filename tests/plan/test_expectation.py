"""What a recipe expects is bounded, and within the bounds every plan can be made."""

import math

import pytest
from test_planner import RECIPE, changed, planned
from thoughtline.common.errors import UserError
from thoughtline.recipe.load import parse

EXPECT = changed()["expect"]
VERIFIED = "verified"


def expecting(**keys):
    return parse(changed(expect={**EXPECT, **keys}), RECIPE)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"prompt_tokens": 1e300}, r"expect\.prompt_tokens: 1e\+300 is too large; at most 1e\+07"),
        ({"prompt_tokens": 0.5}, r"expect\.prompt_tokens: 0\.5 is too small"),
        ({"rows": {**EXPECT["rows"], "math": 10**300}}, r"expect\.rows\.math: .*at most"),
        ({"replies": {"r1": {"math": 1e-300}}}, r"expect\.replies: r1\.math: 1e-300 tokens are no length of a text; 1 to 10,000,000"),
        ({"replies": {"r1": 1e9}}, r"expect\.replies: r1: 1e\+09 tokens are no length"),
        ({"datasets": {VERIFIED: {"tokens": 1e300}}}, r"verified\.tokens: 1e\+300 tokens are no length"),
        ({"datasets": {VERIFIED: {"tokens": {"mean": 1e308, "median": 1e-300}}}}, r"tokens\.mean: 1e\+308 is too large"),
        ({"datasets": {VERIFIED: {"tokens": {"mean": 1000, "median": 2}}}}, r"median 2 does not go with mean 1000"),
        ({"datasets": {VERIFIED: {"tokens": {"mean": 1000, "median": 1001}}}}, r"the median is at most the mean"),
    ],
)  # fmt: skip
def test_what_no_text_has_is_refused(keys, words):
    with pytest.raises(UserError, match=words):
        expecting(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"prompt_tokens": 1e7, "replies": {"r1": 1e7}, "rows": dict.fromkeys(EXPECT["rows"], 10**10)},
        {"prompt_tokens": 1, "replies": {"r1": {"math": 1, "code": {"mean": 20, "median": 1}}}},
        {"datasets": {VERIFIED: {"rows": 1, "tokens": {"mean": 1e7, "median": 5e5}}}},
    ],
)
def test_what_is_not_refused_can_be_planned(keys, tmp_path):
    total = planned(expecting(**keys), "leonardo", tmp_path).total()
    assert all(math.isfinite(each) and each > 0 for each in total)
