"""Draft models on the page."""

import copy

from report_page import Page
from report_tree import RECIPE
from thoughtline.common.files import write_json


def test_what_was_measured_is_shown(tree, written):
    recipe = copy.deepcopy(RECIPE)
    draft = {
        "target": "base",
        "draft": "verified-seed1",
        "questions": ["sums-heldout"],
        "max_tokens": 64,
        "prompt": "ask",
    }
    recipe["drafts"] = {"quick": {**draft, "published": 1.7, "source": "https://example.org/card"}, "later": draft}
    measured = {
        "target": "base",
        "draft": "verified-seed1",
        "questions": 4,
        "acceptance": {"mean": 0.625, "standard_error": 0.1, "interval": [0.4, 0.8]},
        "tokens_per_pass": 3.5,
        "tokens_per_second_alone": 40.0,
        "tokens_per_second": 70.0,
        "speed_up": {"mean": 1.75, "interval": [1.5, 2.0]},
        "identical": 1.0,
    }
    path = tree.root / "drafts/quick/measured.json"
    write_json(path, measured)
    page = Page(written(tree, recipe))
    assert page.table("draft", "for") == [
        [
            "verified-seed1",
            "base",
            "4",
            "62.5 40.0 to 80.0",
            "3.50",
            "40.00",
            "70.00",
            "1.75 1.50 to 2.00",
            "1.70",
            "100.0",
        ]
    ]
    assert "drafts/later/measured.json" in page.text
    assert "measures no draft model" in Page(written(tree)).text
