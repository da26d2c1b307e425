"""What goes first, and what trace jobs are told about each other."""

from pathlib import Path

from thoughtline.recipe.load import load
from thoughtline.recipe.order import priority_of_traces, priority_of_verdicts, sharing_plans
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.settings import traces

ROOT = Path(__file__).parents[2]
RECIPE = load(str(ROOT / "recipes/demo.yaml"))


def test_what_training_waits_for_goes_before_evaluation_and_long_traces_before_short():
    student = Paths(RECIPE, "results").evaluated()[0]
    teacher = {each: priority_of_traces(RECIPE, "teacher", each) for each in RECIPE.traces["teacher"].questions}
    evaluation = {each: priority_of_traces(RECIPE, student, each) for each in RECIPE.benchmarks}
    assert min(teacher.values()) > max(evaluation.values())
    by_domain = {RECIPE.questions[each].domain: value for each, value in teacher.items()}
    assert by_domain["code"] > by_domain["math"] > by_domain["science"] > by_domain["puzzle"]
    for each in RECIPE.questions:
        assert priority_of_verdicts(RECIPE, "teacher", each) > max(teacher.values())
    for each in RECIPE.benchmarks:
        assert max(evaluation.values()) < priority_of_verdicts(RECIPE, student, each) < min(teacher.values())


def test_a_plan_holds_this_runs_shards_with_their_settings():
    paths = Paths(RECIPE, "results")
    sets = RECIPE.traces["teacher"].questions
    jobs = [("teacher", each, "0000") for each in sets]
    ((path, plan),) = sharing_plans(RECIPE, paths, jobs).items()
    assert path == "results/demo/work/sharing/teacher/plan.json"
    assert plan["settings"] == {each: traces(RECIPE, "teacher", each) for each in sets}
    assert {each["set"] for each in plan["shards"]} == set(sets)
    first = plan["shards"][0]
    assert first["out"] in paths.rows("traces", "teacher", first["set"])
    assert first["questions"] in paths.rows("questions", first["set"])
    assert RECIPE.questions[first["set"]].domain == "code"
    assert sharing_plans(RECIPE, paths, []) == {}
