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
    total = plan.total()
    assert total is not None and total[1] < total[0] < total[2]
    assert all(line.rows and line.tokens for line in plan.lines if line.stage in ("traces", "train", "datasets"))
    done = {line.key for line in plan.lines}
    for run in recipe.traces.values():
        for each in run.questions:
            assert ("questions", (each,)) in done
    assert {names[0] for stage, names in done if stage == "traces"} >= set(recipe.traces)


def test_a_draft_model_is_planned_and_a_job_that_cannot_end_in_time_is_named(tmp_path):
    recipe = load(ROOT / "recipes/smallthinker.yaml")
    short = planned(recipe, "p5", tmp_path)
    assert not any("drafts for-qwq" in words for words in short.exceeded)
    long = {"for-qwq": recipe.drafts["for-qwq"].model_copy(update={"limit": 40, "max_tokens": 16384})}
    plan = planned(recipe.model_copy(update={"drafts": long}), "p5", tmp_path)
    line = next(line for line in plan.lines if line.stage == "drafts")
    assert line.key[1] == ("for-qwq",) and line.hours > line.limit_minutes / 60 and line.segments == 1
    assert any("drafts for-qwq: takes about" in words for words in plan.exceeded)
    assert {"draft for-qwq"} <= set(plan.targets) and ("train", ("smallthinker",)) in plan.targets["draft for-qwq"]
