"""Every release can be planned on the site that most of them name."""

import pytest
from test_planner import ROOT, planned
from thoughtline.recipe.load import load

RELEASES = sorted(path for path in (ROOT / "recipes").glob("*.yaml") if path.stem != "demo")


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_each_release_has_a_plan(path, tmp_path):
    recipe = load(path)
    plan = planned(recipe, "leonardo", tmp_path)
    assert set(plan.targets) >= set(recipe.targets.evaluate)
    done = {line.key for line in plan.lines}
    for run in recipe.traces.values():
        for each in run.questions:
            assert ("questions", (each,)) in done
    assert {names[0] for stage, names in done if stage == "traces"} >= set(recipe.traces)
